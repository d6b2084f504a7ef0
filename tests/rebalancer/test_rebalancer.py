"""Rounds of looking and draining on the embedded cluster, in virtual time."""

import asyncio
from collections import Counter

from tests.rebalancer.embedded import SPOT, World, standing_in
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.analysis.evictable import DrainRules
from roost.analysis.spot_plan import PlanRules
from roost.apiserver.resources import DEPLOYMENT
from roost.config.profiles import default_profile
from roost.errors import Unreachable
from roost.rebalancer.rebalancer import Rhythm, SpotRebalancer


@in_virtual_time
async def test_without_hands_nothing_is_changed() -> None:
    world = World()
    world.add_pod("web")
    looking = SpotRebalancer(
        world.cluster, PlanRules(drain=DrainRules(delete_non_replicated=True)), default_profile(), world.metrics
    )
    async with standing_in(world):
        await world.settled()
        version = world.store.version
        plan = await looking.look()
        assert plan.drain is not None
        assert await looking.act(plan) is None
        assert world.store.version == version


@in_virtual_time
async def test_x5_rounds_drain_one_node_and_then_rest() -> None:
    world = World()
    world.add_node("e")
    world.add_pod("web-d", "d", cpu="100m")
    world.add_pod("web-e", "e", cpu="200m")
    plans = []
    clock = asyncio.get_running_loop().time
    async with standing_in(world):
        await world.settled()
        began = clock()
        rounds = asyncio.create_task(world.rebalancer.run(Rhythm(every=10, drain_delay=600), plans.append))
        await until(lambda: world.metrics.drains.total() == 1)
        assert set(world.pods()) == {"web-e"}
        await asyncio.sleep(590)
        assert set(world.pods()) == {"web-e"}
        await until(lambda: world.metrics.drains.total() == 2)
        assert clock() - began > 600
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
    assert world.pods() == {}
    assert [plan.drain and plan.drain.node for plan in plans] == ["d", "e"]


@in_virtual_time
async def test_a_round_that_fails_is_not_the_last() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        refused = 0

        async def refuse(verb: str, plural: str) -> None:
            nonlocal refused
            if verb == "list" and refused < 2:
                refused += 1
                raise Unreachable("no route")

        world.cluster.on_request = refuse
        rounds = asyncio.create_task(world.rebalancer.run(Rhythm(every=10), lambda plan: None))
        await until(lambda: world.metrics.drains == {("Success", "d"): 1})
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
    assert refused == 2


@in_virtual_time
async def test_metrics_have_the_names_of_the_original() -> None:
    world = World()
    world.add_pod("web")
    async with standing_in(world):
        await world.settled()
        await world.round()
    text = world.metrics.render().decode()
    for line in (
        'spot_rescheduler_nodes_count{node_type="spot"} 1.0',
        'spot_rescheduler_nodes_count{node_type="on-demand"} 1.0',
        'spot_rescheduler_node_pods_count{node="d",node_type="on-demand"} 1.0',
        'spot_rescheduler_node_pods_count{node="s",node_type="spot"} 0.0',
        'spot_rescheduler_node_drain_total{drain_state="Success",node="d"} 1.0',
        "spot_rescheduler_evicted_pods_total 1.0",
    ):
        assert line in text.replace('{node_type="on-demand",node="d"}', '{node="d",node_type="on-demand"}').replace(
            '{node_type="spot",node="s"}', '{node="s",node_type="spot"}'
        )


@in_virtual_time
async def test_a_whole_walk_from_on_demand_to_spot() -> None:
    """A Deployment's pods are evicted, made again, and bound by the scheduler where the plan said."""
    world = World()
    world.add_node("s2", labels=SPOT)
    template = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": "1"}}}]},
    }
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    world.cordon("s", "s2")
    async with standing_in(world), running(world.cluster, [default_profile("default-scheduler")]):  # type: ignore[arg-type]
        world.store.create(DEPLOYMENT, {"metadata": {"name": "shop"}, "spec": spec}, "default")
        await until(lambda: len(world.pods()) == 3)
        await world.settled()
        assert set(world.pods().values()) == {"d"}
        plan = await world.rebalancer.look()
        assert plan.held.startswith("there is no spot node that can take pods")
        world.uncordon("s", "s2")
        await asyncio.sleep(1)
        plan = await world.rebalancer.look()
        assert plan.drain is not None
        planned = Counter(move.to_node for move in plan.drain.moves)
        drained = await world.rebalancer.act(plan)
        assert drained is not None
        assert drained.succeeded
        await until(lambda: len(world.pods()) == 3 and all(world.pods().values()))
        await world.settled()
        assert Counter(world.pods().values()) == planned
        after = await world.rebalancer.look()
        assert [refusal.why for refusal in after.refusals] == ["there is nothing to move"]
    assert world.taints() == []
