"""VolumeRestrictions: a disk that one pod writes to is nobody else's on that node, a ReadWriteOncePod claim anywhere.

Disks are those that pods name outright: of Google's and Amazon's cloud, iSCSI, Ceph. Source: kube-scheduler 1.36.
"""

import numpy as np

from roost.api.storage import READ_WRITE_ONCE_POD
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.pod_volumes import DiskUse
from roost.framework.status import SKIP, SUCCESS, unresolvable, unschedulable
from roost.framework.view import Bool, Rows, View

DISK_CONFLICT = unschedulable("node(s) had no available disk")
CLAIM_CONFLICT = unschedulable(
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


class VolumeRestrictions(Plugin):
    """Keep pods apart that cannot share a disk or a claim."""

    name = "VolumeRestrictions"
    reads = frozenset({"usage", "storage", "claims_in_use"})
    pre_reads = frozenset({"storage", "claims_in_use"})
    pod_reads = ("storage",)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without disks and without a claim in use that only one pod may use; reject where a claim is not."""
        if not pod.volumes:
            return SKIP
        for use in pod.volumes.claims:
            if use.owner is None and view.storage.claim(use.key) is None:
                return unresolvable(f'persistentvolumeclaim "{use.name}" not found')
        if pod.volumes.disks:
            return None
        return None if any(view.volumes.is_used(key) for key in _exclusive(pod, view)) else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows where a disk is taken, then all others if a claim is."""
        if not pod.volumes:
            return None
        codes = np.zeros(view.size, dtype=np.int16)
        claims = _exclusive(pod, view)
        codes[_conflicting(view, claims)] = 2
        for disk in pod.volumes.disks:
            codes[_taken(view, disk)] = 1
        codes = codes[rows]
        return Verdicts(codes, (SUCCESS, DISK_CONFLICT, CLAIM_CONFLICT)) if codes.any() else None


def _exclusive(pod: PodInfo, view: View) -> frozenset[str]:
    """Return the claims of a pod, by namespace and name, that only one pod may use."""
    named = (use.key for use in pod.volumes.claims if use.owner is None)
    claims = ((key, view.storage.claim(key)) for key in named)
    return frozenset(
        key for key, claim in claims if claim is not None and READ_WRITE_ONCE_POD in (claim.spec.access_modes or ())
    )


def _conflicting(view: View, claims: frozenset[str]) -> Bool:
    """Return the rows for which some other pod of the cluster uses one of the claims.

    Pods that a what-if adds or takes away count by the name of the claim alone, as in kube-scheduler.
    """
    conflicts = sum(view.volumes.is_used(key) for key in claims)
    further = view.volumes.further_mentions(frozenset(key.partition("/")[2] for key in claims)) if claims else None
    if further is None:
        return np.full(view.size, conflicts > 0)
    return further + conflicts > 0


def _taken(view: View, disk: DiskUse) -> Bool:
    """Return the rows where a disk is in use: written to, or at all if the pod writes to it."""
    taken = np.zeros(view.size, dtype=np.bool_)
    for name in disk.names:
        taken |= view.volumes.disk_users((name, not disk.writes)) > 0
    return taken
