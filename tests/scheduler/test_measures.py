"""Policies that read what is measured, and policies that learn, in the live loop."""

import asyncio
from typing import Any

import numpy as np
import pytest
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import EPOCH, running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.api.kinds import NODE, POD
from roost.config.profiles import policy_profile
from roost.framework.measure import Measure, read_number
from roost.framework.plugin import Context, Plugin, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View
from roost.testing import node, pod

HEAT = Measure("heat", read_number, "heat-at")


class Cool(Plugin):
    """Reject nodes that are known to be hot."""

    reads = frozenset({"annotations"})
    pod_reads = ()

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        heat = view.measured(HEAT)
        hot = heat.known & heat.fresh & (heat.values > 50)
        return Verdicts.rejecting(hot[rows], unschedulable("node(s) are hot"))


class Turns(Plugin):
    """Put the n-th pod that was placed on the n-th node: what it has learnt is how many there were."""

    scale = "rank"
    remember = False

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        wanted = self.learn(ctx.learnt.get(self.name), pod, view) % view.num_nodes
        return np.where(view.rank[rows] == wanted, 1, 0)

    def learn(self, learnt: Any, pod: PodInfo, view: View) -> int:
        return 0 if learnt is None else int(learnt) + 1


@in_virtual_time
async def test_a_pod_that_a_measurement_keeps_away_is_bound_when_that_is_too_old_to_count() -> None:
    cluster = FakeCluster()
    now = str(EPOCH + asyncio.get_running_loop().time())
    cluster.add(NODE, node("a", annotations={"heat": "90", "heat-at": now}))
    cluster.add(POD, pod("web"))
    async with running(cluster, [policy_profile([Cool])]):
        await until(lambda: "hot" in str(cluster.condition("default/web").get("message")))
        assert 590 < await until(lambda: cluster.node_of("default/web") == "a", seconds=700) < 620


@in_virtual_time
async def test_a_pod_that_a_measurement_keeps_away_is_bound_when_the_annotation_says_otherwise() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("a", annotations={"heat": "90"}))
    cluster.add(POD, pod("web"))
    async with running(cluster, [policy_profile([Cool])]):
        await until(lambda: "hot" in str(cluster.condition("default/web").get("message")))
        cluster.change(NODE, "a", metadata={"annotations": {"heat": "20"}})
        await until(lambda: cluster.node_of("default/web") == "a", seconds=5)


@in_virtual_time
async def test_an_annotation_that_holds_no_number_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("a", annotations={"heat": "very"}))
    cluster.add(POD, pod("web"))
    async with running(cluster, [policy_profile([Cool])]):
        await until(lambda: cluster.node_of("default/web") == "a")
        await asyncio.sleep(60)
    told = [record.getMessage() for record in caplog.records if "heat" in record.getMessage()]
    assert told == ["node a: the annotation heat is 'very', which is no number: it is passed over"]


@in_virtual_time
async def test_a_policy_learns_from_every_pod_that_is_placed_and_from_no_other() -> None:
    cluster = FakeCluster()
    for name in "abc":
        cluster.add(NODE, node(name))
    cluster.add(POD, pod("too-big", cpu="900"))
    async with running(cluster, [policy_profile([Turns])]):
        for number in range(7):
            cluster.add(POD, pod(f"p{number}"))
            await until(lambda key=f"default/p{number}": bool(cluster.node_of(key)))
        assert [cluster.node_of(f"default/p{number}") for number in range(7)] == list("abcabca")
