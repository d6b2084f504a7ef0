"""A large cluster in this process, read as the live scheduler reads it, and what decisions and events cost then."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks import scale_objects
from benchmarks.core import Figures
from benchmarks.scale_objects import HOSTNAME, ZONE, World
from roost.api.kinds import NODE, POD, REPLICA_SET, SERVICE, Kind
from roost.api.meta import Value
from roost.api.pod import Pod
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.store import Store
from roost.cache import Cache
from roost.client.listing import read_page
from roost.client.watch import WatchDecoder
from roost.config.profiles import default_profile
from roost.framework.cluster import Listing
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.scheduler.loop import Scheduler
from roost.testing import pod

T = TypeVar("T", bound=Value)
EVENTS = 5000
NODE_EVENTS = 500
ROUNDS = 3
Fields = Mapping[str, Any]


class Loaded:
    """The parts of a live scheduler that a world has been read into, and what that took."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.figures: Figures = {"nodes": world.nodes, "placed pods": world.placed, "pending pods": world.pending}
        self.cycle = Cycle(default_profile())
        self.scheduler = Scheduler(InProcessCluster(Store(time.time)), Cache(), {"roost": self.cycle})
        self.cache = self.scheduler.cache
        gc.disable()
        self._read()
        gc.freeze()
        gc.enable()

    def _read(self) -> None:
        handlers, world = self.scheduler.handlers, self.world
        self._take(NODE, scale_objects.nodes(world), world.nodes, handlers.replace_nodes)
        for follower in handlers.followers:
            if follower.further.kind is SERVICE:
                self._take(SERVICE, scale_objects.services(world), world.apps, follower.replace)
            if follower.further.kind is REPLICA_SET:
                self._take(REPLICA_SET, scale_objects.replica_sets(world), world.apps, follower.replace)
        self._take(POD, scale_objects.pods(world), world.pods, handlers.replace_pods)

    def _take(self, kind: Kind[T], objects: Iterator[bytes], count: int, replace: Callable[[Listing[T]], None]) -> None:
        """Read a list page by page and hand it on, as the client and the reflector do."""
        items: list[T] = []
        size, reading = 0, 0.0
        for body in scale_objects.pages(kind.name, objects, count):
            size += len(body)
            began = time.process_time()
            items += read_page(body, kind).items
            reading += time.process_time() - began
        began = time.process_time()
        replace(Listing(items, "1"))
        taking = time.process_time() - began
        self.figures |= {
            f"{kind.plural}: MB of JSON": size / 1e6,
            f"{kind.plural}: µs to read one": reading * 1e6 / count,
            f"{kind.plural}: µs to take one in": taking * 1e6 / count,
            f"{kind.plural}: s of CPU": reading + taking,
            f"{kind.plural}: MiB of memory afterwards": memory("VmRSS"),
        }


