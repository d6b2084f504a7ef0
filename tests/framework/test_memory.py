import numpy as np
import pytest

from roost.framework.memory import Judged, Memory, Rated
from roost.framework.plugin import Verdicts
from roost.framework.status import SUCCESS, Status, unschedulable
from roost.framework.view import ALL

FULL = unschedulable("full")
TAINTED = unschedulable("tainted")


def verdicts(*codes: int, statuses: tuple[Status, ...] = (SUCCESS, FULL)) -> Verdicts:
    return Verdicts(np.array(codes, dtype=np.int16), statuses)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.intp)


def reasons(judged: Judged) -> list[str]:
    return [judged.statuses[code].message for code in judged.codes]


# ---- verdicts


def test_no_verdicts_mean_that_every_row_fits() -> None:
    judged = Judged(3)
    judged.put(ALL, None)
    assert (judged.all_ok, judged.ok.tolist(), reasons(judged)) == (True, [True] * 3, [""] * 3)


def test_verdicts_on_some_rows_leave_the_others() -> None:
    judged = Judged(4)
    judged.put(ALL, verdicts(0, 1, 0, 1))
    judged.put(rows(1, 2), verdicts(0, 1))
    assert (judged.all_ok, judged.ok.tolist()) == (False, [True, True, False, False])
    judged.put(rows(2, 3), None)
    assert (judged.all_ok, judged.ok.tolist()) == (True, [True] * 4)


def test_statuses_of_later_verdicts_are_told_apart_from_the_earlier_ones() -> None:
    judged = Judged(3)
    judged.put(ALL, verdicts(1, 0, 2, statuses=(SUCCESS, FULL, TAINTED)))
    judged.put(rows(1, 2), verdicts(1, 2, statuses=(SUCCESS, TAINTED, FULL)))
    assert reasons(judged) == ["full", "tainted", "full"]


def test_what_fits_is_shared_but_never_written_to() -> None:
    one, other = Judged(3), Judged(3)
    one.put(rows(1), verdicts(1))
    assert other.ok.tolist() == [True] * 3
    assert Judged(3).ok.tolist() == [True] * 3


def test_new_rows_are_to_be_put_and_the_old_ones_stay() -> None:
    judged = Judged(2)
    judged.put(ALL, verdicts(0, 1))
    judged.extend(4)
    judged.put(rows(2, 3), verdicts(1, 0))
    assert judged.ok.tolist() == [True, False, False, True]


def test_reasons_may_change_for_ever() -> None:
    """A policy may put a measured number into its reason: there is no end to different ones."""
    judged = Judged(1000)
    for turn in range(40):
        statuses = (SUCCESS, *(unschedulable(f"load {turn}.{row}") for row in range(1000)))
        judged.put(ALL, Verdicts(np.arange(1, 1001, dtype=np.int16), statuses))
        assert judged.statuses[judged.codes[7]].message == f"load {turn}.7"


# ---- scores


def test_one_score_for_all_rows_stays_one_number() -> None:
    rated = Rated(3)
    rated.put(ALL, 7)
    rated.put(rows(1), 7)
    assert rated.raw == 7
    rated.put(rows(1, 2), np.array([8, 9]))
    assert np.asarray(rated.raw).tolist() == [7, 8, 9]
    rated.put(rows(0), 5)
    assert np.asarray(rated.raw).tolist() == [5, 8, 9]


@pytest.mark.parametrize(("first", "grown"), [(np.array([1, 2]), [1, 2, 5]), (4, [4, 4, 5])])
def test_scores_grow_with_the_view(first: np.ndarray | int, grown: list[int]) -> None:
    rated = Rated(2)
    rated.put(ALL, first)
    rated.extend(3)
    rated.put(rows(2), np.array([5]))
    assert np.asarray(rated.raw).tolist() == grown


# ---- what is kept


def answer(nbytes: int) -> Rated:
    rated = Rated(0)
    rated.raw = np.zeros(nbytes // 16, dtype=np.int64)
    return rated


def keep(memory: Memory[Rated], *keys: str, nbytes: int = 160) -> None:
    for key in keys:
        memory.offer(key, answer(nbytes))
        memory.offer(key, answer(nbytes))


def kept(memory: Memory[Rated], *keys: str) -> list[str]:
    return [key for key in keys if memory.get(key) is not None]


def test_an_answer_is_kept_from_the_second_sight_of_its_key() -> None:
    memory: Memory[Rated] = Memory()
    memory.offer("a", answer(8))
    assert memory.get("a") is None
    second = answer(8)
    memory.offer("a", second)
    assert memory.get("a") is second
    assert (memory.hits, memory.misses) == (1, 1)


def test_the_least_recently_used_answer_goes_first() -> None:
    memory: Memory[Rated] = Memory(limit=500)
    keep(memory, "a", "b", "c")
    memory.get("a")
    keep(memory, "d")
    assert kept(memory, "a", "b", "c", "d") == ["a", "c", "d"]


def test_an_answer_larger_than_the_limit_is_kept_alone() -> None:
    memory: Memory[Rated] = Memory(limit=500)
    keep(memory, "a", "b")
    keep(memory, "huge", nbytes=1600)
    assert (kept(memory, "a", "b", "huge"), len(memory)) == (["huge"], 1)
    keep(memory, "small")
    assert kept(memory, "huge", "small") == ["small"]


def test_keys_seen_once_are_forgotten_when_there_are_too_many() -> None:
    memory: Memory[Rated] = Memory(noted=10)
    for number in range(11):
        memory.offer(f"once {number}", answer(8))
    memory.offer("once 0", answer(8))
    memory.offer("once 10", answer(8))
    assert kept(memory, "once 0", "once 10") == ["once 10"]


def test_clearing_forgets_everything() -> None:
    memory: Memory[Rated] = Memory()
    keep(memory, "a")
    memory.clear()
    assert (len(memory), memory.nbytes, memory.get("a")) == (0, 0, None)
    memory.offer("a", answer(8))
    assert memory.get("a") is None
