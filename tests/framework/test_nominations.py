"""Nodes that are promised to pods: others leave room there, and the pod itself goes there if it can."""

from typing import Any

import pytest

from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.asking import FilterQuestion, decide_asking
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.extenders import Extender, Kept
from roost.framework.plugin import Context
from roost.testing import node, pod

HOSTNAME = "kubernetes.io/hostname"


def cluster(*promised: tuple[Pod, str], cpu: int = 2) -> Cache:
    """Return a cluster of nodes a and b with nodes promised to pods."""
    cache = Cache()
    for name in "ab":
        cache.set_node(node(name, cpu=cpu, labels={HOSTNAME: name}))
    for one, name in promised:
        cache.view.nominations.set(cache.pod_info(one), name)
    return cache


def waiting(name: str = "waiting", *, cpu: str = "2", priority: int = 5, **fields: Any) -> Pod:
    return pod(name, cpu=cpu, priority=priority, **fields)


def decided(cache: Cache, one: Pod) -> Decision:
    return Cycle(default_profile()).decide(cache.pod_info(one), cache.view, Context())


WHO = [
    pytest.param(pod(cpu=1, priority=4), "b", id="a pod of lower priority leaves room"),
    pytest.param(pod(cpu=1, priority=5), "b", id="and one of the same"),
    pytest.param(pod(cpu=1, priority=6), "a", id="but not one of higher priority"),
    pytest.param(pod("waiting", cpu=1, priority=5), "a", id="nor the pod itself"),
]


@pytest.mark.parametrize(("one", "expected"), WHO)
def test_who_leaves_room(one: Pod, expected: str) -> None:
    assert decided(cluster((waiting(), "a")), one).node == expected


def test_a_node_that_only_has_room_without_the_others_fails_with_their_reasons() -> None:
    decision = decided(cluster((waiting(), "a"), (waiting("too", host_ports=[80]), "b")), pod(cpu=1, host_ports=[80]))
    verdicts = {name: (v.status.plugin, v.status.reasons) for name, v in decision.freeze().verdicts.items()}
    assert verdicts == {
        "a": ("NodeResourcesFit", ("Insufficient cpu",)),
        "b": ("NodePorts", ("node(s) didn't have free ports for the requested pod ports",)),
    }


def test_who_needs_the_others_there_does_not_count_on_them() -> None:
    near = [{"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": "db"}}}]
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": near}}
    cache = cluster((waiting(cpu="1", labels={"app": "db"}), "a"))
    cache.set_pod(pod("db", cpu="100m", node_name="b", labels={"app": "db"}))
    decision = decided(cache, pod(cpu="500m", spec={"affinity": affinity}))
    assert decision.node == "b"
    assert decision.freeze().verdicts["a"].status.reasons == ("node(s) didn't match pod affinity rules",)


def test_a_promise_to_a_node_that_is_not_there_does_not_matter() -> None:
    assert decided(cluster((waiting(), "gone")), pod(cpu=1)).node == "a"


def test_a_promise_that_is_taken_back_does_not_matter() -> None:
    cache = cluster((waiting(), "a"))
    assert cache.view.nominations.set(cache.pod_info(waiting()), "")
    assert decided(cache, pod(cpu=1)).node == "a"
    assert len(cache.view.nominations) == 0


def test_pods_that_look_alike_leave_room_too() -> None:
    cache, cycle = cluster((waiting(), "a")), Cycle(default_profile())
    placed = []
    for decision in cycle.decide_run([cache.pod_info(pod(f"p{i}", cpu=1)) for i in range(3)], cache.view, Context()):
        placed.append(decision.node)
        if decision.node is not None:
            cache.assume(decision.pod, decision.node)
    assert placed == ["b", "b", None]


def test_room_is_asked_for_when_a_node_has_changed() -> None:
    cache, cycle = cluster((waiting(), "a")), Cycle(default_profile())
    info = cache.pod_info(pod(cpu=1))
    assert [cycle.fits(info, cache.view, Context(), slot) for slot in (0, 1)] == [False, True]


# ---- the pod's own promise

PROMISED = {"nominatedNodeName": "b"}


def test_the_node_promised_to_a_pod_is_taken_whatever_the_scores() -> None:
    decision = decided(cluster(), pod(cpu=1, status=PROMISED))
    assert (decision.node, [one.node for one in decision.top]) == ("b", ["b"])


def test_if_it_does_not_fit_there_the_best_other_node_is_taken() -> None:
    cache = cluster()
    cache.set_pod(pod("full", cpu=2, node_name="b"))
    assert decided(cache, pod(cpu=1, status=PROMISED)).node == "a"


def test_extenders_are_asked_about_that_node_alone_first() -> None:
    cache = cluster()
    one = Extender(url="http://x", filter_verb="filter", prioritize_verb="score")
    info = cache.pod_info(pod(cpu=1, status=PROMISED))
    asking = decide_asking(Cycle(default_profile()), info, cache.view, Context(), [one])
    question = next(asking)
    assert isinstance(question, FilterQuestion)
    assert question.names == ["b"]
    with pytest.raises(StopIteration) as end:
        asking.send(Kept(frozenset("b")))
    assert end.value.value.node == "b"


def test_if_an_extender_does_not_keep_it_all_nodes_are_asked_about() -> None:
    cache = cluster()
    one = Extender(url="http://x", filter_verb="filter")
    info = cache.pod_info(pod(cpu=1, status=PROMISED))
    asking = decide_asking(Cycle(default_profile()), info, cache.view, Context(), [one])
    next(asking)
    question = asking.send(Kept(frozenset()))
    assert isinstance(question, FilterQuestion)
    assert question.names == ["a", "b"]
    with pytest.raises(StopIteration) as end:
        asking.send(Kept(frozenset("a")))
    assert end.value.value.node == "a"
