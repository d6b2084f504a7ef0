"""Changes of nodes that could let a pod fit: uncordon, take a taint away, add a label, add one more node."""

from collections.abc import Sequence
from shlex import quote
from typing import Any

from msgspec.structs import replace

from roost.analysis.amounts import written
from roost.analysis.change import Change, add, escaped
from roost.analysis.pod_changes import taint_text
from roost.analysis.rejections import Group, Rejection
from roost.analysis.trial import Trial, node_named
from roost.api.node import Node
from roost.api.quantity import value
from roost.framework.node_matching import HARD

MOST_NODES = 24
MOST_SHAPES = 48

HOSTNAME = "kubernetes.io/hostname"
POOL_LABELS = (
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
)
_TYPE, _ZONE = "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone"
_CORDON = "node.kubernetes.io/unschedulable"


def opened(groups: Sequence[Group], trial: Trial) -> tuple[list[Change], bool]:
    """Return what takes away the cordon or the taints of single nodes, and whether all such nodes are there."""
    nodes = [one.node for one in _rejected(groups, "NodeUnschedulable", "TaintToleration")]
    return [_opened(node_named(trial.snapshot, name)) for name in nodes[:MOST_NODES]], len(nodes) <= MOST_NODES


def labelled(groups: Sequence[Group], trial: Trial) -> tuple[list[Change], bool]:
    """Return what gives single nodes the labels that nodeSelector asks for, and whether all such nodes are there."""
    asked = trial.pod.spec.node_selector or {}
    nodes = [one.node for one in _rejected(groups, "NodeAffinity")] if asked else []
    changes = []
    for name in nodes[:MOST_NODES]:
        labels = node_named(trial.snapshot, name).labels
        lacking = {key: value for key, value in asked.items() if labels.get(key) != value}
        if lacking and not lacking.keys() & {HOSTNAME}:
            text = ", ".join(f"{key}={value}" for key, value in lacking.items())
            patch = tuple(add(f"/metadata/labels/{escaped(key)}", value) for key, value in lacking.items())
            command = f"kubectl label node {name} {' '.join(map(quote, text.split(', ')))} --overwrite"
            says = f"label node {name} {text}"
            changes.append(Change(sort="node", says=says, node=name, node_patch=patch, command=command))
    return changes, len(nodes) <= MOST_NODES


def one_more(trial: Trial) -> tuple[list[Change], bool]:
    """Return one more node of each shape there is, empty and in good health, and whether these are all shapes."""
    view = trial.snapshot.cache.view
    shapes: dict[Any, Node] = {}
    for row in sorted(view.alive.nonzero()[0].tolist(), key=view.name):
        node = view.node(row)
        shapes.setdefault(_shape(node), node)
    nodes = list(shapes.values())
    return [_one_more(trial, node) for node in nodes[:MOST_SHAPES]], len(nodes) <= MOST_SHAPES


def _rejected(groups: Sequence[Group], *plugins: str) -> list[Rejection]:
    """Return the nodes that some rules reject, those that lack least first."""
    nodes = [one for group in groups if group.status.plugin in plugins for one in group.nodes]
    return sorted(nodes, key=lambda one: sum(need.missing * 1000 // max(1, need.asked) for need in one.needs))


def _opened(node: Node) -> Change:
    hard = [one for one in node.taints if one.effect in HARD]
    if node.spec.unschedulable and not [one for one in hard if one.key != _CORDON]:
        left = [one for one in node.taints if one.key != _CORDON]
        patch = (add("/spec/unschedulable", False), add("/spec/taints", left))
        return Change(
            sort="node",
            says=f"uncordon node {node.name}",
            node=node.name,
            node_patch=patch,
            caution="it was cordoned on purpose",
            command=f"kubectl uncordon {node.name}",
        )
    taints = ", ".join(taint_text(one) for one in hard)
    removals = " ".join(quote(f"{taint_text(one)}-") for one in hard if one.key != _CORDON)
    uncordon = [f"kubectl uncordon {node.name}"] if node.spec.unschedulable else []
    also = "uncordon and " if uncordon else ""
    soft = [one for one in node.taints if one.effect not in HARD]
    patch = (add("/spec/unschedulable", False), add("/spec/taints", soft))
    trouble = [one.key for one in hard if one.key.startswith("node.kubernetes.io/") and one.key != _CORDON]
    return Change(
        sort="node",
        says=f"{also}remove {taints} from node {node.name}",
        node=node.name,
        node_patch=patch,
        caution=f"{', '.join(trouble)} comes back while the node is in trouble" if trouble else "",
        command=" && ".join([*uncordon, f"kubectl taint node {node.name} {removals}"]),
    )


def _shape(node: Node) -> Any:
    labels = frozenset((key, value) for key, value in node.labels.items() if key != HOSTNAME and value != node.name)
    amounts = frozenset((node.status.allocatable or {}).items())
    return labels, amounts, frozenset(_lasting(node)), frozenset(node.status.declared_features or ())


def _lasting(node: Node) -> tuple[Any, ...]:
    """Return the taints that a node has from its beginning, not for a trouble of its own."""
    return tuple(one for one in node.taints if not one.key.startswith("node.kubernetes.io/"))


def _one_more(trial: Trial, like: Node) -> Change:
    view, number = trial.snapshot.cache.view, 1
    while view.rows_named(f"{like.name}-new{number if number > 1 else ''}"):
        number += 1
    name = f"{like.name}-new{number if number > 1 else ''}"
    labels = {key: name if value == like.name else value for key, value in like.labels.items()}
    if HOSTNAME in labels:
        labels[HOSTNAME] = name
    node = Node(
        metadata=replace(like.metadata, name=name, uid="", resource_version="", labels=labels, owner_references=None),
        spec=replace(like.spec, unschedulable=False, taints=_lasting(like) or None),
        status=replace(like.status, images=None),
    )
    return Change(
        sort="newNode", says=f"add one more node like {like.name} ({_described(like)})", node=like.name, new_node=node
    )


def _described(node: Node) -> str:
    amounts = node.status.allocatable or {}
    labels = node.labels
    pool = next((f"pool {labels[key]}" for key in POOL_LABELS if key in labels), "")
    known = (pool, labels.get(_TYPE, ""), labels.get(_ZONE, ""))
    size = f"{amounts.get('cpu', 0)} CPU, {_memory(amounts.get('memory', 0))}"
    return ", ".join(filter(None, (*known, size)))


def _memory(text: str | int | float) -> str:
    return written("memory", value(text))
