"""What the rows of a what-if view have that the nodes behind them do not: pods put there, pods taken away.

`WhatIf` answers every question about pods as "what the node has, plus what `Changes` count". A new question about pods
needs nothing more than a predicate.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from roost.framework.pod_info import HostPort, PodInfo
from roost.framework.resources import Int64

Int32 = NDArray[np.int32]
Row = NDArray[np.intp]
Holds = Callable[[PodInfo], bool]


class Changes(Protocol):
    """Pods added to rows (counted positive) and removed from them (counted negative)."""

    def add_usage(self, usage: Int64) -> None:
        """Add the requests of the pods to columns of shape (resources, rows), in place."""
        ...

    def count(self, key: Hashable, holds: Holds) -> Int32:
        """Return how many more pods than before each row has of which `holds` is true.

        `key` stands for the predicate: what it says of a pod is asked once.
        """
        ...

    def where(self, key: Hashable, holds: Holds) -> Iterator[tuple[PodInfo, Row, Int64]]:
        """Yield each changed pod of which `holds` is true, the rows where it changes, and by how many there."""
        ...

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return, for each IP of this host port, how many more pods of each row use it."""
        ...


class Copies:
    """Further pods like one: `times[i]` more of them on row i."""

    def __init__(self, pod: PodInfo, times: Int64) -> None:
        self.pod = pod
        self.times = times

    def add_usage(self, usage: Int64) -> None:
        """Add the requests of the pods."""
        vector = self.pod.requests.vector
        usage[: len(vector)] += vector[:, None] * self.times

    def count(self, key: Hashable, holds: Holds) -> Int32:
        """Return how many more pods of each row the predicate is true of."""
        return self.times.astype(np.int32) if holds(self.pod) else np.zeros(len(self.times), dtype=np.int32)

    def where(self, key: Hashable, holds: Holds) -> Iterator[tuple[PodInfo, Row, Int64]]:
        """Yield the pod, all rows, and its times there."""
        if holds(self.pod):
            yield self.pod, np.arange(len(self.times)), self.times

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return how many more pods of each row use this host port."""
        times = self.times.astype(np.int32)
        return {ip: times for name, ip, number in self.pod.host_ports if (name, number) == (protocol, port)}


class Moves:
    """Single pods put on rows and taken away: entry k is `pods[k]` on row `rows[k]`, `counts[k]` times.

    A count of 0 leaves the row as it is; counts may be altered between questions, pods and rows may not.
    """

    def __init__(
        self, size: int, pods: Sequence[PodInfo], rows: Row, counts: Int64, vectors: Int64 | None = None
    ) -> None:
        """Take the changes of so many rows; `vectors` are the pods' requests, (resources, entries), if at hand."""
        self.size = size
        self.pods = pods
        self.rows = rows
        self.counts = counts
        self._vectors = vectors
        self._said: dict[Hashable, Row] = {}

    @classmethod
    def none(cls, size: int) -> "Moves":
        """Return no change of so many rows."""
        return cls(size, (), np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64))

    def of_rows(self, chosen: Row) -> "Moves":
        """Return the changes of some rows, which become rows 0, 1 …; their counts are copies."""
        place = np.full(self.size, -1, dtype=np.intp)
        place[chosen] = np.arange(len(chosen))
        entries = np.flatnonzero((place[self.rows] >= 0) & (self.counts != 0))
        pods = [self.pods[entry] for entry in entries.tolist()]
        vectors = None if self._vectors is None else self._vectors[:, entries]
        return Moves(len(chosen), pods, place[self.rows[entries]], self.counts[entries], vectors)

    def with_more(self, pods: Sequence[PodInfo], rows: Row) -> "Moves":
        """Return the same and further pods put on rows."""
        counts = np.concatenate([self.counts, np.ones(len(pods), dtype=np.int64)])
        vectors = None
        if self._vectors is not None:
            vectors = np.concatenate([self._vectors, _vectors(pods, len(self._vectors))], axis=1)
        return Moves(self.size, [*self.pods, *pods], np.concatenate([self.rows, rows]), counts, vectors)

    def add_usage(self, usage: Int64) -> None:
        """Add the requests of the pods."""
        if self._vectors is not None:
            moved = self._vectors[: len(usage)] * self.counts
            for column, amounts in zip(usage, moved, strict=True):
                np.add.at(column, self.rows, amounts)
            return
        changed = np.flatnonzero(self.counts)
        for entry, row, count in zip(
            changed.tolist(), self.rows[changed].tolist(), self.counts[changed].tolist(), strict=True
        ):
            vector = self.pods[entry].requests.vector
            usage[: len(vector), row] += vector * count

    def count(self, key: Hashable, holds: Holds) -> Int32:
        """Return how many more pods of each row the predicate is true of."""
        entries = self._entries(key, holds)
        total = np.zeros(self.size, dtype=np.int32)
        if len(entries):
            np.add.at(total, self.rows[entries], self.counts[entries].astype(np.int32))
        return total

    def where(self, key: Hashable, holds: Holds) -> Iterator[tuple[PodInfo, Row, Int64]]:
        """Yield each changed pod of which the predicate is true, its row, and its count there."""
        for entry in self._entries(key, holds).tolist():
            if self.counts[entry]:
                one = slice(entry, entry + 1)
                yield self.pods[entry], self.rows[one], self.counts[one]

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return how many more pods of each row use this host port."""
        ips = {
            ip
            for pod, _, _ in self.where("host ports", _has_host_ports)
            for name, ip, number in pod.host_ports
            if (name, number) == (protocol, port)
        }
        return {ip: self._users((protocol, ip, port)) for ip in ips}

    def _users(self, wanted: HostPort) -> Int32:
        return self.count(("host port", wanted), lambda pod: wanted in pod.host_ports)

    def _entries(self, key: Hashable, holds: Holds) -> Row:
        found = self._said.get(key)
        if found is None:
            entries = [entry for entry, pod in enumerate(self.pods) if holds(pod)]
            found = self._said[key] = np.array(entries, dtype=np.intp)
        return found


def _vectors(pods: Sequence[PodInfo], resources: int) -> Int64:
    vectors = np.zeros((resources, len(pods)), dtype=np.int64)
    for place, pod in enumerate(pods):
        vector = pod.requests.vector
        vectors[: len(vector), place] = vector
    return vectors


def _has_host_ports(pod: PodInfo) -> bool:
    return bool(pod.host_ports)
