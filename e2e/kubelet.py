"""Plays the kubelet: pods that are bound run, and the containers whose programs are here really do.

A container of the image `roost` or `kube-scheduler` becomes a process of this machine, with the token of its pod's own
service account and the ConfigMaps it mounts. Any other container is only said to run. What a process writes is what
`kubectl logs` shows; a readiness probe over HTTP is asked; a deleted pod's processes get SIGTERM. All pods share the
loopback interface, as pods with `hostNetwork` do.
"""

import http.client
import re
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

from e2e.load import CORE, Api, Object, Refused, Unreachable, list_pods, node_object
from e2e.processes import Process
from e2e.rig import ControlPlane

EVERY = 0.1
STARTED = "2026-01-01T00:00:00Z"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass
class Pod:
    """A pod that runs here: its containers' processes by name, and where they keep their files."""

    uid: str
    folder: Path
    processes: dict[str, Process] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    """The containers that have answered their probe once; that is enough here."""
    reported: Object = field(default_factory=dict)


@dataclass
class Kubelet:
    """All the kubelets of a cluster, as a context manager."""

    control_plane: ControlPlane
    folder: Path
    programs: Mapping[str, Sequence[str]]
    """What to start, by the name of an image without host and tag."""
    errors: list[str] = field(default_factory=list)
    _pods: dict[tuple[str, str], Pod] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self.control_plane.pki.server
        context.load_cert_chain(pair.certificate, pair.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        for target in (self._server.serve_forever, self._work):
            self._threads.append(threading.Thread(target=target, daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()
        for key in list(self._pods):
            self._end(key)

    @property
    def _api(self) -> Api:
        return self.control_plane.api

    def register(self, name: str, **shape: Any) -> None:
        """Create a node on which pods run."""
        node = node_object(name, **shape)
        node["status"]["nodeInfo"] = {"kubeletVersion": "v1.36.2"}
        node["status"]["addresses"] = [{"type": "InternalIP", "address": "127.0.0.1"}]
        node["status"]["daemonEndpoints"] = {"kubeletEndpoint": {"Port": self._server.server_port}}
        self._api.create(f"{CORE}/nodes", node)

    def log_of(self, namespace: str, pod: str, container: str) -> str | None:
        """Read what a container has written; None if there is no such pod here."""
        here = self._pods.get((namespace, pod))
        if here is None:
            return None
        process = here.processes.get(container)
        return process.log_text() if process else ""

    def _work(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self._look()
            except (Unreachable, Refused) as error:  # a pod that is gone by now, for one: look again
                self.errors.append(str(error))

    def _look(self) -> None:
        there = {_key(pod): pod for pod in list_pods(self._api) if pod["spec"].get("nodeName")}
        for key in [key for key, here in self._pods.items() if _uid(there.get(key)) != here.uid]:
            self._end(key)
        for key, pod in there.items():
            if pod["metadata"].get("deletionTimestamp"):
                self._end(key)
                self._api.delete(f"{CORE}/namespaces/{key[0]}/pods/{key[1]}")
                continue
            if key not in self._pods:
                self._pods[key] = self._start(key, pod)
            self._report(key, pod)

    def _end(self, key: tuple[str, str]) -> None:
        here = self._pods.pop(key, None)
        for process in here.processes.values() if here else ():
            process.stop()

    def _start(self, key: tuple[str, str], pod: Object) -> Pod:
        here = Pod(pod["metadata"]["uid"], self.folder / "-".join([*key, pod["metadata"]["uid"][:8]]))
        here.folder.mkdir(parents=True)
        for container in pod["spec"]["containers"]:
            program = self.programs.get(_image_name(container["image"]))
            if program is not None:
                here.processes[container["name"]] = self._run(key[0], pod, container, program, here)
        return here

    def _run(self, namespace: str, pod: Object, container: Object, program: Sequence[str], here: Pod) -> Process:
        kubeconfig = self._kubeconfig(namespace, pod["spec"]["serviceAccountName"])
        arguments = [*container.get("command", [])[1:], *container.get("args", [])]
        env = {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}
        for mount in container.get("volumeMounts", []):
            volume = next(one for one in pod["spec"]["volumes"] if one["name"] == mount["name"])
            if "configMap" in volume:
                folder = str(self._mount(namespace, volume["configMap"]["name"], kubeconfig, here))
                arguments = [one.replace(mount["mountPath"], folder) for one in arguments]
                env = {name: value.replace(mount["mountPath"], folder) for name, value in env.items()}
        arguments = [re.sub(r"\$\((\w+)\)", lambda name: env.get(name[1], name[0]), one) for one in arguments]
        log = here.folder / f"{container['name']}.log"
        return Process([*program, *arguments], log, env={"KUBECONFIG": str(kubeconfig), **env})

    def _kubeconfig(self, namespace: str, account: str) -> Path:
        """Sign in as a service account, with a token as the kubelet asks for it."""
        path = f"{CORE}/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self._api.create(path, request)["status"]["token"]
        return self.control_plane.kubeconfig_with(f"pod-{namespace}-{account}", token)

    def _mount(self, namespace: str, name: str, kubeconfig: Path, here: Pod) -> Path:
        """Write the files of a ConfigMap; configurations sign in with a kubeconfig where they would as a pod."""
        folder = here.folder / name
        folder.mkdir(exist_ok=True)
        for file, text in self._api.get(f"{CORE}/namespaces/{namespace}/configmaps/{name}")["data"].items():
            content = yaml.safe_load(text) if file.endswith((".yaml", ".json")) else None
            if isinstance(content, dict) and content.get("kind") == "KubeSchedulerConfiguration":
                content.setdefault("clientConnection", {}).setdefault("kubeconfig", str(kubeconfig))
                text = yaml.safe_dump(content, sort_keys=False)
            (folder / file).write_text(text)
        return folder

    def _report(self, key: tuple[str, str], pod: Object) -> None:
        here = self._pods[key]
        status = _status(pod, here)
        if status != here.reported:
            self._api.patch(f"{CORE}/namespaces/{key[0]}/pods/{key[1]}/status", {"status": status}, STRATEGIC)
            here.reported = status


def _status(pod: Object, here: Pod) -> Object:
    containers = [_container_status(one, here) for one in pod["spec"]["containers"]]
    ready = "True" if all(one["ready"] for one in containers) else "False"
    conditions = {"Initialized": "True", "PodReadyToStartContainers": "True", "ContainersReady": ready, "Ready": ready}
    return {
        "phase": "Running",
        "startTime": STARTED,
        "conditions": [{"type": kind, "status": status} for kind, status in conditions.items()],
        "containerStatuses": containers,
    }


def _container_status(container: Object, here: Pod) -> Object:
    name = container["name"]
    process = here.processes.get(name)
    runs = process is None or process.is_alive()
    if runs and name not in here.ready and (process is None or _is_ready(container)):
        here.ready.add(name)
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": STARTED, "finishedAt": STARTED}}
    return {
        "name": name,
        "image": container["image"],
        "imageID": "",
        "restartCount": 0,
        "started": runs,
        "ready": runs and name in here.ready,
        "state": {"running": {"startedAt": STARTED}} if runs else ended,
    }


def _is_ready(container: Object) -> bool:
    probe = container.get("readinessProbe", {}).get("httpGet")
    if probe is None:
        return True
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    port = ports.get(probe["port"], probe["port"])
    try:
        connection = _connection(probe.get("scheme", "HTTP"), port)
        connection.request("GET", probe["path"])
        return bool(connection.getresponse().status == 200)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(scheme: str, port: int) -> http.client.HTTPConnection:
    if scheme == "HTTP":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=1, context=unverified)


def _handler(kubelet: Kubelet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = re.fullmatch(r"/containerLogs/([^/]+)/([^/]+)/([^/]+)", url.path)
            text = kubelet.log_of(*asked.groups()) if asked else None
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write(_tail(text or "", parse_qs(url.query)).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing: pytest's output is for failures."""

    return Handler


def _tail(text: str, query: Mapping[str, Sequence[str]]) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[-int(query["tailLines"][0]) :] if "tailLines" in query else lines)


def _key(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _uid(pod: Object | None) -> str:
    return pod["metadata"]["uid"] if pod else ""


def _image_name(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[0]
