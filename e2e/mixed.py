"""A mixed world, made by seeded dice: nodes of many kinds, and pods that use every rule of scheduling now and then."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from e2e.load import CORE, HOSTNAME_LABEL, Api, Object
from e2e.mixed_pods import APPS, GPU, IMAGES, PARTS, TEAMS, VOLUMES, ZONE_LABEL, ZONES, Fields, merged

MIDDLE, NEVER_PREEMPTS, URGENT = 10, 1000, 2000
CSI_DRIVER = "csi.example.com"
RESTART = "RestartAllContainersOnContainerExits"

Step = tuple[str, Object]
"""A collection's path and an object to create in it."""


@dataclass
class MixedWorld:
    """Objects to create before the first pod, in order, and pods without end; the same seed makes the same."""

    seed: int
    namespace: str
    nodes: int = 40
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    @property
    def namespaces(self) -> tuple[str, str]:
        """Where the pods are: one namespace with labels, and one with others."""
        return self.namespace, f"{self.namespace}-b"

    def create(self, api: Api) -> None:
        """Create everything but the pods."""
        for path, obj in self.steps():
            api.create(path, obj)
            if obj["kind"] == "PodDisruptionBudget":
                api.patch(f"{path}/{obj['metadata']['name']}/status", {"status": self._budget_status()})

    def steps(self) -> Iterator[Step]:
        """Describe everything but the pods; the first namespace is there already."""
        yield f"{CORE}/namespaces", _object("v1", "Namespace", self.namespaces[1], labels={"team": "blue"})
        for priority, policy in ((NEVER_PREEMPTS, "Never"), (MIDDLE, "Never"), (URGENT, "PreemptLowerPriority")):
            name = self.priority_class(priority)
            yield "/apis/scheduling.k8s.io/v1/priorityclasses", _priority_class(name, priority, policy)
        for number in range(self.nodes):
            name = f"node-{number:02d}"
            yield f"{CORE}/nodes", self._node(name, number)
            yield "/apis/storage.k8s.io/v1/csinodes", _csi_node(name, self._dice)
        for namespace in self.namespaces:
            yield from _apps(namespace)
            yield from self._volumes(namespace)

    def priority_class(self, priority: int) -> str:
        """Name the class of a priority: classes belong to no namespace."""
        return f"{self.namespace}-{priority}"

    def pods(self, *, priorities: bool = False) -> Iterator[Object]:
        """Describe pod after pod; with `priorities`, half of them have one in the middle, but none evicts others."""
        for number in count():
            pod = self._pod(f"pod-{number:03d}", self._dice.choice(self.namespaces))
            if self._dice.random() < 0.1:
                pod["spec"]["priorityClassName"] = self.priority_class(NEVER_PREEMPTS)
            if priorities and self._dice.random() < 0.5:
                pod["spec"]["priorityClassName"] = self.priority_class(MIDDLE)
            yield pod

    def urgent_pods(self) -> Iterator[Object]:
        """Describe pods that ask for much and may evict others for it."""
        for number in count():
            pod = self._pod(f"urgent-{number:03d}", self._dice.choice(self.namespaces))
            pod["spec"]["priorityClassName"] = self.priority_class(URGENT)
            asked = {"cpu": self._dice.choice(("1500m", "2", "3")), "memory": "2Gi"}
            pod["spec"]["containers"][0]["resources"].setdefault("requests", {}).update(asked)
            yield pod

    # ---- nodes

    def _node(self, name: str, number: int) -> Object:
        dice = self._dice
        labels = {HOSTNAME_LABEL: name, "disk": dice.choice(("ssd", "hdd")), "generation": str(dice.randint(1, 9))}
        if number % 13:
            labels[ZONE_LABEL] = dice.choice(ZONES)
        resources = {
            "cpu": dice.choice(("2", "3500m", "4", "8")),
            "memory": dice.choice(("4Gi", "8Gi", "16Gi", "30000Mi")),
            "pods": dice.choice(("4", "9", "110")),
            "ephemeral-storage": "100Gi",
            **({GPU: str(dice.randint(1, 4))} if dice.random() < 0.25 else {}),
        }
        return {
            **_object("v1", "Node", name, labels=labels),
            "spec": {"taints": self._taints(), "unschedulable": number % 17 == 3},
            "status": {
                "capacity": resources,
                "allocatable": resources,
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                "images": [
                    {"names": [image], "sizeBytes": (position + 1) * 120_000_000}
                    for position, image in enumerate(IMAGES)
                    if dice.random() < 0.3
                ],
                "declaredFeatures": [RESTART] if dice.random() < 0.6 else [],
            },
        }

    def _taints(self) -> list[Fields]:
        dice = self._dice
        hard = [{"key": "team", "value": dice.choice(TEAMS), "effect": dice.choice(("NoSchedule", "NoExecute"))}]
        soft = [{"key": "slow", "effect": "PreferNoSchedule"}]
        return (hard if dice.random() < 0.15 else []) + (soft if dice.random() < 0.25 else [])

    def _budget_status(self) -> Fields:
        """Say as its controller would how many pods may go."""
        healthy = {"currentHealthy": 9, "desiredHealthy": 7, "expectedPods": 9, "observedGeneration": 1}
        return {"disruptionsAllowed": self._dice.randint(0, 2), **healthy}

    # ---- volumes

    def _volumes(self, namespace: str) -> Iterator[Step]:
        """Claims that are bound already: some volumes are only in a zone, some count against a driver's limit."""
        for number in range(VOLUMES):
            claim, volume = f"claim-{number}", f"{namespace}-{number}"
            yield f"{CORE}/persistentvolumes", _volume(volume, claim, namespace, number, self._dice)
            yield f"{CORE}/namespaces/{namespace}/persistentvolumeclaims", _claim(claim, volume, number)

    # ---- pods

    def _pod(self, name: str, namespace: str) -> Object:
        dice = self._dice
        app = dice.choice(APPS)
        spec: Fields = {"terminationGracePeriodSeconds": 0, "containers": [self._container("main")]}
        for chance, part in PARTS:
            if dice.random() < chance:
                spec = merged(spec, part(dice, self.namespaces))
        if dice.random() < 0.2:
            spec["initContainers"] = [self._container("first")]
            if dice.random() < 0.5:
                spec["initContainers"][0]["restartPolicy"] = "Always"
        owned = {"ownerReferences": [_owner(app)]} if dice.random() < 0.5 else {}
        labels = {"app": app, "track": dice.choice(("stable", "canary"))}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels, **owned},
            "spec": spec,
        }

    def _container(self, name: str) -> Fields:
        dice = self._dice
        requests = {
            "cpu": dice.choice(("0", "50m", "250m", "400m", "0.5", "1", "2")),
            "memory": dice.choice(("64Mi", "200Mi", "1e9", "1Gi", "3000M")),
        }
        asked = {resource: amount for resource, amount in requests.items() if dice.random() < 0.8}
        return {"name": name, "image": dice.choice(IMAGES), "resources": {"requests": asked}}


