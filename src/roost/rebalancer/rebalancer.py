"""Rounds of looking and draining: at most one node a round, and a pause after each drain.

look (list nodes, pods, budgets) ─► plan ─► nothing to do ──► look again after `every`
                                      └──► drain, if asked to ─► rest for `drain_delay`, also after a failure
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from msgspec import Struct

from roost.analysis.spot_plan import Inventory, Plan, PlanRules, plan_drain
from roost.api.draining import DISRUPTION_BUDGET, DRAIN_NODE, DRAIN_POD
from roost.errors import ApiError
from roost.framework.cluster import Cluster, Malformed
from roost.framework.profile import Profile
from roost.rebalancer.drainer import Drained, Drainer
from roost.rebalancer.metrics import Metrics

logger = logging.getLogger("roost.rebalancer")

OnPlan = Callable[[Plan], None]


class Rhythm(Struct, frozen=True, kw_only=True):
    """How often to look, and how long to rest after a drain, in seconds."""

    every: float = 10.0
    drain_delay: float = 600.0


class SpotRebalancer:
    """Plans from what it lists; drains only if it is given a drainer."""

    def __init__(
        self, cluster: Cluster, rules: PlanRules, profile: Profile, metrics: Metrics, *, drainer: Drainer | None = None
    ) -> None:
        self.in_sync = False
        self._cluster = cluster
        self._rules = rules
        self._profile = profile
        self._metrics = metrics
        self._drainer = drainer

    async def look(self) -> Plan:
        """List the cluster and return the plan; raises ApiError."""
        nodes, pods, budgets = await asyncio.gather(
            self._cluster.list(DRAIN_NODE), self._cluster.list(DRAIN_POD), self._cluster.list(DISRUPTION_BUDGET)
        )
        for one in nodes.malformed:
            logger.warning("a node is left out of account: %s", one.problem)
        inventory = Inventory(
            nodes=nodes.items,
            pods=pods.items,
            budgets=budgets.items,
            unreadable=[*_sentences(pods.malformed), *_sentences(budgets.malformed)],
        )
        plan = plan_drain(inventory, self._rules, self._profile)
        self._metrics.nodes = plan.nodes
        self.in_sync = True
        return plan

    async def act(self, plan: Plan) -> Drained | None:
        """Drain the node of a plan; None if there is none, or nothing is to be changed."""
        if plan.drain is None or self._drainer is None:
            return None
        logger.info("draining %s: %d pod(s)", plan.drain.node, len(plan.drain.moves))
        drained = await self._drainer.drain(plan.drain)
        if drained.succeeded:
            logger.info("drained %s: %d pod(s) evicted", drained.node, drained.evicted)
        else:
            logger.error("%s is not drained: %s", drained.node, drained.problem)
        return drained

    async def run(self, rhythm: Rhythm, on_plan: OnPlan) -> None:
        """Look and act until cancelled; an API server that does not answer is asked again at the next round."""
        while True:
            pause = rhythm.every
            try:
                plan = await self.look()
                on_plan(plan)
                if await self.act(plan) is not None:
                    pause = max(pause, rhythm.drain_delay)
            except ApiError as error:
                logger.warning("this round was for nothing: %s", error)
            await asyncio.sleep(pause)


def _sentences(malformed: Sequence[Malformed]) -> list[str]:
    return [one.problem for one in malformed]
