"""What a driver asks a cycle between decisions: whether one node would do now, and which pods look alike."""

from typing import Any

import pytest

from roost.api.node import Node
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.view import Rows, View
from roost.testing import node, pod

ABC = [node(name) for name in "abc"]


class Failing(Plugin):
    name = "Failing"

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        raise RuntimeError("out of order")


def cache_of(nodes: list[Node]) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    return cache


# ---- one node


def test_fits_asks_the_filters_about_one_node_as_it_is_now() -> None:
    cache = cache_of([node("a", cpu=1), node("b", cpu=4)])
    cycle, info = Cycle(default_profile()), cache.pod_info(pod(cpu=2))
    assert [cycle.fits(info, cache.view, Context(), slot) for slot in (0, 1)] == [False, True]
    cache.set_pod(pod("busy", cpu=3, node_name="b"))
    assert not cycle.fits(info, cache.view, Context(), 1)
    cache.remove_node("b")
    assert not cycle.fits(info, cache.view, Context(), 1)


def test_a_filter_that_fails_gets_the_benefit_of_the_doubt() -> None:
    cache = cache_of(ABC)
    assert Cycle(Profile.of([Failing()])).fits(cache.pod_info(pod()), cache.view, Context(), 0)


# ---- which pods look alike


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        pytest.param(
            pod("other", uid="u", metadata={"annotations": {"a": "b"}}), True, id="what no plugin of the profile reads"
        ),
        pytest.param(pod(priority=9), False, id="the priority, by which pods leave room for others"),
        pytest.param(pod(labels={"app": "web"}), False, id="a label, by which pods are spread"),
        pytest.param(pod(cpu="1000m"), False, id="a request"),
        pytest.param(pod(tolerations=[{"operator": "Exists"}]), False, id="a toleration"),
        pytest.param(pod(image="other"), False, id="an image"),
        pytest.param(pod(node_selector={"zone": "a"}), False, id="a selector"),
    ],
)
def test_pods_have_one_signature_if_no_plugin_can_tell_them_apart(other: Any, alike: bool) -> None:
    cache, cycle = Cache(), Cycle(default_profile())
    one = cycle.signature(cache.pod_info(pod()))
    assert (cycle.signature(cache.pod_info(other)) == one) is alike
