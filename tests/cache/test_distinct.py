from hypothesis import given
from hypothesis import strategies as st

from roost.cache.distinct import NOTHING, DistinctValues

VALUES = st.sampled_from(["", "a", "b", "c"])


def test_equal_values_share_an_id_and_what_is_nothing_has_the_first() -> None:
    distinct = DistinctValues("")
    assert [distinct.take(value) for value in ("a", "", "a", "b")] == [1, NOTHING, 1, 2]
    assert distinct.values == ["", "a", "b"]


def test_an_id_that_nobody_has_any_more_is_given_away_again() -> None:
    distinct = DistinctValues("")
    distinct.give_back(distinct.take("a"))
    assert distinct.values == ["", ""]
    assert distinct.take("b") == 1


@given(st.lists(VALUES, max_size=30))
def test_ids_always_lead_back_to_their_values(values: list[str]) -> None:
    distinct = DistinctValues("")
    held: list[tuple[int, str]] = []
    for value in values:
        held.append((distinct.take(value), value))
        if len(held) > 3:
            distinct.give_back(held.pop(0)[0])
        assert all(distinct.values[id_] == value for id_, value in held)
    assert len(distinct.values) <= 6
