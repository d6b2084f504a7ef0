"""How much the pods of an embedded cluster seem to use: no container runs, so it is made up, always in the same way.

A container uses a share of what it requests. The share goes up and down with the time, in a rhythm of its own that its
pod's uid decides: the same uid and time, the same usage. Memory moves less than CPU.
"""

from hashlib import blake2b
from math import pi, sin

from msgspec import Struct

from roost.api.quantity import billionths, value
from roost.apiserver.stored import Object
from roost.errors import InvalidObject

SCRAPE_SECONDS = 15
"""How often usage is looked at: between two looks it does not move."""

DEFAULT_NANO_CORES = 20_000_000
DEFAULT_BYTES = 64 * 2**20
"""What a container that requests nothing counts as requesting."""

_SYSTEM_SHARE = (0.03, 0.05)
"""What a node uses without any pods: shares of its CPU and memory."""


class Used(Struct, frozen=True):
    """CPU in billionths of a core, memory in bytes."""

    nano_cores: int = 0
    bytes: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(self.nano_cores + other.nano_cores, self.bytes + other.bytes)


def scraped_at(now: float) -> int:
    """Return the time of the last look before a time."""
    return int(now // SCRAPE_SECONDS) * SCRAPE_SECONDS


def container_usage(uid: str, container: Object, at: float) -> Used:
    """Return what a container of a pod uses at a time: 10 to 95 percent of its requests."""
    asked = (container.get("resources") or {}).get("requests") or {}
    cpu = _amount(asked, "cpu") or DEFAULT_NANO_CORES
    memory = _amount(asked, "memory") or DEFAULT_BYTES
    level, phase, speed, memory_level = blake2b(f"{uid}/{container['name']}".encode(), digest_size=4).digest()
    turns = at / (600 + 7 * speed) + phase / 256
    cpu_share = 0.3 + 0.4 * level / 255 + 0.15 * sin(2 * pi * turns) + 0.05 * sin(14 * pi * turns)
    memory_share = 0.5 + 0.4 * memory_level / 255 + 0.05 * sin(2 * pi * turns)
    return Used(max(1, int(cpu * cpu_share)), max(1, int(memory * memory_share)))


def pod_usage(pod: Object, at: float) -> Used:
    """Return what a pod uses at a time: nothing unless it runs."""
    if (pod.get("status") or {}).get("phase") != "Running":
        return Used()
    containers = pod["spec"]["containers"]
    return sum((container_usage(pod["metadata"]["uid"], one, at) for one in containers), start=Used())


def node_usage(node: Object, pods: Used) -> Used:
    """Return what a node uses with pods that use so much: no more than it has."""
    capacity = (node.get("status") or {}).get("capacity") or (node.get("status") or {}).get("allocatable") or {}
    most = Used(_amount(capacity, "cpu"), _amount(capacity, "memory"))
    used = pods + Used(int(most.nano_cores * _SYSTEM_SHARE[0]), int(most.bytes * _SYSTEM_SHARE[1]))
    return Used(min(used.nano_cores, most.nano_cores), min(used.bytes, most.bytes))


def _amount(amounts: Object, resource: str) -> int:
    text = amounts.get(resource, 0)
    try:
        return billionths(text) if resource == "cpu" else value(text)
    except InvalidObject:
        return 0
