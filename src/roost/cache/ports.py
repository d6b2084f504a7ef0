"""Host ports in use. Few pods ask for them, so what is kept is sparse; a column is made when a pod asks."""

from collections.abc import Mapping, Sequence

import numpy as np

from roost.framework.pod_info import HostPort
from roost.framework.view import Int32


class Ports:
    """How many pods of each slot hold a host port, by (protocol, port) and IP."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, int], dict[str, dict[int, int]]] = {}

    def users(self, protocol: str, port: int, size: int) -> Mapping[str, Int32]:
        """Return the counts by IP over the first `size` slots."""
        return {ip: _column(counts, size) for ip, counts in self._users.get((protocol, port), {}).items()}

    def add(self, slot: int, ports: Sequence[HostPort], pods: int) -> None:
        """Add (or with a negative number take away) pods that hold these ports."""
        for protocol, ip, port in ports:
            counts = self._users.setdefault((protocol, port), {}).setdefault(ip, {})
            counts[slot] = counts.get(slot, 0) + pods
            if not counts[slot]:
                self._forget(protocol, ip, port, slot)

    def _forget(self, protocol: str, ip: str, port: int, slot: int) -> None:
        by_ip = self._users[protocol, port]
        del by_ip[ip][slot]
        if not by_ip[ip]:
            del by_ip[ip]
        if not by_ip:
            del self._users[protocol, port]


def _column(counts: Mapping[int, int], size: int) -> Int32:
    column = np.zeros(size, dtype=np.int32)
    column[list(counts)] = list(counts.values())
    return column
