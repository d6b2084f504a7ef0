"""Small clusters of spot and on-demand nodes, as they are listed before a drain is planned."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from roost.analysis.evictable import DrainRules
from roost.analysis.node_pools import NodePools, read_node_label
from roost.analysis.spot_plan import Inventory, Landing, Plan, PlanRules, plan_drain
from roost.api.draining import DisruptionBudget, DrainNode, DrainPod
from roost.config.profiles import default_profile
from roost.testing import node as plain_node
from roost.testing import pod as plain_pod

Fields = Mapping[str, Any]

POOLS = NodePools(read_node_label("pool=spot", "spot"), read_node_label("pool=on-demand", "on demand"))
READY = {"type": "Ready", "status": "True"}
WAITING = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
DAEMON_SET = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "proxy", "uid": "proxy", "controller": True}
REPLICA_SET = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web", "controller": True}


def node(name: str, *, conditions: Sequence[Fields] = (READY,), **how: Any) -> DrainNode:
    made = msgspec.to_builtins(plain_node(name, **how))
    made["status"]["conditions"] = list(conditions)
    return msgspec.convert(made, DrainNode)


def spot(name: str, **how: Any) -> DrainNode:
    return node(name, labels={"pool": "spot"}, **how)


def on_demand(name: str, **how: Any) -> DrainNode:
    return node(name, labels={"pool": "on-demand"}, **how)


def pod(name: str, node_name: str = "", *, owner: Fields | None = REPLICA_SET, **how: Any) -> DrainPod:
    """Return a pod that a ReplicaSet controls, unless `owner` says otherwise."""
    meta = {**how.pop("metadata", {}), "ownerReferences": [owner] if owner else None}
    spec, status = how.pop("spec", {}), how.pop("status", {"phase": "Running"})
    made = msgspec.to_builtins(plain_pod(name, node_name=node_name, metadata=meta, **how))
    made["spec"] |= spec
    made["status"] = status
    return msgspec.convert(made, DrainPod)


def budget(
    name: str, allowed: int, *, namespace: str = "default", generation: int = 1, **labels: str
) -> DisruptionBudget:
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": namespace, "generation": generation},
            "spec": {"selector": {"matchLabels": labels}},
            "status": {"disruptionsAllowed": allowed, "observedGeneration": 1},
        },
        DisruptionBudget,
    )


def plan(
    *objects: DrainNode | DrainPod | DisruptionBudget,
    landing: Landing = "best",
    pools: NodePools = POOLS,
    unreadable: Sequence[str] = (),
    **rules: bool,
) -> Plan:
    inventory = Inventory(
        nodes=[it for it in objects if isinstance(it, DrainNode)],
        pods=[it for it in objects if isinstance(it, DrainPod)],
        budgets=[it for it in objects if isinstance(it, DisruptionBudget)],
        unreadable=unreadable,
    )
    how = PlanRules(pools=pools, drain=DrainRules(**rules), landing=landing)
    return plan_drain(inventory, how, default_profile())


def moves(plan: Plan) -> dict[str, str]:
    """Return where each pod goes, in the order of the plan."""
    return {move.pod.name: move.to_node for move in plan.drain.moves} if plan.drain else {}


def refusals(plan: Plan) -> dict[str, str]:
    return {refusal.node: refusal.why for refusal in plan.refusals}
