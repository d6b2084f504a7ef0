"""A steady stream of pods: so many per second, and if they do not all fit, the oldest are deleted."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.requests import pod_requests
from roost.bench.placement import capacity
from roost.bench.player import NAMESPACES, Player
from roost.bench.steps import CreateNodes, CreatePods
from roost.bench.watchers import Watcher
from roost.bench.workload import Workload, node_objects, pod_object
from roost.errors import ConfigError

FULL = 0.75
"""Which part of all room a stream may take without deleting anything."""

HALF = 0.5
SHORTEST = 5.0
_LOOK = 0.05


def lifetime_that_fits(workload: Workload, rate: float, seconds: float) -> float | None:
    """Return how long pods may stay (seconds), None if all fit; raises ConfigError if they would hardly live."""
    room, pods = room_for_pods(workload), rate * seconds
    before = sum(step.count for step in workload.steps if isinstance(step, CreatePods) and not step.measured)
    if pods + before <= FULL * room:
        return None
    lifetime = (HALF * room - before) / rate
    if lifetime < SHORTEST:
        raise ConfigError(f"--rate: {rate:g} pods per second are too many for nodes that hold {room}; add nodes")
    return lifetime


def room_for_pods(workload: Workload) -> int:
    """Return how many pods like the measured ones fit on the workload's nodes while they are empty."""
    measured = next(step for step in workload.steps if isinstance(step, CreatePods) and step.measured)
    asked = {**pod_requests(_as(Pod, pod_object(measured, "pod", ""))), "pods": 1}
    rooms = (_room(node, asked) * step.count for step, node in _nodes(workload))
    return sum(rooms)


def _nodes(workload: Workload) -> Iterator[tuple[CreateNodes, Node]]:
    for step in workload.steps:
        if isinstance(step, CreateNodes) and step.count:
            yield step, _as(Node, next(node_objects(step)))


def _room(node: Node, asked: dict[str, int]) -> int:
    given = capacity(node)
    return min(given.get(name, 0) // amount for name, amount in asked.items() if amount)


def _as(kind: Any, manifest: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(manifest), type=kind)


async def delete_old(player: Player, keys: Sequence[str], lifetime: float, told: Watcher) -> None:
    """Delete pods that have lived for so many seconds and whose event has come, until cancelled.

    `keys` may grow meanwhile, in the order of creation.
    """
    sent, times = player.load.sent, told.times
    oldest = 0
    while True:
        due, now = [], time.monotonic()
        while oldest < len(keys) and now - sent[keys[oldest]] > lifetime and keys[oldest] in times:
            namespace, name = keys[oldest].split("/")
            due.append(f"{NAMESPACES}/{namespace}/pods/{name}")
            oldest += 1
        await player.load.delete(due)
        await asyncio.sleep(_LOOK)
