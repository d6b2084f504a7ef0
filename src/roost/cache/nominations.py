"""The nodes that are promised to pods which wait there for others to leave. Who drives the cycle keeps it true."""

from collections.abc import Sequence

from roost.framework.journal import Journal
from roost.framework.pod_info import PodInfo

EPOCH = "nominations"


class Nominations:
    """Pods that wait, each with the node promised to it, by the pod's uid."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._nodes: dict[str, tuple[PodInfo, str]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def set(self, pod: PodInfo, node_name: str) -> bool:
        """Promise a node to a pod in place of any other; with "" take the promise back. Tell whether that is new."""
        known = self._nodes.get(pod.uid)
        if known is not None and known[1] == node_name:
            self._nodes[pod.uid] = pod, node_name
            return False
        if not node_name:
            return self.forget(pod.uid)
        self._nodes[pod.uid] = pod, node_name
        self._journal.bump(EPOCH)
        return True

    def forget(self, uid: str) -> bool:
        """Take back what a pod was promised; tell whether there was anything."""
        known = self._nodes.pop(uid, None)
        if known is not None:
            self._journal.bump(EPOCH)
        return known is not None

    def node_of(self, uid: str) -> str:
        """Return the node promised to a pod; "" if there is none."""
        known = self._nodes.get(uid)
        return known[1] if known is not None else ""

    def on(self, node_name: str) -> list[PodInfo]:
        """Return the pods that a node is promised to."""
        return [pod for pod, name in self._nodes.values() if name == node_name]

    def yielded_to(self, pod: PodInfo) -> Sequence[tuple[PodInfo, str]]:
        """Return the other pods that a pod must leave room for, with their nodes: those of no lower priority."""
        if not self._nodes:
            return ()
        priority, uid = pod.priority, pod.uid
        return [
            (other, node) for other, node in self._nodes.values() if other.priority >= priority and other.uid != uid
        ]
