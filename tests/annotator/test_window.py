"""The sliding window, beside a plain list of samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roost.annotator.window import Window


def add(window: Window, name: str, samples: dict[float, float], resource: str = "cpu") -> None:
    times, values = np.array(list(samples), dtype=float), np.array(list(samples.values()), dtype=float)
    window.add(name, resource, times, values)


def cpu(window: Window, name: str, now: float) -> list[float]:
    values, _ = window.read([name], now)
    return [value for value in values[0, 0].tolist() if value == value]


def test_samples_come_out_in_the_order_of_their_times() -> None:
    window = Window(60, 10)
    add(window, "a", {30: 3, 10: 1, 20: 2})
    assert cpu(window, "a", 35) == [1, 2, 3]


def test_of_several_samples_in_one_step_the_last_counts() -> None:
    window = Window(60, 10)
    add(window, "a", {30: 3, 31: 4})
    add(window, "a", {30: 5})
    assert cpu(window, "a", 35) == [5]


def test_what_is_older_than_the_window_is_gone() -> None:
    window = Window(60, 10)
    add(window, "a", {t: t for t in range(0, 200, 10)})
    assert cpu(window, "a", 190) == [140, 150, 160, 170, 180, 190]
    assert cpu(window, "a", 210) == [160, 170, 180, 190]
    assert cpu(window, "a", 900) == []


def test_a_slot_that_is_used_again_is_emptied_for_every_node() -> None:
    window = Window(30, 10)
    add(window, "a", {0: 1})
    add(window, "b", {30: 2})
    assert (cpu(window, "a", 35), cpu(window, "b", 35)) == ([], [2])


def test_a_sample_that_comes_too_late_changes_nothing() -> None:
    window = Window(30, 10)
    add(window, "a", {60: 6})
    add(window, "a", {0: 1, 30: 3})
    assert cpu(window, "a", 60) == [6]


def test_the_time_of_a_node_is_that_of_the_resource_measured_less_recently() -> None:
    window = Window(600, 10)
    add(window, "a", {100: 1})
    add(window, "a", {100: 1, 160: 1}, "memory")
    add(window, "b", {160: 1}, "memory")
    values, times = window.read(["a", "b"], 165)
    assert times.tolist() == [100, 160]
    assert np.isnan(values[1, 0]).all()


def test_what_is_not_finite_is_left_out() -> None:
    window = Window(60, 10)
    add(window, "a", {10: float("nan"), 20: float("inf")})
    assert "a" not in window
    add(window, "a", {10: float("nan"), 30: 3})
    assert cpu(window, "a", 35) == [3]


def test_nodes_that_are_gone_leave_their_rows_to_others() -> None:
    window = Window(60, 10)
    for i in range(40):
        add(window, f"n{i}", {10: i})
    window.keep({"n39"})
    add(window, "new", {20: 7})
    assert "n0" not in window
    assert (cpu(window, "n39", 20), cpu(window, "new", 20)) == ([39], [7])


SAMPLES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(1, 9)), max_size=40)


@given(samples=SAMPLES, later=st.integers(0, 100))
def test_in_order_of_time_a_window_holds_the_last_sample_of_every_step(
    samples: list[tuple[str, int, int]], later: int
) -> None:
    samples.sort(key=lambda sample: sample[1])
    window, now = Window(100, 10), max((at for _, at, _ in samples), default=0) + later
    kept: dict[tuple[str, int], int] = {}
    for name, at, value in samples:
        add(window, name, {at: value})
        kept[name, at // 10] = value
    for name in {name for name, _, _ in samples}:
        expected = [kept[name, step] for step in range(now // 10 - 9, now // 10 + 1) if (name, step) in kept]
        assert cpu(window, name, now) == expected
