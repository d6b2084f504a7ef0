"""An object reduced to what explaining reads: what a dump may hold. What is not decoded is gone already.

Left out besides: annotations that no plugin reads, conditions that no scheduler writes, what programs are started with,
and events of others than schedulers and controllers.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from msgspec.structs import replace

from roost.analysis.schedulers import program_words
from roost.api.explaining import Event, Workload
from roost.api.meta import KubernetesObject, ObjectMeta
from roost.api.pod import Pod
from roost.api.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    CLASS_ANNOTATION,
    MIGRATED_PLUGINS,
    SELECTED_NODE,
)

O = TypeVar("O", bound=KubernetesObject)  # noqa: E741

ANNOTATIONS = frozenset(
    {
        BIND_COMPLETED,
        BOUND_BY_CONTROLLER,
        CLASS_ANNOTATION,
        MIGRATED_PLUGINS,
        SELECTED_NODE,
        "kubernetes.io/config.mirror",
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
        "hightower.com/cost",
        "congestion-factor",
    }
)
PREFIXES = ("roost.dev/", "requested-", "free-", "mean-free-", "std-free-", "forecasted-free-", "forcasted-free-")
"""The annotations that plugins read."""

CONDITIONS = ("PodScheduled", "PodResizePending", "DisruptionTarget")
EVENTS = ("Scheduled", "FailedScheduling", "Preempted", "FailedCreate", "ProvisioningFailed", "WaitForFirstConsumer")


def reduced(obj: O, keep: Collection[str] = ()) -> O | None:
    """Return an object as it may be handed on, None if it says nothing; `keep` are annotations to keep besides."""
    metadata = getattr(obj, "metadata", None)
    if not isinstance(metadata, ObjectMeta):
        return obj
    known: Any = replace(obj, metadata=replace(metadata, annotations=_annotations(metadata, keep), resource_version=""))
    if isinstance(known, Pod):
        conditions = tuple(one for one in known.status.conditions or () if one.type in CONDITIONS)
        known = replace(known, status=replace(known.status, conditions=conditions or None))
    elif isinstance(known, Workload):
        known = _workload(known)
    elif isinstance(known, Event) and known.reason not in EVENTS:
        return None
    found: O = known
    return found


def _annotations(metadata: ObjectMeta, keep: Collection[str]) -> dict[str, str] | None:
    given = metadata.annotations or {}
    kept = {key: value for key, value in given.items() if key in ANNOTATIONS or key in keep or key.startswith(PREFIXES)}
    return kept or None


def _workload(maker: Workload) -> Workload:
    """Return what makes pods with nothing of their template but what tells a scheduler."""
    containers = [{"command": words} for words in program_words(maker)]
    status = {key: maker.status[key] for key in ("readyReplicas", "numberReady") if key in maker.status}
    spec: dict[str, object] = {"template": {"spec": {"containers": containers}}} if containers else {}
    return replace(maker, spec=spec, status=status)
