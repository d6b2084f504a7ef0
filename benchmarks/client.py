"""Measure the client's CPU per binding and per watch event, against a scripted HTTPS server in another process.

    python -m benchmarks.client            # uvloop, as `roost run` uses it
    python -m benchmarks.client --asyncio  # the standard library's loop

Only this process is measured (user and system time); the server, in a process of its own, answers as an API server
does: 201 with a Status to bindings, one chunk per event of about 5 KB to watches.
"""

import argparse
import asyncio
import multiprocessing
import ssl
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import httptools
import msgspec
import trustme
import uvloop

from roost.api.kinds import POD
from roost.client import ConnectionInfo, KubeCluster, connect
from roost.client.target import Pem, Tls, Token

HEADERS = (
    b"Audit-Id: 4c1b2b5e-8f5c-4a2e-9a57-6d1d7c0d3c11\r\nCache-Control: no-cache, private\r\n"
    b"Content-Type: application/json\r\nX-Kubernetes-Pf-Flowschema-Uid: 9a57d7c0-8f5c-4a2e-9a57-6d1d7c0d3c11\r\n"
    b"X-Kubernetes-Pf-Prioritylevel-Uid: 6d1d7c0d-8f5c-4a2e-9a57-6d1d7c0d3c11\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
)
CREATED = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}\n'
BOUND = b"HTTP/1.1 201 Created\r\n" + HEADERS + b"Content-Length: %d\r\n\r\n" % len(CREATED) + CREATED
STREAM = b"HTTP/1.1 200 OK\r\n" + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"


class Answers(asyncio.Protocol):
    """The server's side: bindings are answered at once, a watch gets all its events."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.parser = httptools.HttpRequestParser(self)
        self.watch = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.watch = b"watch=true" in url

    def on_message_complete(self) -> None:
        if self.watch:
            self.task = asyncio.ensure_future(self.stream())
        else:
            self.write(BOUND)

    async def stream(self) -> None:
        self.write(STREAM)
        line = event()
        chunk = b"%x\r\n%b\r\n" % (len(line), line)
        for number in range(self.events):
            self.write(chunk)
            if number % 16 == 15:
                await asyncio.sleep(0)
        self.write(b"0\r\n\r\n")

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


def event() -> bytes:
    """Return a watch line as the API server writes it for a pod, about 5.3 KB, two fifths of it managedFields."""
    container = {
        "name": "main",
        "image": "registry.example.org/team/service:1.2.3",
        "command": ["/bin/service", "--port=8080"],
        "env": [{"name": f"SETTING_{number}", "value": "x" * 24} for number in range(12)],
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io"}],
    }
    fields: dict[str, object] = {
        f"f:field-{number}": {".": {}, f"k:{{'name':'{number}'}}": {"f:value": {}}} for number in range(36)
    }
    labels = {f"team.example.org/label-{number}": f"value-{number}" for number in range(6)}
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "service-6d4cf56db6-abcde",
            "namespace": "default",
            "uid": "4c1b2b5e-8f5c-4a2e-9a57-6d1d7c0d3c11",
            "resourceVersion": "123456",
            "creationTimestamp": "2026-11-21T12:00:00Z",
            "labels": labels,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "service", "controller": True}],
            "managedFields": [{"manager": "kube-controller-manager", "fieldsType": "FieldsV1", "fieldsV1": fields}],
        },
        "spec": {
            "containers": [container],
            "schedulerName": "roost",
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
            ],
        },
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": name, "status": "False", "lastTransitionTime": "2026-11-21T12:00:00Z", "reason": "Because"}
                for name in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
        },
    }
    return msgspec.json.encode({"type": "MODIFIED", "object": pod}) + b"\n"


def serve(pipe: Pipe, certificate: str, events: int) -> None:
    """Serve until the process is ended; tell the port through the pipe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Answers(events), "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def measure_binds(cluster: KubeCluster, count: int, in_flight: int) -> float:
    """Return the microseconds of CPU that a binding takes."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await cluster.bind("default", f"pod-{number}", "4c1b2b5e-8f5c-4a2e-9a57-6d1d7c0d3c11", "node-1")

    await asyncio.gather(*(cluster.bind("default", "warm-up", "u", "n") for _ in range(in_flight)))
    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return (time.process_time() - began) / count * 1e6


async def measure_watch(cluster: KubeCluster, count: int) -> float:
    """Return the microseconds of CPU that a watch event takes, decoded."""
    began = time.process_time()
    seen = 0
    async for events in cluster.watch(POD, resource_version="1"):
        seen += len(events)
    assert seen == count, f"{seen} of {count} events"
    return (time.process_time() - began) / count * 1e6


async def repeat(rounds: int, measure: Callable[[], Awaitable[float]]) -> float:
    """Return the median of some rounds."""
    return statistics.median([await measure() for _ in range(rounds)])


async def run(info: ConnectionInfo, arguments: argparse.Namespace) -> None:
    """Measure and print."""
    async with connect(info) as cluster:
        bind = await repeat(arguments.rounds, lambda: measure_binds(cluster, arguments.binds, arguments.in_flight))
        alone = await repeat(arguments.rounds, lambda: measure_binds(cluster, arguments.binds // 4, 1))
        watch = await repeat(arguments.rounds, lambda: measure_watch(cluster, arguments.events))
    print(f"binding, {arguments.in_flight} in flight: {bind:.1f} µs CPU; one at a time: {alone:.1f} µs")
    print(f"watch event of {len(event())} bytes, decoded: {watch:.1f} µs CPU")


def main() -> None:
    """Start the server, measure, and stop it."""
    parser = argparse.ArgumentParser(description="Measure the client's CPU per binding and per watch event.")
    parser.add_argument("--asyncio", action="store_true", help="use the standard library's event loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--binds", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=64)
    arguments = parser.parse_args()
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(theirs, str(certificate), arguments.events), daemon=True)
        server.start()
        url = f"https://127.0.0.1:{ours.recv()}"
    tls = Tls(Pem("the benchmark's authority", text=authority.cert_pem.bytes().decode()))
    loop = asyncio.new_event_loop if arguments.asyncio else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(ConnectionInfo(url, tls, Token("t" * 900)), arguments))
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
