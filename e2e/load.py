"""Put objects into a Kubernetes API server and read them back, with the standard library only."""

import http.client
import itertools
import json
import queue
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

Object = dict[str, Any]

SCHEDULER_NAME = "roost"
HOSTNAME_LABEL = "kubernetes.io/hostname"
CORE = "/api/v1"
EVENTS = "/apis/events.k8s.io/v1"
NO_GRACE: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
THREADS = 16
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Unreachable(Exception):
    """No answer came: the server is away, or the connection broke."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass
class Api:
    """Speak JSON to one API server over keep-alive connections, from many threads."""

    server: str
    ca_file: str
    token: str
    timeout: float = 30.0
    _idle: "queue.LifoQueue[http.client.HTTPSConnection]" = field(default_factory=queue.LifoQueue)
    _tls: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._tls = ssl.create_default_context(cafile=self.ca_file)

    def get(self, path: str, **query: str) -> Object:
        return self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    def create(self, path: str, obj: Object) -> Object:
        return self.request("POST", path, obj)

    def patch(self, path: str, body: object, content_type: str = MERGE_PATCH) -> Object:
        return self.request("PATCH", path, body, content_type)

    def delete(self, path: str) -> Object:
        return self.request("DELETE", path, NO_GRACE)

    def create_all(self, requests: Iterable[tuple[str, Object]]) -> None:
        """Create every (path, object) with many requests under way."""
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(lambda one: self.create(*one), requests):
                pass

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Object:
        """Send one request; raise Refused for an error answer and Unreachable for none."""
        payload = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "Content-Type": content_type}
        status, text = self._exchange(method, path, payload, headers)
        if status >= 400:
            raise Refused(status, _message(text))
        answer = json.loads(text) if text.startswith(b"{") else {}
        assert isinstance(answer, dict)
        return answer

    def is_ready(self) -> bool:
        """Ask /readyz once."""
        try:
            self.request("GET", "/readyz")
        except (Refused, Unreachable):
            return False
        return True

    def close(self) -> None:
        """Close the idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        while True:
            connection, reused = self._connection()
            try:
                connection.request(method, path, payload, headers)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if reused:  # the server may have closed it while it lay idle; a new connection tells
                    continue
                raise Unreachable(f"{method} {path}: {error!r}") from error
            self._idle.put(connection)
            return response.status, text

    def _connection(self) -> tuple[http.client.HTTPSConnection, bool]:
        try:
            return self._idle.get_nowait(), True
        except queue.Empty:
            where = urlsplit(self.server)
            assert where.hostname is not None
            return http.client.HTTPSConnection(
                where.hostname, where.port, timeout=self.timeout, context=self._tls
            ), False


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300].decode(errors="replace")


def node_object(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "32Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    taints: Sequence[Object] = (),
) -> Object:
    """Describe a ready node that no kubelet stands behind."""
    resources = {"cpu": cpu, "memory": memory, "pods": pods}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {HOSTNAME_LABEL: name, "kubernetes.io/os": "linux", **(labels or {})},
            "annotations": annotations or {},
        },
        "spec": {"taints": list(taints)},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def pod_object(
    name: str,
    *,
    cpu: str = "100m",
    memory: str = "500Mi",
    scheduler: str = SCHEDULER_NAME,
    namespace: str = "default",
    gates: Sequence[str] = (),
    priority_class: str = "",
    owner: str = "",
) -> Object:
    """Describe a pod with one container that never has to run; `owner` names the ReplicaSet that controls it."""
    requests = {"cpu": cpu, "memory": memory}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": _controlled_by(owner)},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "priorityClassName": priority_class,
            "schedulerName": scheduler,
            "containers": [{"name": "main", "image": "pause:3.10", "resources": {"requests": requests}}],
            "schedulingGates": [{"name": gate} for gate in gates],
        },
    }


def _controlled_by(owner: str) -> list[Object]:
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": owner,
        "uid": f"uid-{owner}",
        "controller": True,
    }
    return [reference] if owner else []


def deployment_object(name: str, replicas: int) -> Object:
    """Describe a deployment of such pods."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_object(name)["spec"]},
        },
    }


def create_nodes(api: Api, names: Iterable[str], **shape: Any) -> None:
    """Create a node of one shape for every name."""
    api.create_all((f"{CORE}/nodes", node_object(name, **shape)) for name in names)


def create_pods(api: Api, names: Iterable[str], namespace: str, **shape: Any) -> None:
    """Create a pod of one shape for every name."""
    path = f"{CORE}/namespaces/{namespace}/pods"
    api.create_all((path, pod_object(name, namespace=namespace, **shape)) for name in names)


def numbered(prefix: str, count: int) -> list[str]:
    """Name `count` things."""
    return [f"{prefix}-{i:04d}" for i in range(count)]


def list_nodes(api: Api) -> list[Object]:
    return _items(api.get(f"{CORE}/nodes"))


def list_pods(api: Api, namespace: str | None = None) -> list[Object]:
    return _items(api.get(f"{CORE}/namespaces/{quote(namespace)}/pods" if namespace else f"{CORE}/pods"))


def list_events(api: Api, namespace: str) -> list[Object]:
    return _items(api.get(f"{EVENTS}/namespaces/{quote(namespace)}/events"))


def _items(listing: Object) -> list[Object]:
    items = listing.get("items") or []
    assert isinstance(items, list)
    return items


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float = 30.0, every: float = 0.1, tolerant: bool = False
) -> float:
    """Poll until the condition holds; return the seconds it took (tolerant: an absent server is a no)."""
    began = time.monotonic()
    for _ in itertools.count():
        try:
            if condition():
                break
        except Unreachable:
            if not tolerant:
                raise
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds:g} s still not so: {what}")
        time.sleep(every)
    return time.monotonic() - began
