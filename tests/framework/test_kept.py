import numpy as np

from roost.cache import Cache
from roost.framework.kept import Kept
from roost.framework.resources import Int64
from roost.testing import node, pod


class Made:
    """Counts how often something is worked out."""

    def __init__(self, size: int = 1) -> None:
        self.times = 0
        self._size = size

    def __call__(self) -> Int64:
        self.times += 1
        return np.zeros(self._size, dtype=np.int64)


def cache_of(*names: str) -> Cache:
    cache = Cache()
    for name in names:
        cache.set_node(node(name))
    return cache


def test_a_value_is_worked_out_once_until_a_node_changes() -> None:
    kept, made, cache = Kept[Int64](1000), Made(), cache_of("a")
    first = kept.get(cache.view, "key", made)
    cache.set_pod(pod(node_name="a"))
    assert kept.get(cache.view, "key", made) is first
    cache.set_node(node("a", labels={"zone": "z"}))
    assert kept.get(cache.view, "key", made) is not first
    cache.set_node(node("b"))
    kept.get(cache.view, "key", made)
    cache.remove_node("b")
    kept.get(cache.view, "key", made)
    assert made.times == 4


def test_another_view_has_values_of_its_own() -> None:
    kept, made = Kept[Int64](1000), Made()
    one, other = cache_of("a"), cache_of("a")
    assert kept.get(one.view, "key", made) is not kept.get(other.view, "key", made)


def test_what_was_used_longest_ago_goes_first() -> None:
    kept, cache, made = Kept[Int64](3 * 8), cache_of("a"), {key: Made() for key in "abcd"}
    for key in "abcaad":
        kept.get(cache.view, key, made[key])
    for key in "acd":
        kept.get(cache.view, key, made[key])
    assert {key: one.times for key, one in made.items()} == {"a": 1, "b": 1, "c": 1, "d": 1}
    kept.get(cache.view, "b", made["b"])
    assert made["b"].times == 2


def test_a_value_beyond_the_limit_is_still_given() -> None:
    kept, cache, large = Kept[Int64](8), cache_of("a"), Made(100)
    assert len(kept.get(cache.view, "large", large)) == 100
    small = Made()
    kept.get(cache.view, "small", small)
    kept.get(cache.view, "small", small)
    assert small.times == 1
