"""The parts that a mixed pod may have: each uses one rule of scheduling, on the labels and names of a mixed world."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from e2e.load import HOSTNAME_LABEL

ZONE_LABEL = "topology.kubernetes.io/zone"
ZONES = ("zone-a", "zone-b", "zone-c")
IMAGES = tuple(f"registry.example/app-{i}:1" for i in range(8))
APPS = ("web", "db", "cache", "batch")
GPU = "example.com/gpu"
TEAMS = ("red", "blue")
VOLUMES = 24

Fields = dict[str, Any]
Part = Callable[[random.Random, Sequence[str]], Fields]


def _node_selector(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    return {"nodeSelector": {"disk": dice.choice(("ssd", "hdd"))}}


def _node_affinity(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    required = dice.choice(
        (
            {"matchExpressions": [{"key": ZONE_LABEL, "operator": "In", "values": dice.sample(ZONES, 2)}]},
            {"matchExpressions": [{"key": ZONE_LABEL, "operator": "NotIn", "values": [dice.choice(ZONES)]}]},
            {"matchExpressions": [{"key": "generation", "operator": dice.choice(("Gt", "Lt")), "values": ["5"]}]},
            {"matchExpressions": [{"key": GPU, "operator": "DoesNotExist"}]},
            {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-07"]}]},
        )
    )
    preferred = [
        {
            "weight": dice.randint(1, 100),
            "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": [disk]}]},
        }
        for disk in ("ssd", "hdd")
    ]
    affinity: Fields = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
    if dice.random() < 0.5:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [required]}
    return {"affinity": {"nodeAffinity": affinity}}


def _pod_affinity(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    kind = dice.choice(("podAffinity", "podAntiAffinity"))
    topology = dice.choice((ZONE_LABEL, HOSTNAME_LABEL, "disk"))
    if kind == "podAntiAffinity" and topology != HOSTNAME_LABEL:
        return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [_weighted(dice, namespaces)]}}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [_term(dice, namespaces, topology)]}
    return {"affinity": {kind: required}}


def _preferred_pod_affinity(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    kind = dice.choice(("podAffinity", "podAntiAffinity"))
    weighted = [_weighted(dice, namespaces) for _ in range(dice.randint(1, 2))]
    return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}}


def _weighted(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    topology = dice.choice((ZONE_LABEL, HOSTNAME_LABEL, "disk", "generation"))
    return {"weight": dice.randint(1, 100), "podAffinityTerm": _term(dice, namespaces, topology)}


def _term(dice: random.Random, namespaces: Sequence[str], topology: str) -> Fields:
    where = dice.choice(
        ({}, {}, {"namespaces": list(namespaces)}, {"namespaceSelector": {"matchLabels": {"team": "blue"}}})
    )
    keys = {"matchLabelKeys": ["track"]} if dice.random() < 0.2 else {}
    return {"topologyKey": topology, "labelSelector": _selector(dice), **where, **keys}


def _selector(dice: random.Random) -> Fields:
    app = dice.choice(APPS)
    return dice.choice(
        (
            {"matchLabels": {"app": app}},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": [app, dice.choice(APPS)]}]},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [app]}]},
        )
    )


def _spread(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    hard = dice.random() < 0.5
    constraint: Fields = {
        "maxSkew": dice.randint(1, 3),
        "topologyKey": dice.choice((ZONE_LABEL, HOSTNAME_LABEL, "disk")),
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": _selector(dice),
    }
    if dice.random() < 0.3:
        constraint["nodeTaintsPolicy"] = "Honor"
    if dice.random() < 0.2:
        constraint["nodeAffinityPolicy"] = "Ignore"
    if hard and dice.random() < 0.3:
        constraint["minDomains"] = dice.randint(1, 4)
    if dice.random() < 0.2:
        constraint["matchLabelKeys"] = ["track"]
    return {"topologySpreadConstraints": [constraint]}


def _tolerations(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    return {
        "tolerations": dice.choice(
            (
                [{"operator": "Exists"}],
                [{"key": "team", "value": dice.choice(TEAMS)}],
                [{"key": "slow", "operator": "Exists", "effect": "PreferNoSchedule"}],
            )
        )
    }


def _host_port(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    port = dice.choice((8080, 9090))
    address = dice.choice(({}, {}, {"hostIP": "127.0.0.1"}))
    return {"containers": [{"ports": [{"containerPort": port, "hostPort": port, **address}]}]}


def _gpu(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    return {"containers": [{"resources": {"limits": {GPU: "1"}, "requests": {GPU: "1"}}}]}


def _large(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    """Much of a node or more than any has, asked for by a container or by the pod as a whole."""
    if dice.random() < 0.5:
        return {"resources": {"requests": {"cpu": "5", "memory": "8Gi"}}}
    return {"containers": [{"resources": {"requests": {"cpu": dice.choice(("7", "30"))}}}]}


def _restarts_all(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    rule = {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}
    return {"containers": [{"restartPolicy": "Never", "restartPolicyRules": [rule]}]}


def _claimed_volume(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    claims = dice.sample(range(VOLUMES), dice.randint(1, 2))
    return {
        "volumes": [{"name": f"v{n}", "persistentVolumeClaim": {"claimName": f"claim-{n}"}} for n in claims],
    }


def _disk(dice: random.Random, namespaces: Sequence[str]) -> Fields:
    """A disk that only one node may write to."""
    disk = {"pdName": f"disk-{dice.randint(0, 2)}", "readOnly": dice.random() < 0.5}
    return {"volumes": [{"name": "disk", "gcePersistentDisk": disk}]}


PARTS: tuple[tuple[float, Part], ...] = (
    (0.15, _node_selector),
    (0.25, _node_affinity),
    (0.12, _pod_affinity),
    (0.15, _preferred_pod_affinity),
    (0.25, _spread),
    (0.35, _tolerations),
    (0.08, _host_port),
    (0.06, _gpu),
    (0.1, _large),
    (0.05, _restarts_all),
    (0.12, _claimed_volume),
    (0.04, _disk),
)
"""How often a pod has which part."""


def merged(spec: Fields, part: Fields) -> Fields:
    """Add fields to a pod's spec: lists grow, but what is said of a container is said of the first."""
    whole = spec | {key: value for key, value in part.items() if key not in spec}
    for key in spec.keys() & part.keys():
        if isinstance(spec[key], dict):
            whole[key] = merged(spec[key], part[key])
        elif key == "containers":
            whole[key] = [merged(spec[key][0], part[key][0])]
        elif isinstance(spec[key], list):
            whole[key] = spec[key] + part[key]
        else:
            whole[key] = part[key]
    return whole
