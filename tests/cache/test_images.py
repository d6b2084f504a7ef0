from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.api.node import ContainerImage, Node, NodeStatus
from roost.cache.images import Images
from roost.testing import node

CAPACITY = 4


def holding(**images: int) -> Node:
    return node(images=images)


def filled(**images_by_slot: dict[str, int]) -> Images:
    images = Images(CAPACITY)
    for slot, held in images_by_slot.items():
        images.add(int(slot.removeprefix("s")), holding(**held))
    return images


def present(images: Images, name: str, size: int = CAPACITY) -> list[bool]:
    column = images.column(name, size)
    assert column is not None
    return column.present.tolist()


def test_an_image_that_is_nowhere_has_no_column() -> None:
    assert filled(s0={"app": 5}).column("web", CAPACITY) is None


def test_a_column_says_where_an_image_is_how_large_and_on_how_many_nodes() -> None:
    images = filled(s0={"app": 5}, s2={"app": 5, "web": 7})
    column = images.column("app", CAPACITY)
    assert column is not None
    assert (column.present.tolist(), column.size, column.num_nodes) == ([True, False, True, False], 5, 2)


def test_a_known_column_follows_nodes_that_come_and_go() -> None:
    images = filled(s0={"app": 5}, s2={"app": 5})
    present(images, "app")
    images.add(1, holding(app=5))
    images.remove(2, holding(app=5))
    assert present(images, "app") == [True, True, False, False]


def test_the_size_is_that_of_the_node_where_the_image_was_seen_first() -> None:
    images = filled(s0={"app": 5}, s1={"app": 6})
    column = images.column("app", CAPACITY)
    assert column is not None
    assert column.size == 5


def test_the_last_node_takes_the_image_with_it() -> None:
    images = filled(s0={"app": 5})
    present(images, "app")
    images.remove(0, holding(app=5))
    assert images.column("app", CAPACITY) is None
    images.add(3, holding(app=9))
    column = images.column("app", CAPACITY)
    assert column is not None
    assert (column.size, column.num_nodes) == (9, 1)
    assert present(images, "app") == [False, False, False, True]


def test_an_image_is_found_by_each_of_its_names() -> None:
    held = ContainerImage(names=("app@sha256:ab", "app:1"), size_bytes=5)
    images = Images(CAPACITY)
    images.add(1, replace(node(), status=NodeStatus(images=(held, ContainerImage(names=None, size_bytes=3)))))
    assert present(images, "app:1") == present(images, "app@sha256:ab") == [False, True, False, False]


def test_growing_keeps_where_images_are() -> None:
    images = filled(s0={"app": 5}, s3={"web": 7})
    present(images, "app")
    images.grow(2 * CAPACITY)
    images.add(7, holding(app=5))
    assert present(images, "app", 8) == [True, False, False, False, False, False, False, True]
    assert present(images, "web", 8) == [False, False, False, True, False, False, False, False]


def test_removing_what_was_never_there_is_no_error() -> None:
    images = filled(s0={"app": 5})
    images.remove(1, holding(web=5))
    images.remove(1, holding(app=5))
    assert present(images, "app") == [True, False, False, False]


NODES = st.dictionaries(st.sampled_from(["app", "web", "db"]), st.just(5), max_size=3)
STEPS = st.lists(st.tuples(st.integers(0, 11), st.one_of(st.none(), NODES)), max_size=30)


@given(STEPS, st.integers(0, 3), st.booleans())
def test_however_many_nodes_hold_an_image_its_column_is_a_recount(
    steps: list[tuple[int, dict[str, int] | None]], sparse: int, looks: bool
) -> None:
    """Beyond `sparse` nodes an image is kept as bits; slots from the fifth on need the columns to grow."""
    images, held, capacity = Images(CAPACITY, sparse), dict[int, dict[str, int]](), CAPACITY
    for slot, comes in steps:
        while slot >= capacity:
            capacity *= 2
            images.grow(capacity)
        images.remove(slot, holding(**held.pop(slot, {})))
        if comes is not None:
            held[slot] = comes
            images.add(slot, holding(**comes))
        for name in ("app", "web", "db") if looks else ():
            images.column(name, capacity)
    for name in ("app", "web", "db"):
        column, slots = images.column(name, capacity), [slot for slot, names in sorted(held.items()) if name in names]
        assert (column is None) == (not slots)
        if column is not None:
            assert (column.present.nonzero()[0].tolist(), column.num_nodes) == (slots, len(slots))
