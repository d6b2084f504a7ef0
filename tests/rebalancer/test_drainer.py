"""Draining on the embedded cluster, in virtual time."""

import asyncio
from typing import Any

import pytest
from tests.rebalancer.embedded import EPOCH, World, standing_in
from tests.scheduler.virtual_time import in_virtual_time

from roost.analysis.node_pools import TO_BE_DELETED
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import NODE, POD, POD_DISRUPTION_BUDGET
from roost.apiserver.standins.run import all_standins
from roost.apiserver.store import DeleteOptions, Store
from roost.errors import ApiError, Conflict, Forbidden, OutcomeUnknown, Unreachable
from roost.rebalancer.drainer import Drained, Drainer, DrainLimits
from roost.rebalancer.events import Events


@in_virtual_time
async def test_a_node_is_marked_emptied_and_unmarked() -> None:
    world = World()
    for name in ("web-1", "web-2"):
        world.add_pod(name)
    async with standing_in(world):
        await world.settled()
        marks = []
        world.store.listen(lambda change: marks.append(world.taints()) if change.item.name == "d" else None)
        assert await world.round() == Drained("d", 2)
    assert world.pods() == {}
    assert marks == [[TO_BE_DELETED], []]
    assert world.events() == [
        ("d", "Rescheduler", "marked the node as draining/unschedulable"),
        ("web-1", "Rescheduler", "deleting pod from on-demand node"),
        ("web-2", "Rescheduler", "deleting pod from on-demand node"),
        ("d", "Rescheduler", "marked the node as drained/schedulable"),
    ]
    assert world.metrics.drains == {("Success", "d"): 1}
    assert world.metrics.evicted == 2


@in_virtual_time
async def test_the_taints_of_others_stay_as_they_are() -> None:
    world = World()
    other = {"key": "maintenance", "value": "soon", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    world.add_node("e", taints=[other])
    world.add_pod("web", "e", tolerations=[{"operator": "Exists"}])
    world.store.delete(NODE, "d")
    async with standing_in(world):
        await world.settled()
        assert await world.round() == Drained("e", 1)
    assert world.store.get(NODE, "e").object["spec"]["taints"] == [other]


@in_virtual_time
async def test_the_pods_of_a_budget_go_only_as_far_as_it_allows() -> None:
    world = World()
    for name in ("web-1", "web-2"):
        world.add_pod(name)
    world.add_budget(1)
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        assert plan.drain is None
        assert plan.refusals[0].why == ("default/web-2 is one too many: its disruption budget web allows 1 at a time")


@in_virtual_time
async def test_an_eviction_that_is_refused_for_now_is_asked_for_again() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        world.add_budget(1)
        await asyncio.sleep(1)
        draining = asyncio.create_task(world.rebalancer.act(plan))
        await asyncio.sleep(25)
        assert world.pods() == {"web": "d"}
        assert world.taints() == [TO_BE_DELETED]
        world.store.delete(POD_DISRUPTION_BUDGET, "web", "default")
        assert await draining == Drained("d", 1)
    assert world.pods() == {}


@in_virtual_time
async def test_x4_a_timeout_takes_the_mark_away_and_counts_as_a_failure() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        world.add_budget(1)
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        drained = await world.rebalancer.act(plan)
        assert 110 <= asyncio.get_running_loop().time() - began <= 120
    assert drained == Drained(
        "d", 0, "default/web was not evicted: Cannot evict pod as it would violate the pod's disruption budget."
    )
    assert world.pods() == {"web": "d"}
    assert world.taints() == []
    assert world.metrics.drains == {("Failure", "d"): 1}
    assert world.events()[1:] == [
        ("web", "Rescheduler", "deleting pod from on-demand node"),
        ("web", "ReschedulerFailed", "failed to delete pod from on-demand node"),
        ("d", "ReschedulerFailed", "failed to drain the node, aborting drain."),
    ]


@in_virtual_time
async def test_x4_a_pod_that_does_not_end_is_a_failure_too() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
    no_kubelet = [one for one in all_standins() if type(one).__name__ not in ("Kubelet", "PodCollector")]
    async with standing_in(world, no_kubelet):
        drained = await world.round()
    assert drained == Drained("d", 1, "1 pod(s) did not end within 125 s: default/web")
    assert world.taints() == []
    assert world.metrics.drains == {("Failure", "d"): 1}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(600, 120, id="a pod that asks for more gets the most"),
        pytest.param(5, 5, id="a pod that asks for less keeps it"),
        pytest.param(None, 30, id="a pod that says nothing has the default"),
    ],
)
def test_a_pod_gets_no_more_time_to_end_than_allowed(own: int | None, expected: int) -> None:
    @in_virtual_time
    async def run() -> None:
        world = World()
        world.add_pod("web", **({} if own is None else {"terminationGracePeriodSeconds": own}))
        async with standing_in(world):
            await world.settled()
            given = []
            world.store.listen(lambda change: given.append(change.item.metadata.get("deletionGracePeriodSeconds")))
            await world.round()
        assert expected in given
        assert set(given) <= {None, 0, expected}

    run()


