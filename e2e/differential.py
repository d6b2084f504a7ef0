"""One pod at a time before a stock kube-scheduler and before Roost, at the same state of a cluster."""

import time
from collections import Counter
from dataclasses import dataclass, field

from e2e.cluster import Cluster
from e2e.load import CORE, Object, list_pods
from e2e.processes import Process
from e2e.scheduler_log import ScoreLog
from roost.testing.conformance import evaluate

STOCK = "stock"
OUTCOME_SECONDS = 30.0
ALL_NODES = {"percentageOfNodesToScore": 100}
STORAGE, APPS = "/apis/storage.k8s.io/v1", "/apis/apps/v1"
OBJECTS = {
    "nodes": f"{CORE}/nodes",
    "namespaces": f"{CORE}/namespaces",
    "services": f"{CORE}/services",
    "replicaSets": f"{APPS}/replicasets",
    "persistentVolumes": f"{CORE}/persistentvolumes",
    "persistentVolumeClaims": f"{CORE}/persistentvolumeclaims",
    "podDisruptionBudgets": "/apis/policy/v1/poddisruptionbudgets",
    "csiNodes": f"{STORAGE}/csinodes",
    "priorityClasses": "/apis/scheduling.k8s.io/v1/priorityclasses",
}
"""Where the kinds of objects are that stay as they are during a test, by their names in conformance cases."""


@dataclass(frozen=True)
class Outcome:
    """What became of a pod: the node it was bound to, or why none fits."""

    node: str = ""
    message: str = ""


@dataclass
class Trial:
    """The same pods before kube-scheduler and before Roost, at the same state of the cluster."""

    cluster: Cluster
    stock: Process
    fixed: dict[str, list[Object]]
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._log = ScoreLog(self.stock.log)
        self._started = 0

    def judged_by_both(self, pod: Object) -> tuple[Outcome, set[str]]:
        """Have both judge a pod and compare; return kube-scheduler's outcome, and the nodes that it scored highest."""
        objects = {**self.fixed, "pods": list_pods(self.cluster.api)}
        stored = self.create(pod, STOCK)
        outcome = self.outcome(stored)
        totals, parts = self._log.read(_key(pod))
        answer = evaluate({"objects": objects, "pod": stored, "config": None})
        best = _best(totals) or {outcome.node} - {""}
        assert _scores(answer, "total") == totals or (len(answer["scores"]) == 1 and not totals), described(pod)
        assert _differences(answer, parts) == [], described(pod)
        assert answer["fitError"] == (outcome.message or None), described(pod)
        assert best == set(answer["best"]), described(pod)
        assert outcome.node in ({""} if outcome.message else best), described(pod)
        self.seen["scores"] += len(totals)
        self.seen["unschedulable" if outcome.message else "scheduled"] += 1
        return outcome, best

    def room_made(self, pod: Object, scheduler: str) -> Outcome:
        """Let a scheduler find room for a pod, if need be by evicting others; compare with Roost's decision core."""
        before = list_pods(self.cluster.api)
        stored = self.create(pod, scheduler)
        answer = evaluate({"objects": {**self.fixed, "pods": before}, "pod": stored, "config": None})
        plan = answer["preemption"] or {"ties": [], "candidates": {}}
        outcome = self.outcome(stored, patiently=bool(plan["ties"]))
        gone = {_key(one) for one in before} - {_key(one) for one in list_pods(self.cluster.api)}
        wanted = plan["ties"] or answer["best"]
        assert outcome.node in (wanted or {""}), f"{described(pod)}: {outcome} of {wanted}"
        victims = plan["candidates"].get(outcome.node, {"victims": []})["victims"]
        assert gone == set(victims), f"{described(pod)} on {outcome.node}"
        assert outcome.message == (answer["fitError"] if not outcome.node else ""), described(pod)
        self.seen["preempted" if gone else "unschedulable" if outcome.message else "scheduled"] += 1
        self.seen["candidates"] += len(plan["candidates"])
        self.seen["victims"] += len(gone)
        return outcome

    def start(self, pod: Object) -> None:
        """Say that a pod has started, as a kubelet does: later than all before it."""
        self._started += 1
        at = f"2026-01-01T{self._started // 3600:02d}:{self._started // 60 % 60:02d}:{self._started % 60:02d}Z"
        self.cluster.api.patch(f"{_path(pod)}/status", {"status": {"startTime": at}})

    @property
    def tally(self) -> str:
        """What has been seen so far."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.seen.items()))

    def create(self, pod: Object, scheduler: str) -> Object:
        """Create a pod for a scheduler; return it as stored."""
        path = f"{CORE}/namespaces/{pod['metadata']['namespace']}/pods"
        return self.cluster.api.create(path, {**pod, "spec": {**pod["spec"], "schedulerName": scheduler}})

    def delete(self, pod: Object) -> None:
        """Delete a pod at once."""
        self.cluster.api.delete(_path(pod))

    def outcome(self, pod: Object, *, patiently: bool = False) -> Outcome:
        """Wait until a scheduler has spoken; patiently, until it has found a node."""
        end = time.monotonic() + OUTCOME_SECONDS
        while time.monotonic() < end:
            found = self.cluster.api.get(_path(pod))
            if found["spec"].get("nodeName"):
                return Outcome(node=found["spec"]["nodeName"])
            for condition in () if patiently else found["status"].get("conditions") or ():
                if condition["type"] == "PodScheduled" and condition.get("message"):
                    return Outcome(message=condition["message"])
            time.sleep(0.004)
        raise AssertionError(f"pod {_key(pod)}: nobody has said anything in {OUTCOME_SECONDS:g} s")


def _differences(answer: Object, parts: dict[str, dict[str, int]]) -> list[str]:
    """Compare what each plugin gave to each node; one that is not there gave nothing."""
    ours = {node: row["plugins"] for node, row in answer["scores"].items()}
    return [
        f"{node}, {plugin}: kube-scheduler {theirs.get(plugin, 0)}, Roost {ours[node].get(plugin, 0)}"
        for node, theirs in parts.items()
        for plugin in sorted(ours[node].keys() | theirs.keys())
        if ours[node].get(plugin, 0) != theirs.get(plugin, 0)
    ]


def _scores(answer: Object, key: str) -> dict[str, int]:
    return {node: row[key] for node, row in answer["scores"].items()}


def _best(totals: dict[str, int]) -> set[str]:
    return {node for node, total in totals.items() if total == max(totals.values())}


def _key(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _path(pod: Object) -> str:
    return f"{CORE}/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def described(pod: Object) -> str:
    """Name a pod with all that it asks for."""
    return f"{pod['metadata']['name']}: {pod['spec']}"
