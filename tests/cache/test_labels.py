from collections.abc import Sequence

from roost.api.node import Node
from roost.cache.labels import ABSENT, Labels
from roost.testing import node


def values(labels: Labels, nodes: Sequence[Node | None], key: str = "zone") -> list[str | None]:
    column = labels.column(key, nodes, len(nodes))
    return [None if index == ABSENT else column.values[index] for index in column.ids.tolist()]


def zoned(name: str, zone: str) -> Node:
    return node(name, labels={"zone": zone})


NODES = [zoned("a", "east"), None, zoned("b", "west"), node("c"), zoned("d", "east")]


def test_a_column_shows_the_value_of_every_node() -> None:
    assert values(Labels(8), NODES) == ["east", None, "west", None, "east"]


def test_a_key_that_no_node_has_is_absent_everywhere() -> None:
    assert values(Labels(8), NODES, "rack") == [None] * 5


def test_equal_values_share_an_id_that_the_index_finds() -> None:
    column = Labels(8).column("zone", NODES, 5)
    assert column.ids[0] == column.ids[4] == column.index["east"]
    assert column.ids[2] == column.index["west"] != column.index["east"]


def test_an_empty_value_is_not_an_absent_label() -> None:
    column = Labels(8).column("zone", [zoned("a", ""), node("b")], 2)
    assert column.ids.tolist() == [column.index[""], ABSENT]
    assert column.index[""] != ABSENT


def test_a_known_column_follows_changes_slot_by_slot() -> None:
    labels, nodes = Labels(8), list(NODES)
    values(labels, nodes)
    for slot, changed in ((0, zoned("a", "north")), (2, None), (3, zoned("c", "west")), (1, zoned("e", "east"))):
        nodes[slot] = changed
        labels.set(slot, changed)
    assert values(labels, nodes) == ["north", "east", None, "west", "east"]


def test_a_value_keeps_its_id_while_no_node_has_it() -> None:
    labels = Labels(8)
    before = labels.column("zone", NODES, 5).index["west"]
    labels.set(2, None)
    labels.set(1, zoned("e", "west"))
    column = labels.column("zone", NODES, 5)
    assert column.index["west"] == before == column.ids[1]


def test_growing_keeps_known_columns_and_makes_room() -> None:
    labels = Labels(5)
    values(labels, NODES)
    labels.grow(10)
    labels.set(9, zoned("z", "west"))
    grown = [*NODES, None, None, None, None, zoned("z", "west")]
    assert values(labels, grown) == ["east", None, "west", None, "east", None, None, None, None, "west"]
    assert values(labels, grown, "rack") == [None] * 10