class Troubled(InProcessCluster):
    """Raises the errors it is given, one for each eviction or patch, before it works."""

    def __init__(self, store: Store, **errors: list[ApiError]) -> None:
        super().__init__(store)
        self._errors = errors

    async def evict(self, namespace: str, name: str, uid: str = "", *, grace_seconds: int | None = None) -> None:
        self._fail("evict")
        await super().evict(namespace, name, uid, grace_seconds=grace_seconds)

    async def patch(self, *arguments: Any, **how: Any) -> Any:
        self._fail("patch")
        return await super().patch(*arguments, **how)

    def _fail(self, verb: str) -> None:
        if self._errors.get(verb):
            raise self._errors[verb].pop(0)


def troubled(world: World, **errors: list[ApiError]) -> Drainer:
    cluster = Troubled(world.store, **errors)
    events = Events(cluster, host="h", wall=lambda: EPOCH)
    return Drainer(cluster, limits=DrainLimits(), events=events, metrics=world.metrics, wall=lambda: EPOCH)


@pytest.mark.parametrize(
    ("errors", "problem"),
    [
        pytest.param({"evict": [Unreachable("no route")]}, "", id="a server that is away for a moment"),
        pytest.param({"evict": [OutcomeUnknown("cut")]}, "", id="an eviction without an answer is repeated"),
        pytest.param({"patch": [Conflict("changed")] * 3}, "", id="a node that others change meanwhile"),
        pytest.param(
            {"evict": [Forbidden("403: no")]}, "default/web was not evicted: 403: no", id="no right to evict ends it"
        ),
        pytest.param({"patch": [Forbidden("403: no")]}, "403: no", id="no right to mark the node ends it before"),
    ],
)
def test_trouble_with_the_api_server(errors: dict[str, list[ApiError]], problem: str) -> None:
    @in_virtual_time
    async def run() -> None:
        world = World()
        world.add_pod("web")
        async with standing_in(world):
            await world.settled()
            plan = await world.rebalancer.look()
            assert plan.drain is not None
            drained = await troubled(world, **errors).drain(plan.drain)
        assert drained.problem == problem
        assert world.taints() == []
        assert world.pods() == ({"web": "d"} if problem else {})

    run()


@in_virtual_time
async def test_a_taint_that_comes_at_the_same_moment_is_not_lost() -> None:
    world = World()
    world.add_pod("web")
    theirs = {"key": "maintenance", "value": "now", "effect": "NoExecute"}
    came = []

    async def interfere(verb: str, plural: str) -> None:
        if (verb, plural) == ("patch", "nodes") and not came:
            came.append(theirs)
            world.store.modify(NODE, "d", lambda obj: obj["spec"].update(taints=came))

    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        world.cluster.on_request = interfere
        assert await world.rebalancer.act(plan) == Drained("d", 1)
    assert world.store.get(NODE, "d").object["spec"]["taints"] == [theirs]


@in_virtual_time
async def test_a_pod_that_is_gone_or_another_by_now_is_left_alone() -> None:
    world = World()
    for name in ("gone", "again"):
        world.add_pod(name)
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        for name in ("gone", "again"):
            world.store.delete(POD, name, "default", DeleteOptions(grace_seconds=0))
        world.add_pod("again")
        assert await world.rebalancer.act(plan) == Drained("d", 0)
    assert world.pods() == {"again": "d"}


@in_virtual_time
async def test_a_node_that_somebody_else_drains_is_left_to_them() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        theirs = {"key": TO_BE_DELETED, "value": "1", "effect": "NoSchedule"}
        world.store.modify(NODE, "d", lambda obj: obj["spec"].update(taints=[theirs]))
        drained = await world.rebalancer.act(plan)
    assert drained is not None
    assert drained.problem == f"d has the taint {TO_BE_DELETED}: somebody else is draining or removing it"
    assert world.store.get(NODE, "d").object["spec"]["taints"] == [theirs]
    assert world.pods() == {"web": "d"}


@in_virtual_time
async def test_a_drain_that_is_broken_off_takes_its_mark_away() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        plan = await world.rebalancer.look()
        world.add_budget(1)
        await asyncio.sleep(1)
        draining = asyncio.create_task(world.rebalancer.act(plan))
        await asyncio.sleep(5)
        assert world.taints() == [TO_BE_DELETED]
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
    assert world.taints() == []
