"""Reads the priorities of a policy: which plugins score, with what weight, and in what way.

Some plugins stand for several priorities and have one weight, so they are put together here.
"""

from collections.abc import Mapping, Sequence

import msgspec

from roost.config.decode import at, nearest
from roost.config.legacy.names import PRIORITIES
from roost.config.legacy.profile import Data, ProfileDraft, label_rule
from roost.config.legacy.types import (
    LabelPreference,
    Priority,
    PriorityArgument,
    RequestedToCapacityRatioArguments,
    ShapePoint,
)

MAX_WEIGHT = 2**31 - 1
"""The largest weight of a plugin in v1."""

_CPU_AND_MEMORY = [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]
_LEAST_REQUESTED = RequestedToCapacityRatioArguments(
    shape=(ShapePoint(utilization=0, score=10), ShapePoint(utilization=100, score=0))
)

Named = Mapping[str, int]
"""The weights of the priorities without an argument, by name."""

Preference = tuple[LabelPreference, int]
"""A preference and the weight of its priority."""

Ratio = tuple[RequestedToCapacityRatioArguments, int]
"""The way to score how full a node is, and the weight of its priority."""


def add_priorities(priorities: Sequence[Priority], draft: ProfileDraft) -> None:
    """Let the plugins of priorities score, and no others."""
    named: dict[str, int] = {}
    preferences: list[Preference] = []
    ratios: list[Ratio] = []
    for i, priority in enumerate(priorities):
        path = f"priorities[{i}]"
        if not 0 < priority.weight <= MAX_WEIGHT:
            raise at(f"{path}.weight", f"must be from 1 to {MAX_WEIGHT}")
        if priority.argument is None:
            _check_name(priority.name, named, f"{path}.name")
            named[priority.name] = priority.weight
            draft.note_change(priority.name)
        else:
            preference, ratio = _argument(priority.argument, f"{path}.argument")
            preferences += [(preference, priority.weight)] if preference else []
            ratios += [(ratio, priority.weight)] if ratio else []
    draft.weights = _plain_weights(named)
    _spread(named, draft)
    _prefer(preferences, draft)
    _fit(named, ratios, draft)


def _check_name(name: str, named: Named, path: str) -> None:
    if name not in PRIORITIES:
        raise at(path, f"unknown priority {name}{nearest(name, PRIORITIES)}")
    if name in named:
        raise at(path, f"{name} stands in this list twice")


def _argument(
    argument: PriorityArgument, path: str
) -> tuple[LabelPreference | None, RequestedToCapacityRatioArguments | None]:
    """Return the part of an argument that is given; refuse what has no equivalent."""
    if sum(one is not None for one in msgspec.structs.astuple(argument)) != 1:
        fields = "serviceAntiAffinity, labelPreference or requestedToCapacityRatioArguments"
        raise at(path, f"must have one field, {fields}")
    if argument.service_anti_affinity is not None:
        raise at(
            f"{path}.serviceAntiAffinity",
            "this score was removed in Kubernetes 1.23, and no other is the same; remove the priority, and give "
            "PodTopologySpread a constraint in its defaultConstraints with the topologyKey "
            f"{argument.service_anti_affinity.label}",
        )
    ratio = argument.requested_to_capacity_ratio_arguments
    if ratio is not None:
        _check_ratio(ratio, f"{path}.requestedToCapacityRatioArguments")
    return argument.label_preference, ratio


def _check_ratio(ratio: RequestedToCapacityRatioArguments, path: str) -> None:
    if not ratio.shape:
        raise at(f"{path}.shape", "must have at least one point")
    last = -1
    for i, point in enumerate(ratio.shape):
        if not last < point.utilization <= 100:
            raise at(f"{path}.shape[{i}].utilization", "must be from 0 to 100, and more than at the point before")
        if not 0 <= point.score <= 10:
            raise at(f"{path}.shape[{i}].score", "must be from 0 to 10")
        last = point.utilization
    for i, resource in enumerate(ratio.resources):
        if not 0 <= resource.weight <= 100:
            raise at(f"{path}.resources[{i}].weight", "must be from 1 to 100")


