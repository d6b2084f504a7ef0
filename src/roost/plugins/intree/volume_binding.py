"""VolumeBinding: the volumes of a pod's claims must be within reach of the node, or be found or made for it.

The decision is assumed by the cache. Here it is written: a volume is kept for a claim, a claim told its node; then the
pod waits until the controllers have bound the two. Source: kube-scheduler 1.36.
"""

from typing import Any

import numpy as np

from roost.api.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from roost.api.storage import BOUND_BY_CONTROLLER, SELECTED_NODE, PersistentVolume, PersistentVolumeClaim
from roost.errors import ConfigError, Conflict, NotFound
from roost.framework.cluster import Cluster
from roost.framework.csi_migration import migrated_affinity, plugin_of
from roost.framework.plugin import Args, Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.pod_volumes import ClaimUse
from roost.framework.status import SKIP, SUCCESS, Code, Status, unresolvable
from roost.framework.storage import StaticBinding, VolumePlan
from roost.framework.view import Rows, View
from roost.framework.volume_binding import claims_of, find_conflicts
from roost.framework.volume_matching import affinity_of, is_kept_for, is_within_reach

OUT_OF_REACH = "node(s) didn't match PersistentVolume's node affinity"
NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"
NO_ROOM = "node(s) did not have enough free storage"
VOLUME_IS_MISSING = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = unresolvable("pod has unbound immediate PersistentVolumeClaims")
_REASONS = (OUT_OF_REACH, NOTHING_TO_BIND, NO_ROOM, VOLUME_IS_MISSING)
_STATUSES = (
    SUCCESS,
    *(unresolvable(*(r for bit, r in enumerate(_REASONS) if code >> bit & 1)) for code in range(1, 1 << len(_REASONS))),
)
WAITING = Status(Code.Wait, ("waiting until the claims are bound",))


class VolumeBindingArgs(Args):
    """How many seconds a pod waits for its claims to be bound."""

    bind_timeout_seconds: int = 600


class VolumeBinding(Plugin):
    """Reject nodes from which the volumes of the pod cannot be used, and have them bound to where the pod goes."""

    name = "VolumeBinding"
    args_type = VolumeBindingArgs
    reads = frozenset({"node", "storage"})
    pre_reads = frozenset({"storage"})
    pod_reads = ("storage",)
    late = "binding volumes: context deadline exceeded"

    def __init__(self, args: VolumeBindingArgs | None = None) -> None:
        super().__init__(args)
        if self.args.bind_timeout_seconds < 0:
            raise ConfigError(f"bindTimeoutSeconds: must not be negative, and {self.args.bind_timeout_seconds} is")
        self.pre_bind_seconds = float(self.args.bind_timeout_seconds)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without claims; reject where a claim cannot be used, or is to be bound before it is."""
        if not pod.volumes.claims:
            return SKIP
        for use in pod.volumes.claims:
            problem = _problem(view, pod, use)
            if problem:
                return unresolvable(problem)
        return UNBOUND if claims_of(view.storage, pod.volumes).immediate else None

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows from which a bound volume cannot be reached, or where none can be found or made for a claim."""
        if not pod.volumes.claims:
            return None
        found = find_conflicts(view, claims_of(view.storage, pod.volumes))
        codes = np.zeros(view.size, dtype=np.int16)
        for bit, conflict in enumerate((found.out_of_reach, found.nothing_to_bind, found.no_room, found.is_missing)):
            codes |= conflict.astype(np.int16) << bit
        codes = codes[rows]
        return Verdicts(codes, _STATUSES) if codes.any() else None

    def prepares(self, pod: PodInfo) -> bool:
        """Tell whether claims of the pod are to be bound before the pod is."""
        return pod.volume_plan is not None

    async def pre_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Write what was decided about the claims, then wait until they are bound."""
        plan = pod.volume_plan
        if plan is None:
            return None
        if plan.versions is None:
            try:
                plan.versions = await _write(cluster, plan)
            except (Conflict, NotFound) as error:
                return _failed(str(error))
        try:
            return None if _is_done(plan) else WAITING
        except _Undone as undone:
            return _failed(f"binding volumes: {undone}")


def _failed(problem: str) -> Status:
    return Status(Code.Error, (f'running PreBind plugin "VolumeBinding": {problem}',))


def _problem(view: View, pod: PodInfo, use: ClaimUse) -> str:
    """Return why a claim cannot be used, if it cannot."""
    claim = view.storage.claim(use.key)
    if claim is None and use.owner is not None:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{use.name}"'
    if claim is None:
        return f'persistentvolumeclaim "{use.name}" not found'
    if claim.status.phase == "Lost":
        volume = claim.spec.volume_name
        return f'persistentvolumeclaim "{claim.name}" bound to non-existent persistentvolume "{volume}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{claim.name}" is being deleted'
    owners = claim.metadata.owner_references or ()
    if use.owner is not None and not any(owner.controller and owner.uid == use.owner for owner in owners):
        return f"PVC {claim.key} was not created for pod {pod.key} (pod is not owner)"
    return ""


# ---- writing


async def _write(cluster: Cluster, plan: VolumePlan) -> dict[str, str]:
    """Keep volumes for claims and tell claims their node; return the versions that this came to."""
    versions = {}
    for binding in plan.bindings:
        written = plan.storage.written_volume(binding.volume.name)
        if written is None or not _is_kept(written, binding.claim):
            versions[binding.volume.name] = await _keep(cluster, binding)
    for claim in plan.provisions:
        versions[claim.key] = await _select_node(cluster, claim)
    return versions


async def _keep(cluster: Cluster, binding: StaticBinding) -> str:
    volume, claim = binding.volume, binding.claim
    annotations = {key: volume.annotations[key] for key in (BOUND_BY_CONTROLLER,) if key in volume.annotations}
    ref = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.metadata.namespace,
        "name": claim.name,
        "uid": claim.metadata.uid,
        "resourceVersion": claim.metadata.resource_version,
    }
    patch = _patch(volume.metadata.resource_version, annotations, spec={"claimRef": ref})
    try:
        kept = await cluster.patch(PERSISTENT_VOLUME, volume.name, patch)
    except Conflict:
        kept = await cluster.get(PERSISTENT_VOLUME, volume.name)
        if not _is_kept(kept, claim):
            raise
    return kept.metadata.resource_version


async def _select_node(cluster: Cluster, claim: PersistentVolumeClaim) -> str:
    namespace, node_name = claim.metadata.namespace, claim.annotations[SELECTED_NODE]
    patch = _patch(claim.metadata.resource_version, {SELECTED_NODE: node_name})
    try:
        told = await cluster.patch(PERSISTENT_VOLUME_CLAIM, claim.name, patch, namespace)
    except Conflict:
        told = await cluster.get(PERSISTENT_VOLUME_CLAIM, claim.name, namespace)
        if told.annotations.get(SELECTED_NODE) != node_name:
            raise
    return told.metadata.resource_version


def _patch(version: str, annotations: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Return a patch that is refused (409) if the object is not of this version any more."""
    return {"metadata": {"resourceVersion": version, "annotations": annotations}, **fields}


