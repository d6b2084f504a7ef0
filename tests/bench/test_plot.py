import sys
from pathlib import Path

import pytest

from roost.bench.plot import check_plot, over_time, plot
from roost.bench.result import Clocks, Comparison, Placement, Result
from roost.errors import ConfigError, RoostError


def run(scheduler: str, rate: float, count: int = 1000) -> Result:
    times = tuple(n / rate for n in range(count))
    return Result(
        target="embedded",
        scheduler=scheduler,
        workload="Basic",
        size="5Nodes",
        nodes=5,
        measured=count,
        clocks=Clocks(first_to_last_bind=times[-1]),
        placement=Placement(pods=count),
        bind_times=times,
    )


BOTH = Comparison(ours=(run("roost", 300), run("roost", 310)), theirs=(run("kube-scheduler", 100),) * 2)


def test_a_picture_has_a_panel_per_workload_and_names_both_schedulers(tmp_path: Path) -> None:
    path = tmp_path / "runs.svg"
    plot([BOTH, BOTH], path)
    picture = path.read_text()
    assert picture.count("Basic/5Nodes on embedded, 5 nodes") == 2
    assert picture.count(">kube-scheduler<") == 2


def test_the_same_runs_are_the_same_picture(tmp_path: Path) -> None:
    for name in ("first.svg", "second.svg"):
        plot([BOTH], tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_png_is_drawn_too(tmp_path: Path) -> None:
    plot([Comparison(ours=(run("roost", 300),))], tmp_path / "runs.png")
    assert (tmp_path / "runs.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("count", "points"),
    [(1, 0), (2, 1), (50, 5), (10_000, 100)],
    ids=["no line", "one bind after another", "some", "one a second"],
)
def test_a_line_has_points_enough_and_counts_all_binds(count: int, points: int) -> None:
    one = run("roost", 100, count)
    seconds, rates = over_time(one)
    assert len(seconds) == len(rates) == points
    if points:
        assert sum(rates) * one.bind_times[-1] / points == pytest.approx(count)


def test_what_cannot_be_drawn_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--plot: .*runs.pdf must end in .svg or .png"):
        check_plot(tmp_path / "runs.pdf")
    with pytest.raises(ConfigError, match=r"--plot: there is no folder .*nowhere"):
        check_plot(tmp_path / "nowhere" / "runs.svg")


def test_without_matplotlib_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'roost\[plot\]'"):
        check_plot(tmp_path / "runs.svg")


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs.svg").mkdir()
    with pytest.raises(RoostError, match=r"--plot: .*runs.svg cannot be written: Is a directory"):
        plot([BOTH], tmp_path / "runs.svg")
