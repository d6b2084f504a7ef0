"""The part of the node lifecycle controller that taints cordoned nodes, so that tolerations can speak of it."""

from roost.apiserver.resources import NODE
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.timestamps import rfc3339

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


class NodeTaints(Standin):
    """Adds and removes the taint of nodes that are marked unschedulable."""

    reads = (NODE,)

    def reconcile(self, store: Store, now: float) -> float | None:
        """Bring every node's taint in line with its mark."""
        for node in store.all(NODE):
            spec = node.object.get("spec") or {}
            taints = spec.get("taints") or []
            if bool(spec.get("unschedulable")) != any(taint.get("key") == UNSCHEDULABLE for taint in taints):
                _turn(store, node, spec, taints, now)
        return None


def _turn(store: Store, node: Stored, spec: Object, taints: list[Object], now: float) -> None:
    others = [taint for taint in taints if taint.get("key") != UNSCHEDULABLE]
    if spec.get("unschedulable"):
        others.append({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": rfc3339(now)})
    after = {name: value for name, value in spec.items() if name != "taints"} | ({"taints": others} if others else {})
    store.replace(node, {**node.object, "spec": after})