def _plain_weights(named: Named) -> dict[str, int]:
    """Return weights by plugin, where a plugin stands for one priority or for the heaviest of several."""
    weights: dict[str, int] = {}
    for name, weight in named.items():
        plugin = PRIORITIES[name]
        if plugin not in ("", "NodeResourcesFit"):
            weights[plugin] = max(weight, weights.get(plugin, 0))
    return weights


def _spread(named: Named, draft: ProfileDraft) -> None:
    spreading = [name for name in named if PRIORITIES[name] == "PodTopologySpread"]
    if spreading == ["EvenPodsSpreadPriority"]:
        draft.args["PodTopologySpread"] = {"defaultingType": "List"}
    if len(spreading) > 1:
        draft.note(
            f"{' and '.join(spreading)} are one plugin today: PodTopologySpread has the greatest of their weights."
        )


def _prefer(preferences: Sequence[Preference], draft: ProfileDraft) -> None:
    """Make labels that nodes should have preferred terms of NodeAffinity, which then weighs what they weighed."""
    if not preferences or draft.weights is None:
        return
    heaviest = max(weight for _, weight in preferences)
    draft.added_affinity()["preferredDuringSchedulingIgnoredDuringExecution"] = [
        {
            # The weight of a term ends at 100.
            "weight": weight if heaviest <= 100 else max(1, weight * 100 // heaviest),
            "preference": {"matchExpressions": [label_rule(wanted.label, wanted.presence)]},
        }
        for wanted, weight in preferences
    ]
    total = sum(weight for _, weight in preferences)
    draft.weights["NodeAffinity"] = draft.weights.get("NodeAffinity", 0) + total
    draft.note(
        "labelPreference is a preferred term of NodeAffinity, which adds up the terms of the policy and of the pod, "
        "and gives the best node 100."
    )


def _fit(named: Named, ratios: Sequence[Ratio], draft: ProfileDraft) -> None:
    """Choose the one way in which NodeResourcesFit scores."""
    least, most = named.get("LeastRequestedPriority", 0), named.get("MostRequestedPriority", 0)
    if "RequestedToCapacityRatioPriority" in named:
        ratios = [*ratios, (_LEAST_REQUESTED, named["RequestedToCapacityRatioPriority"])]
    if len(ratios) + bool(least or most) > 1:
        raise at(
            "priorities",
            "LeastRequestedPriority, MostRequestedPriority and requestedToCapacityRatioArguments are all scored by "
            "NodeResourcesFit today, which scores in one way only; keep one of them",
        )
    if least and most:
        left = f"NodeResourcesFit scores with what is left, a weight of {abs(least - most)}" if least != most else ""
        draft.note(
            "LeastRequestedPriority and MostRequestedPriority are opposites, whose sum is the same for every node: "
            f"{left or 'neither is scored'}."
        )
    strategy: Data = {"type": "MostAllocated", "resources": _CPU_AND_MEMORY} if most > least else {}
    weight = abs(least - most)
    if ratios:
        strategy, weight = _strategy(ratios[0][0]), ratios[0][1]
    if weight and draft.weights is not None:
        draft.weights["NodeResourcesFit"] = weight
    if strategy:
        draft.args["NodeResourcesFit"] = {"scoringStrategy": strategy}


def _strategy(ratio: RequestedToCapacityRatioArguments) -> Data:
    resources = [{"name": one.name, "weight": one.weight or 1} for one in ratio.resources]
    return {
        "type": "RequestedToCapacityRatio",
        "resources": resources or _CPU_AND_MEMORY,
        "requestedToCapacityRatio": {"shape": list(msgspec.to_builtins(ratio.shape))},
    }
