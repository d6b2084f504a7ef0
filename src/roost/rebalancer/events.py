"""Says in events what is done to nodes and pods, with the reasons and texts of k8s-spot-rescheduler."""

import logging
import time
from collections.abc import Callable
from time import gmtime, strftime

import msgspec

from roost.api.kinds import EVENT
from roost.api.pod import Pod
from roost.errors import ApiError
from roost.framework.cluster import Cluster

COMPONENT = "rescheduler"
DONE, FAILED = "Rescheduler", "ReschedulerFailed"
_NAME_LIMIT = 200

logger = logging.getLogger("roost.rebalancer")


class Events:
    """Writes events as they happen; one that cannot be written is a warning in the log and no more."""

    def __init__(self, cluster: Cluster, *, host: str, wall: Callable[[], float] = time.time) -> None:
        self._cluster = cluster
        self._host = host
        self._wall = wall
        self._unique = int(wall() * 1e9)

    async def of_pod(self, pod: Pod, note: str, *, failed: bool = False) -> None:
        """Say something about a pod."""
        meta = pod.metadata
        regarding = {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid, "apiVersion": "v1"}
        await self._write(regarding, meta.namespace, "Evicting", note, failed)

    async def of_node(self, name: str, uid: str, note: str, *, failed: bool = False) -> None:
        """Say something about a node; the events of what has no namespace are in `default`."""
        regarding = {"kind": "Node", "name": name, "uid": uid, "apiVersion": "v1"}
        await self._write(regarding, "default", "Draining", note, failed)

    async def _write(self, regarding: dict[str, str], namespace: str, action: str, note: str, failed: bool) -> None:
        self._unique += 1
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": f"{regarding['name'][:_NAME_LIMIT]}.{self._unique:x}", "namespace": namespace},
            "eventTime": self._now(),
            "regarding": regarding,
            "note": note,
            "type": "Warning" if failed else "Normal",
            "reason": FAILED if failed else DONE,
            "action": action,
            "reportingController": COMPONENT,
            "reportingInstance": f"{COMPONENT}-{self._host}"[:128],
        }
        try:
            await self._cluster.post(EVENT, msgspec.json.encode(event), namespace)
        except ApiError as error:
            logger.warning("event not written: %s", error)

    def _now(self) -> str:
        now = self._wall()
        return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(now))}.{int(now % 1 * 1_000_000):06d}Z"
