from collections.abc import Sequence

import pytest

from roost.framework.journal import _KEPT, Journal

NODE = ("node",)
USAGE = ("usage",)
BOTH = ("node", "usage")


def stamped(*stamps: tuple[str, int]) -> Journal:
    journal = Journal()
    for aspect, slot in stamps:
        journal.stamp(aspect, slot)
    return journal


def test_nothing_has_changed_since_now() -> None:
    journal = stamped(("node", 1), ("usage", 2))
    assert journal.since(BOTH, journal.marks(BOTH)) == set()


@pytest.mark.parametrize(
    ("aspects", "changed"),
    [
        pytest.param(NODE, {1, 2}, id="readers of nodes"),
        pytest.param(USAGE, {2, 3}, id="readers of usage"),
        pytest.param(BOTH, {1, 2, 3}, id="readers of both"),
        pytest.param((), set(), id="readers of nothing"),
    ],
)
def test_a_reader_is_told_of_the_slots_that_changed_in_what_it_reads(aspects: Sequence[str], changed: set[int]) -> None:
    journal = stamped(("node", 9), ("usage", 9))
    marks = journal.marks(aspects)
    for aspect, slot in (("node", 1), ("usage", 2), ("node", 2), ("usage", 3), ("usage", 3)):
        journal.stamp(aspect, slot)
    assert journal.since(aspects, marks) == changed


def test_an_epoch_that_moves_may_alter_every_slot_for_its_readers_alone() -> None:
    journal = Journal()
    readers, others = ("images", "node"), ("node", "storage")
    before = journal.marks(readers), journal.marks(others)
    journal.bump("images")
    assert journal.since(readers, before[0]) is None
    assert journal.since(others, before[1]) == set()
    assert journal.since(readers, journal.marks(readers)) == set()


def test_an_answer_older_than_the_log_is_to_be_computed_anew() -> None:
    journal = Journal()
    old = journal.marks(NODE)
    for number in range(_KEPT):
        journal.stamp("node", number % 7)
    middle = journal.marks(NODE)
    for number in range(_KEPT + 1):
        journal.stamp("node", 100 + number % 7)
    assert journal.since(NODE, old) is None
    assert journal.since(NODE, middle) == set(range(100, 107))
    assert journal.since(NODE, journal.marks(NODE)) == set()


def test_marks_go_on_growing_when_the_log_is_cut() -> None:
    journal = Journal()
    for _ in range(2 * _KEPT + 5):
        journal.stamp("usage", 1)
    assert journal.mark("usage") == 2 * _KEPT + 5
    marks = journal.marks(USAGE)
    journal.stamp("usage", 3)
    assert journal.since(USAGE, marks) == {3}


def test_the_version_counts_every_change_and_the_last_stamp_is_known() -> None:
    journal = stamped(("node", 1), ("usage", 2), ("node", 3))
    journal.bump("images")
    assert journal.version == 4
    assert (journal.last("node"), journal.last("usage")) == (3, 2)
