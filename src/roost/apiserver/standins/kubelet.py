"""The kubelet of all nodes: bound pods run after a moment, deleted ones end, nodes are ready."""

from hashlib import blake2b

from roost.apiserver.conditions import find_condition, is_true, with_condition
from roost.apiserver.resources import NODE, POD
from roost.apiserver.standins.owned import has_ended, is_leaving
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import DeleteOptions, Object, Store, Stored
from roost.apiserver.timestamps import rfc3339

START_SECONDS = 0.3
STOP_SECONDS = 0.1
_READY_PARTS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_AT_ONCE = DeleteOptions(grace_seconds=0)


class Kubelet(Standin):
    """Moves pods on; remembers since when it has known that each is to start or to stop."""

    reads = (POD, NODE)

    def __init__(self, start_seconds: float = START_SECONDS, stop_seconds: float = STOP_SECONDS) -> None:
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._since: dict[tuple[str, bool], float] = {}

    def reconcile(self, store: Store, now: float) -> float | None:
        """Start and stop the pods whose time has come; return when the next one is due."""
        for node in store.all(NODE):
            _make_ready(store, node, now)
        waiting: dict[tuple[str, bool], float] = {}
        for pod in store.all(POD):
            if _is_to_stop(pod) or _is_to_start(store, pod):
                key = (pod.metadata["uid"], is_leaving(pod))
                waiting[key] = self._since.get(key, now)
                if self._move(store, pod, waiting[key], now):
                    del waiting[key]
        self._since = waiting
        return min((self._due(key[1], since) for key, since in waiting.items()), default=None)

    def _due(self, stops: bool, since: float) -> float:
        return since + (self._stop_seconds if stops else self._start_seconds)

    def _move(self, store: Store, pod: Stored, since: float, now: float) -> bool:
        if now < self._due(is_leaving(pod), since):
            return False
        if is_leaving(pod):
            store.delete(POD, pod.name, pod.namespace, _AT_ONCE)
        else:
            store.replace(pod, {**pod.object, "status": _running(pod, now)})
        return True


def address(name: str, network: int) -> str:
    """Return the address that goes with a name in a network."""
    first, second, third = blake2b(name.encode(), digest_size=3).digest()
    return f"10.{network + first % 16}.{second}.{third % 254 + 1}"


def _is_to_stop(pod: Stored) -> bool:
    return is_leaving(pod) and bool(pod.object["spec"].get("nodeName")) and bool(_grace(pod))


def _grace(pod: Stored) -> int:
    return int(pod.metadata.get("deletionGracePeriodSeconds") or 0)


def _is_to_start(store: Store, pod: Stored) -> bool:
    node_name = pod.object["spec"].get("nodeName")
    if not node_name or is_leaving(pod) or has_ended(pod) or is_true(pod.object, "Ready"):
        return False
    return store.find(NODE, node_name) is not None


def _running(pod: Stored, now: float) -> Object:
    spec, text = pod.object["spec"], rfc3339(now)
    status = {**pod.object["status"], "phase": "Running", "startTime": text}
    conditions = status.get("conditions")
    for type_ in _READY_PARTS:
        conditions = with_condition(conditions, {"type": type_, "status": "True"}, text)
    host, own = address(spec["nodeName"], 64), address(pod.metadata["uid"], 244 - 16)
    own = host if spec.get("hostNetwork") else own
    status |= {"hostIP": host, "hostIPs": [{"ip": host}], "podIP": own, "podIPs": [{"ip": own}]}
    status["conditions"] = conditions
    status["containerStatuses"] = [_container(pod, one, {"running": {"startedAt": text}}) for one in spec["containers"]]
    if spec.get("initContainers"):
        ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": text, "finishedAt": text}}
        status["initContainerStatuses"] = [_container(pod, one, ended) for one in spec["initContainers"]]
    return status


def _container(pod: Stored, container: Object, state: Object) -> Object:
    if container.get("restartPolicy") == "Always":
        state = {"running": {"startedAt": pod.metadata["creationTimestamp"]}}
    digest = blake2b(f"{pod.metadata['uid']}/{container['name']}".encode(), digest_size=32).hexdigest()
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"],
        "containerID": f"roost://{digest}",
        "ready": True,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }


def _make_ready(store: Store, node: Stored, now: float) -> None:
    if find_condition(node.object, "Ready") is not None:
        return
    status, text = node.object.get("status") or {}, rfc3339(now)
    wanted = [("Ready", "True", "KubeletReady", "kubelet is posting ready status")]
    wanted += [(type_, "False", f"KubeletHasNo{type_}", f"kubelet has no {type_}") for type_ in _PRESSURES]
    conditions = status.get("conditions")
    for type_, value, reason, message in wanted:
        condition = {"type": type_, "status": value, "reason": reason, "message": message, "lastHeartbeatTime": text}
        conditions = with_condition(conditions, condition, text)
    addresses = [
        {"type": "InternalIP", "address": address(node.name, 64)},
        {"type": "Hostname", "address": node.name},
    ]
    after = {"addresses": addresses, "nodeInfo": _node_info(node), **status, "conditions": conditions}
    store.replace(node, {**node.object, "status": after})


def _node_info(node: Stored) -> Object:
    digest = blake2b(node.name.encode(), digest_size=16).hexdigest()
    return {
        "architecture": "amd64",
        "operatingSystem": "linux",
        "osImage": "Roost stand-in",
        "kernelVersion": "none",
        "containerRuntimeVersion": "roost://1",
        "kubeletVersion": "v1.36.0",
        "kubeProxyVersion": "",
        "machineID": digest,
        "systemUUID": digest,
        "bootID": digest,
    }