def _is_kept(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    ref = volume.spec.claim_ref
    return ref is not None and bool(ref.uid) and is_kept_for(volume, claim)


# ---- waiting


class _Undone(Exception):
    """Somebody has undone what was written."""


def _is_done(plan: VolumePlan) -> bool:
    """Tell whether all claims are bound; raises _Undone."""
    return all(_is_bound(plan, binding) for binding in plan.bindings) and all(
        _is_provided(plan, claim) for claim in plan.provisions
    )


def _is_bound(plan: VolumePlan, binding: StaticBinding) -> bool:
    name, key = binding.volume.name, binding.claim.key
    volume, claim = plan.storage.written_volume(name), plan.storage.written_claim(key)
    if volume is None:
        raise _Undone(f'failed to check binding: persistentvolumes "{name}" not found')
    if claim is None:
        raise _Undone(f'failed to check binding: persistentvolumeclaims "{key}" not found')
    if _is_older(volume.metadata.resource_version, plan, name):
        return False
    _check_reach(plan, volume)
    if volume.spec.claim_ref is None or not volume.spec.claim_ref.uid:
        raise _Undone(f'ClaimRef got reset for pv "{name}"')
    return claim.is_bound


def _is_provided(plan: VolumePlan, wanted: PersistentVolumeClaim) -> bool:
    claim = plan.storage.written_claim(wanted.key)
    if claim is None:
        raise _Undone(f'failed to check provisioning pvc: persistentvolumeclaims "{wanted.key}" not found')
    if _is_older(claim.metadata.resource_version, plan, wanted.key):
        return False
    if claim.metadata.annotations is None:
        raise _Undone(f'selectedNode annotation reset for PVC "{claim.name}"')
    if claim.annotations.get(SELECTED_NODE) != plan.node.name:
        raise _Undone(f'provisioning failed for PVC "{claim.name}"')
    if claim.spec.volume_name:
        volume = plan.storage.written_volume(claim.spec.volume_name)
        if volume is None:
            return False
        _check_reach(plan, volume)
    return claim.is_bound


def _check_reach(plan: VolumePlan, volume: PersistentVolume) -> None:
    plugin = plugin_of(volume.spec)
    selectors = [affinity_of(volume), *([] if plugin is None else [migrated_affinity(volume, plugin)])]
    if not any(is_within_reach(selector, plan.node.labels) for selector in selectors):
        node = plan.node.name
        raise _Undone(f'pv "{volume.name}" node affinity doesn\'t match node "{node}": no matching NodeSelectorTerms')


def _is_older(seen: str, plan: VolumePlan, key: str) -> bool:
    """Tell whether what was seen last is older than what was written."""
    written = (plan.versions or {}).get(key, "")
    return seen.isdigit() and written.isdigit() and int(seen) < int(written)
