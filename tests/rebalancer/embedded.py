"""An embedded cluster with its kubelet and disruption budgets, and a rebalancer for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.apiserver import building
from tests.scheduler.live import until

from roost.analysis.evictable import DrainRules
from roost.analysis.node_pools import NodePools
from roost.analysis.spot_plan import PlanRules
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import EVENT, NODE, POD, POD_DISRUPTION_BUDGET
from roost.apiserver.standins import run_standins
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store
from roost.config.profiles import default_profile
from roost.rebalancer.drainer import Drained, Drainer, DrainLimits
from roost.rebalancer.events import Events
from roost.rebalancer.metrics import Metrics
from roost.rebalancer.rebalancer import SpotRebalancer

EPOCH = 1_767_225_600.0
SPOT = {"karpenter.sh/capacity-type": "spot"}
RESOURCES = {"cpu": "4", "memory": "16Gi", "pods": "20"}


class World:
    """An embedded cluster with an on-demand node `d`, a spot node `s`, and a rebalancer for it."""

    def __init__(self, limits: DrainLimits = DrainLimits()) -> None:  # noqa: B008 - it is frozen
        clock = asyncio.get_running_loop().time

        def wall() -> float:
            return EPOCH + clock()

        self.store = Store(wall)
        self.cluster = InProcessCluster(self.store)
        self.metrics = Metrics(NodePools())
        self.drainer = Drainer(
            self.cluster,
            limits=limits,
            events=Events(self.cluster, host="h", wall=wall),
            metrics=self.metrics,
            wall=wall,
        )
        rules = PlanRules(drain=DrainRules(delete_non_replicated=True))
        self.rebalancer = SpotRebalancer(self.cluster, rules, default_profile(), self.metrics, drainer=self.drainer)
        self.add_node("d")
        self.add_node("s", labels=SPOT)

    def add_node(self, name: str, *, taints: list[Object] | None = None, **metadata: Any) -> None:
        spec = {"taints": taints} if taints else {}
        self.store.create(
            NODE, {"metadata": {"name": name, **metadata}, "spec": spec, "status": {"allocatable": RESOURCES}}
        )

    def add_pod(self, name: str, node_name: str = "d", *, cpu: str = "500m", **spec: Any) -> None:
        container = {"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": cpu}}}
        spec = {"nodeName": node_name, **spec}
        self.store.create(POD, building.pod(name, containers=[container], labels={"app": "web"}, spec=spec), "default")

    def add_budget(self, least: int) -> None:
        spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
        self.store.create(POD_DISRUPTION_BUDGET, {"metadata": {"name": "web"}, "spec": spec}, "default")

    def cordon(self, *node_names: str) -> None:
        for name in node_names:
            self.store.modify(NODE, name, lambda obj: obj["spec"].update(unschedulable=True))

    def uncordon(self, *node_names: str) -> None:
        for name in node_names:
            self.store.modify(NODE, name, lambda obj: obj["spec"].pop("unschedulable") and None)

    def pods(self) -> dict[str, str]:
        return {it.name: it.object["spec"].get("nodeName", "") for it in self.store.all(POD)}

    def taints(self, node_name: str = "d") -> list[str]:
        return [taint["key"] for taint in self.store.get(NODE, node_name).object["spec"].get("taints") or []]

    def events(self) -> list[tuple[str, str, str]]:
        """What was said: the object, the reason, the text."""
        found = sorted(self.store.all(EVENT), key=lambda it: it.object["metadata"]["name"].rpartition(".")[2])
        return [(e.object["involvedObject"]["name"], e.object["reason"], e.object["message"]) for e in found]

    async def round(self) -> Drained | None:
        return await self.rebalancer.act(await self.rebalancer.look())

    async def settled(self) -> None:
        """Wait until the pods run."""
        await until(lambda: all(it.object["status"]["phase"] == "Running" for it in self.store.all(POD)))
        await asyncio.sleep(1)


@asynccontextmanager
async def standing_in(world: World, standins: list[Standin] | None = None) -> AsyncIterator[None]:
    task = asyncio.create_task(run_standins(world.store, standins=standins))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
