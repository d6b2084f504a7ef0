"""What `kubectl get pods` shows of a pod: how many containers are ready, its status in a word, and restarts."""

from collections.abc import Iterator

from msgspec import Struct

from roost.apiserver.ages import age
from roost.apiserver.conditions import find_condition, is_true
from roost.apiserver.stored import Object

GATED = "SchedulingGated"
_ENDED = ("Succeeded", "Failed")


class PodRow(Struct):
    """The cells of a pod that follow from the states of its containers."""

    reason: str
    total: int
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""
    is_initializing: bool = False

    def count_restarts(self, container: Object) -> None:
        """Add a container's restarts, and remember when the last was."""
        self.restarts += container.get("restartCount") or 0
        finished = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
        self.last_restart = max(self.last_restart, finished)

    def restarts_text(self, now: float) -> str:
        """Return the restarts, with the time since the last."""
        if not self.restarts or not self.last_restart:
            return str(self.restarts)
        return f"{self.restarts} ({age(self.last_restart, now)} ago)"


def pod_row(pod: Object) -> PodRow:
    """Read what to show of a pod, as kube-apiserver does."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {one["name"] for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    row = PodRow(_first_reason(pod, status), len(spec.get("containers") or ()) + len(sidecars))
    _read_init_containers(row, status, sidecars, len(spec.get("initContainers") or ()))
    if not row.is_initializing or is_true(pod, "Initialized"):
        _read_containers(row, pod, status, sidecars)
    _read_deletion(row, pod, status)
    return row


def readiness_gates(pod: Object) -> str:
    """Return how many readiness gates are open, such as 1/2."""
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return "<none>"
    return f"{sum(is_true(pod, gate['conditionType']) for gate in gates)}/{len(gates)}"


def _first_reason(pod: Object, status: Object) -> str:
    scheduled = find_condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == GATED:
        return GATED
    return str(status.get("reason") or status.get("phase") or "")


def _read_init_containers(row: PodRow, status: Object, sidecars: set[str], count: int) -> None:
    for i, container in enumerate(status.get("initContainerStatuses") or ()):
        row.count_restarts(container)
        state = container.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode") == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            row.ready += bool(container.get("ready"))
            continue
        row.reason = f"Init:{_init_reason(state) or f'{i}/{count}'}"
        row.is_initializing = True
        return


def _init_reason(state: Object) -> str:
    if "terminated" in state:
        return _ended_reason(state["terminated"])
    waiting = (state.get("waiting") or {}).get("reason") or ""
    return "" if waiting == "PodInitializing" else str(waiting)


def _read_containers(row: PodRow, pod: Object, status: Object, sidecars: set[str]) -> None:
    row.restarts, row.last_restart = 0, ""
    for container in status.get("initContainerStatuses") or ():
        if container["name"] in sidecars:
            row.count_restarts(container)
    is_running, failed = False, ""
    for container, state in _backwards(status):
        row.count_restarts(container)
        if waiting := (state.get("waiting") or {}).get("reason"):
            row.reason = waiting
        elif "terminated" in state:
            row.reason = _ended_reason(state["terminated"])
            failed = row.reason if state["terminated"].get("exitCode") else failed
        elif container.get("ready") and "running" in state:
            is_running = True
            row.ready += 1
    if row.reason == "Completed":
        row.reason = _reason_of_some_completed(is_running, is_true(pod, "Ready"), failed)


def _backwards(status: Object) -> Iterator[tuple[Object, Object]]:
    for container in reversed(status.get("containerStatuses") or ()):
        yield container, container.get("state") or {}


def _reason_of_some_completed(is_running: bool, is_ready: bool, failed: str) -> str:
    if is_running and is_ready:
        return "Running"
    return failed or ("NotReady" if is_running else "Completed")


def _ended_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _read_deletion(row: PodRow, pod: Object, status: Object) -> None:
    if "deletionTimestamp" not in pod["metadata"]:
        return
    if status.get("reason") == "NodeLost":
        row.reason = "Unknown"
    elif status.get("phase") not in _ENDED:
        row.reason = "Terminating"
