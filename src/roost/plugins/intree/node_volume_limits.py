"""NodeVolumeLimits: no more volumes of a CSI driver on a node than the driver says in its CSINode.

What pods on the node use and what is attached there counts once per volume; what the new pod shares with them does not
count again. A claim without a volume counts for the driver of its class. Source: kube-scheduler 1.36.
"""

from collections.abc import Mapping

import numpy as np

from roost.framework.csi_migration import VolumeId
from roost.framework.node_volumes import volumes_of
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import SKIP, unresolvable, unschedulable
from roost.framework.view import Bool, Rows, View

TOO_MANY = unschedulable("node(s) exceed max volume count")


class NodeVolumeLimits(Plugin):
    """Reject nodes to which not all volumes of the pod can be attached."""

    name = "NodeVolumeLimits"
    reads = frozenset({"usage", "storage"})
    pre_reads = frozenset()
    pod_reads = ("storage",)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without volumes that a CSI driver attaches."""
        return None if pod.volumes.claims or pod.volumes.migrated else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows where a driver would have more volumes than it can have."""
        for use in pod.volumes.claims:
            if view.storage.claim(use.key) is None:
                missing = f'looking up PVC {use.key}: persistentvolumeclaim "{use.name}" not found'
                return Verdicts.rejecting(np.ones(view.size, dtype=np.bool_)[rows], unresolvable(missing))
        rejected = np.zeros(view.size, dtype=np.bool_)
        for driver, volumes in _by_driver(view, pod).items():
            rejected |= _too_many(view, driver, volumes)
        return Verdicts.rejecting(rejected[rows], TOO_MANY) if rejected.any() else None


def _by_driver(view: View, pod: PodInfo) -> Mapping[str, list[VolumeId]]:
    found: dict[str, list[VolumeId]] = {}
    for volume in dict.fromkeys(volumes_of(view.storage, pod.volumes)):
        found.setdefault(volume.driver, []).append(volume)
    return found


def _too_many(view: View, driver: str, volumes: list[VolumeId]) -> Bool:
    limit = view.volumes.limit(driver)
    if limit is None:
        return np.zeros(view.size, dtype=np.bool_)
    new = np.full(view.size, len(volumes), dtype=np.int64)
    for volume in volumes:
        new -= view.volumes.pods_with(volume) > 0
    return (new > 0) & (view.volumes.count(driver) + new > limit)
