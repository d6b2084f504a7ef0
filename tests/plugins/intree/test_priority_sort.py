from roost.plugins.intree.priority_sort import PrioritySort
from roost.testing import pod


def order(*waiting: tuple[str, int | None, float]) -> list[str]:
    """Return names in the order in which (name, priority, arrival) are scheduled."""
    plugin = PrioritySort()
    keys = {name: plugin.queue_sort(pod(name, priority=priority), arrival) for name, priority, arrival in waiting}
    return sorted(keys, key=lambda name: keys[name])


def test_higher_priority_goes_first_though_it_came_later() -> None:
    assert order(("low", 1, 0.0), ("high", 1000, 9.0)) == ["high", "low"]


def test_among_equals_the_earlier_goes_first() -> None:
    assert order(("late", 5, 2.5), ("early", 5, 2.25)) == ["early", "late"]


def test_no_priority_is_priority_zero() -> None:
    assert order(("negative", -1, 0.0), ("zero", 0, 2.0), ("none", None, 1.0)) == ["none", "zero", "negative"]


def test_the_highest_priority_of_kubernetes_goes_before_all() -> None:
    assert order(("user", 1_000_000_000, 0.0), ("node-critical", 2_000_001_000, 1.0)) == ["node-critical", "user"]
