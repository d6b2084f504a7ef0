"""Policies of the simple form are asked once per node, as long as nothing that they read has changed."""

from typing import Any

from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.simple import lift
from roost.testing import node, pod

AB = [node("a"), node("b")]


def counting(**fields: Any) -> tuple[type, list[str]]:
    asked: list[str] = []

    def score(self: object, pod: Any, node: Any) -> float:
        asked.append(f"{pod.name} {node.name}")
        return 0

    return type("Counting", (), {"score": score, **fields}), asked


def run(policy: type, *names: str) -> None:
    cache = Cache()
    for one in AB:
        cache.set_node(one)
    cycle = Cycle(Profile.of([lift(policy)()]))
    for name in names:
        cycle.decide(cache.pod_info(pod(name)), cache.view, Context())


def test_pods_that_differ_in_name_alone_are_scored_once_they_are_known() -> None:
    policy, asked = counting()
    run(policy, "p1", "p2", "p3", "p4")
    assert asked == ["p1 a", "p1 b", "p2 a", "p2 b"]


def test_a_policy_that_is_not_to_be_remembered_is_asked_for_every_pod() -> None:
    policy, asked = counting(remember=False)
    run(policy, "p1", "p2", "p3", "p4")
    assert asked == [f"{name} {on}" for name in ("p1", "p2", "p3", "p4") for on in "ab"]


def test_a_policy_that_is_not_to_be_remembered_may_say_so_in_its_constructor() -> None:
    policy, asked = counting(__init__=lambda self: setattr(self, "remember", False))
    run(policy, "p1", "p2", "p3")
    assert len(asked) == 6
