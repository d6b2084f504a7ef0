"""DefaultBinder: writes the decision to the API server."""

from roost.framework.cluster import Cluster
from roost.framework.plugin import Plugin
from roost.framework.pod_info import PodInfo
from roost.framework.status import Status


class DefaultBinder(Plugin):
    """Bind by creating the pod's Binding."""

    name = "DefaultBinder"
    reads = frozenset()
    pod_reads = ()

    async def bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Create the Binding; raises ApiError if the API server refuses or does not answer."""
        await cluster.bind(pod.pod.namespace, pod.pod.name, pod.uid, node_name)
        return None
