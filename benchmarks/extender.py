"""The webhook server: filter and prioritize round trips, nodes by name and in full.

    python -m benchmarks.extender [--nodes 100,1000,5000] [--policy SafeOverload] [--rounds 20] [--json]

`roost extend` runs as a process of its own and is asked over one kept connection on loopback, by one client, as
kube-scheduler asks. By name, it watches an embedded cluster with as many nodes; in full, the nodes come in the body,
each with about 9 KB of JSON. Every round asks about a pod with other requests, so that no answer is a remembered one.
Memory is the peak of the server while it answers, beyond what it held before, as a multiple of the body.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from roost.apiserver.kubeconfig import write_kubeconfig
from roost.apiserver.resources import NODE
from roost.apiserver.server import serve
from roost.apiserver.store import Store

NODE_BYTES = 9000
MEBI = 1 << 20
READY_SECONDS = 60.0


@dataclass
class Figures:
    """What one way of asking came to: milliseconds at the median, body and peak memory in MiB."""

    way: str
    nodes: int
    body: float
    filter: float
    prioritize: float
    peak: float

    def line(self) -> str:
        both = self.filter + self.prioritize
        times = f"filter {self.filter:7.2f} ms   prioritize {self.prioritize:7.2f} ms   both {both:7.2f} ms"
        return f"{self.nodes:>6} nodes {self.way:<8} {times}   body {self.body:6.2f} MiB   peak +{self.peak:.1f} MiB"


def main() -> None:
    """Measure every size both ways, and print the medians."""
    options = _options()
    figures = []
    for count in [int(text) for text in options.nodes.split(",")]:
        nodes = [full_node(number) for number in range(count)]
        for measure in (_by_name, _in_full):
            figures.append(measure(nodes, options.policy, options.rounds))
            if not options.json:
                print(figures[-1].line(), flush=True)
    if options.json:
        print(json.dumps([asdict(one) for one in figures], indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="100,1000,5000")
    parser.add_argument("--policy", default="SafeOverload")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _by_name(nodes: list[dict[str, Any]], policy: str, rounds: int) -> Figures:
    names = [node["metadata"]["name"] for node in nodes]
    with _embedded(nodes) as kubeconfig, _extender(policy, "--kubeconfig", kubeconfig) as server:
        return _measure("by name", server, len(nodes), {"Nodes": None, "NodeNames": names}, rounds)


def _in_full(nodes: list[dict[str, Any]], policy: str, rounds: int) -> Figures:
    with _extender(policy, "--no-cluster") as server:
        listed = {"Nodes": {"metadata": {}, "items": nodes}, "NodeNames": None}
        return _measure("in full", server, len(nodes), listed, max(5, rounds // 4))


@dataclass
class Server:
    """A running extender and a connection to it."""

    pid: int
    connection: http.client.HTTPConnection

    def ask(self, verb: str, body: bytes) -> float:
        """Return the milliseconds from sending the request to having read the whole answer."""
        began = time.perf_counter()
        self.connection.request("POST", f"/{verb}", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        seconds = time.perf_counter() - began
        if response.status != 200:
            raise SystemExit(f"{verb} was answered {response.status}: {text[:300]!r}")
        return seconds * 1000

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory(self, field: str) -> float:
        """Return VmRSS or VmHWM in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def _measure(way: str, server: Server, count: int, nodes: dict[str, Any], rounds: int) -> Figures:
    tail = json.dumps(nodes).encode()[1:]
    bodies = [_body(pod_number, tail) for pod_number in range(2)]
    for body in bodies:  # the first request of a process loads and compiles
        server.ask("filter", body)
        server.ask("prioritize", body)
    before = server.memory("VmRSS")
    server.forget_peak()
    times: dict[str, list[float]] = {"filter": [], "prioritize": []}
    for pod_number in range(2, rounds + 2):
        body = _body(pod_number, tail)
        for verb, taken in times.items():
            taken.append(server.ask(verb, body))
    medians = {verb: statistics.median(taken) for verb, taken in times.items()}
    peak = server.memory("VmHWM") - before
    return Figures(way, count, len(bodies[0]) / MEBI, medians["filter"], medians["prioritize"], peak)


def _body(number: int, tail: bytes) -> bytes:
    requests = {"cpu": f"{100 + number}m", "memory": f"{200 + number}Mi"}
    container = {"name": "main", "image": "pause:3.10", "resources": {"requests": requests}}
    metadata = {"name": f"pod-{number}", "namespace": "default", "uid": f"uid-{number}"}
    return b'{"Pod":' + json.dumps({"metadata": metadata, "spec": {"containers": [container]}}).encode() + b"," + tail


def full_node(number: int) -> dict[str, Any]:
    """Return a node as large as real ones are, with measured usage in its annotations."""
    free = 500 + 37 * number % 3400
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node-{number:05}",
            "uid": f"00000000-0000-0000-0000-{number:012}",
            "labels": {"kubernetes.io/hostname": f"node-{number:05}", "topology.kubernetes.io/zone": f"z{number % 3}"},
            "annotations": {
                "mean-free-cpu": str(free),
                "std-free-cpu": "150",
                "mean-free-memory": str(free * 2 * MEBI),
                "std-free-memory": str(100 * MEBI),
                "congestion-factor": str(number % 100),
            },
        },
        "spec": {"podCIDR": "10.0.0.0/24", "providerID": f"example:///zone/{number}"},
        "status": {
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"}
            ],
            "images": [],
        },
    }
    image = 0
    while len(json.dumps(node)) < NODE_BYTES:
        names = [f"registry.example/team-{image}/service-{image}@sha256:{image:064x}", f"registry.example/s:{image}"]
        node["status"]["images"].append({"names": names, "sizeBytes": 10_000_000 + image})
        image += 1
    return node


@contextmanager
def _embedded(nodes: list[dict[str, Any]]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=_serve, args=(nodes, folder, theirs))
        process.start()
        try:
            yield ours.recv()
        finally:
            ours.send("end")
            process.join()


def _serve(nodes: list[dict[str, Any]], folder: str, pipe: "Pipe[Any, Any]") -> None:
    async def run() -> None:
        store = Store(time.time)
        for node in nodes:
            store.create(NODE, node)
        async with serve(store) as running:
            kubeconfig = Path(folder) / "kubeconfig"
            write_kubeconfig(kubeconfig, running.url)
            pipe.send(str(kubeconfig))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


@contextmanager
def _extender(policy: str, *arguments: str) -> Iterator[Server]:
    port = _free_port()
    command = [sys.executable, "-m", "roost", "extend", "--policy", policy, "--address", "127.0.0.1"]
    process = subprocess.Popen([*command, "--port", str(port), "--log-level", "warning", *arguments])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        _wait_until_ready(connection, process)
        yield Server(process.pid, connection)
    finally:
        connection.close()
        process.terminate()
        process.wait(15)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(connection: http.client.HTTPConnection, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            response.read()
        except OSError:
            connection.close()
        else:
            if response.status == 200:
                return
        time.sleep(0.05)
    raise SystemExit("the extender did not become ready")


if __name__ == "__main__":
    main()
