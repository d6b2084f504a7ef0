"""Host ports in use: for each (protocol, port) and IP, how many pods of each node hold it."""

from collections.abc import Mapping, Sequence

import numpy as np

from roost.framework.pod_info import HostPort
from roost.framework.view import Int32


class Ports:
    """Counts by slot, one column per (protocol, port, IP) that any pod has ever held."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._users: dict[tuple[str, int], dict[str, Int32]] = {}

    def users(self, protocol: str, port: int, size: int) -> Mapping[str, Int32]:
        """Return the counts by IP over the first `size` slots."""
        return {ip: counts[:size] for ip, counts in self._users.get((protocol, port), {}).items()}

    def add(self, slot: int, ports: Sequence[HostPort], pods: int) -> None:
        """Add (or with a negative number take away) pods that hold these ports."""
        for protocol, ip, port in ports:
            by_ip = self._users.setdefault((protocol, port), {})
            if ip not in by_ip:
                by_ip[ip] = np.zeros(self._capacity, dtype=np.int32)
            by_ip[ip][slot] += pods

    def clear(self, slot: int) -> None:
        """Forget all ports held in a slot."""
        for by_ip in self._users.values():
            for counts in by_ip.values():
                counts[slot] = 0

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        for by_ip in self._users.values():
            for ip, counts in by_ip.items():
                by_ip[ip] = np.concatenate([counts, np.zeros(capacity - self._capacity, dtype=np.int32)])
        self._capacity = capacity