def memory(name: str, process: str = "self") -> float:
    """Return MiB of memory of a process: VmRSS is what it has now, VmHWM the most that it had."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(world: World) -> Figures:
    """Return what it takes to read a world, to decide for its pending pods, and the peak of memory."""
    loaded = Loaded(world)
    figures = loaded.figures
    figures["all lists: s of CPU"] = sum(value for name, value in figures.items() if name.endswith(": s of CPU"))
    infos = [queued.info for queued in loaded.scheduler.queue.pop(time.monotonic(), world.pending)]
    if infos:
        figures["first decision, ms"] = _decide(loaded, infos[:1]) / 1000
        figures["decision, µs"] = _decide(loaded, infos[1:])
        figures["decisions per second"] = 1e6 / figures["decision, µs"]
    figures["MiB of memory at the peak"] = memory("VmHWM")
    return figures


def compare(world: World, count: int) -> Figures:
    """Return what decisions of each shape and watch events cost in a world."""
    loaded = Loaded(world)
    figures: Figures = {"nodes": world.nodes, "placed pods": world.placed}
    for name, spec in SHAPES.items():
        figures[f"{name}: µs a decision"] = statistics.median(
            _decide(loaded, _pods(loaded.cache, f"{name}-{number}", spec, count)) for number in range(ROUNDS)
        )
    for name, lines in EVENTS_OF.items():
        figures[f"{name}: µs an event"] = _take_in(loaded, list(lines(world)), NODE if "node" in name else POD)
    figures["MiB of memory at the peak"] = memory("VmHWM")
    return figures


def _decide(loaded: Loaded, infos: list[PodInfo]) -> float:
    """Decide for pods and count each on its node; return µs of CPU a decision."""
    began = time.process_time()
    placed = 0
    for decision in loaded.cycle.decide_run(infos, loaded.cache.view, Context()):
        if decision.node is not None:
            loaded.cache.assume(decision.pod, decision.node)
            placed += 1
    took = time.process_time() - began
    assert placed == len(infos), f"{len(infos) - placed} pods found no node"
    return took * 1e6 / max(len(infos), 1)


# ---- shapes


def _pods(cache: Cache, prefix: str, spec: Fields, count: int) -> list[PodInfo]:
    labels = {"app.kubernetes.io/name": "new", "app.kubernetes.io/part-of": "platform", "shape": prefix}
    return [
        cache.pod_info(_pod(f"{prefix.replace(' ', '-')}-{number}", labels, spec, number)) for number in range(count)
    ]


def _pod(name: str, labels: Mapping[str, str], spec: Fields, number: int) -> Pod:
    cpu = f"{1 + number % 100}m" if spec is MIXED else "10m"
    return pod(name, namespace=scale_objects.namespace(0), cpu=cpu, memory="16Mi", labels=labels, spec=dict(spec))


EVERY_POD = {"matchLabels": {"app.kubernetes.io/part-of": "platform"}}
SAME_APP = {"matchLabels": {"app.kubernetes.io/name": "new"}}


def _spread(when: str, skew: int) -> Fields:
    constraint = {"maxSkew": skew, "topologyKey": ZONE, "whenUnsatisfiable": when, "labelSelector": EVERY_POD}
    return {"topologySpreadConstraints": [constraint]}


def _near(rule: str, term: Fields, *, weight: int = 0) -> Fields:
    if weight:
        terms = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": term}]}
        return {"affinity": {rule: terms}}
    return {"affinity": {rule: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


PLAIN: Fields = {"priority": 0}
MIXED: Fields = {"priority": 0, "preemptionPolicy": "Never"}
_ALL_NEAR = {"labelSelector": EVERY_POD, "namespaceSelector": {}}
SHAPES: Mapping[str, Fields] = {
    "identical": PLAIN,
    "mixed requests": MIXED,
    "spread over zones, required": _spread("DoNotSchedule", 5),
    "spread over zones, preferred": _spread("ScheduleAnyway", 1),
    "affinity to all pods by zone, required": _near("podAffinity", {**_ALL_NEAR, "topologyKey": ZONE}),
    "affinity to all pods by node, preferred": _near("podAffinity", {**_ALL_NEAR, "topologyKey": HOSTNAME}, weight=10),
    "anti-affinity by node, required": _near("podAntiAffinity", {"labelSelector": SAME_APP, "topologyKey": HOSTNAME}),
    "anti-affinity to all by node, preferred": _near(
        "podAntiAffinity", {**_ALL_NEAR, "topologyKey": HOSTNAME}, weight=10
    ),
}


# ---- watch events


def _take_in(loaded: Loaded, lines: list[bytes], kind: Kind[Any]) -> float:
    """Decode watch lines and hand them on in batches; return µs of CPU an event."""
    handlers = loaded.scheduler.handlers
    take: Callable[[Any], None] = handlers.change_nodes if kind is NODE else handlers.change_pods
    decoder: WatchDecoder[Any] = WatchDecoder(kind)
    began = time.process_time()
    for first in range(0, len(lines), 10):
        take(decoder.feed(b"".join(lines[first : first + 10])))
        handlers.wake_pods()
    return (time.process_time() - began) * 1e6 / len(lines)


def _line(type_: str, body: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), body)


def _of_pods(type_: str) -> Callable[[World], Iterable[bytes]]:
    def lines(world: World) -> Iterator[bytes]:
        step = max(world.placed // EVENTS, 1)
        for number in range(0, world.placed, step):
            yield _line(type_, scale_objects.pod(world, number))

    return lines


def _of_nodes(type_: str, **labels: str) -> Callable[[World], Iterable[bytes]]:
    def lines(world: World) -> Iterator[bytes]:
        step = max(world.nodes // NODE_EVENTS, 1)
        for number in range(0, world.nodes, step):
            fields = msgspec.json.decode(scale_objects.node(number))
            fields["metadata"]["labels"] |= labels
            yield _line(type_, msgspec.json.encode(fields))

    return lines


EVENTS_OF: Mapping[str, Callable[[World], Iterable[bytes]]] = {
    "a pod as it was": _of_pods("MODIFIED"),
    "a pod goes": _of_pods("DELETED"),
    "a pod comes": _of_pods("ADDED"),
    "a node as it was": _of_nodes("MODIFIED"),
    "a node with another label": _of_nodes("MODIFIED", rack="r1"),
    "a node goes": _of_nodes("DELETED"),
    "a node comes": _of_nodes("ADDED"),
}