# ---- other objects


def _object(api_version: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


def _priority_class(name: str, value: int, policy: str) -> Object:
    described = _object("scheduling.k8s.io/v1", "PriorityClass", name)
    return {**described, "value": value, "preemptionPolicy": policy}


def _apps(namespace: str) -> Iterator[Step]:
    for app in APPS:
        selector = {"app": app}
        if app != "batch":
            service = {"selector": selector, "ports": [{"port": 80}]}
            yield f"{CORE}/namespaces/{namespace}/services", {**_object("v1", "Service", app), "spec": service}
        pod = {"metadata": {"labels": selector}, "spec": {"containers": [{"name": "main", "image": IMAGES[0]}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": selector}, "template": pod}
        path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        yield path, {**_object("apps/v1", "ReplicaSet", app), "spec": spec}
        budget = {"selector": {"matchLabels": {**selector, "track": "canary"}}, "minAvailable": 1}
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        yield path, {**_object("policy/v1", "PodDisruptionBudget", app), "spec": budget}


def _owner(app: str) -> Fields:
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": f"uid-{app}", "controller": True}


def _csi_node(name: str, dice: random.Random) -> Object:
    driver = {"name": CSI_DRIVER, "nodeID": name, "topologyKeys": [], "allocatable": {"count": dice.randint(1, 3)}}
    return {**_object("storage.k8s.io/v1", "CSINode", name), "spec": {"drivers": [driver]}}


def _volume(name: str, claim: str, namespace: str, number: int, dice: random.Random) -> Object:
    csi = {"csi": {"driver": CSI_DRIVER, "volumeHandle": name}}
    source: Fields = csi if number % 2 else {"hostPath": {"path": "/x"}}
    zone = {"key": ZONE_LABEL, "operator": "In", "values": dice.sample(ZONES, 2)}
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}}
    return {
        **_object("v1", "PersistentVolume", name),
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": [_access(number)],
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
            **source,
            **(affinity if dice.random() < 0.5 else {}),
        },
    }


def _access(number: int) -> str:
    return "ReadWriteMany" if number % 4 else "ReadWriteOncePod"


def _claim(name: str, volume: str, number: int) -> Object:
    return {
        **_object("v1", "PersistentVolumeClaim", name, annotations={"pv.kubernetes.io/bind-completed": "yes"}),
        "spec": {
            "accessModes": [_access(number)],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeName": volume,
            "storageClassName": "",
        },
    }
