import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roost.cache.name_order import FEW, NameOrder

NAMES = st.sampled_from(["a", "a-1", "a.1", "B", "b", "ä", "node-10", "node-9"])
CHANGES = st.lists(st.tuples(NAMES, st.booleans()))


@given(st.lists(CHANGES), st.sampled_from([0, 1, FEW]))
def test_whatever_came_and_went_ranks_are_those_of_sorting_all(batches: list[list[tuple[str, bool]]], few: int) -> None:
    order = NameOrder(few)
    slots: dict[str, int] = {}
    ranks = np.zeros(64, dtype=np.int64)
    for batch in batches:
        for name, comes in batch:
            if comes and name not in slots:
                slots[name] = next(slot for slot in range(64) if slot not in slots.values())
                order.add(name, slots[name])
            elif not comes and slots.pop(name, None) is not None:
                order.remove(name)
        order.write(ranks)
        assert not order.is_stale
        assert sorted(slots, key=lambda name: ranks[slots[name]]) == sorted(slots)
        assert sorted(ranks[list(slots.values())]) == list(range(len(slots)))


def test_ranks_are_stale_until_they_are_written() -> None:
    order = NameOrder()
    assert not order.is_stale
    order.add("a", 0)
    assert order.is_stale
