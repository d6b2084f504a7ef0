"""How kube-scheduler scored nodes, by its own log at the highest verbosity."""

import re
from dataclasses import dataclass, field
from pathlib import Path

HIGHEST_VERBOSITY = 10
_FINAL = re.compile(rb'"Calculated node\'s final score for pod" pod="([^"]+)" node="([^"]+)" score=(-?\d+)')
_PART = re.compile(rb'"Plugin scored node for pod" pod="([^"]+)" plugin="([^"]+)" node="([^"]+)" score=(-?\d+)')

Totals = dict[str, int]


@dataclass
class ScoreLog:
    """Reads the scores that have been written since it read last."""

    path: Path
    _position: int = 0
    _rest: bytes = field(default=b"")

    def read(self, pod: str) -> tuple[Totals, dict[str, Totals]]:
        """Return the totals by node of a pod (namespace/name), and by node what each plugin gave, weighted."""
        with self.path.open("rb") as log:
            log.seek(self._position)
            text = self._rest + log.read()
            self._position = log.tell()
        whole, _, self._rest = text.rpartition(b"\n")
        totals = {node: score for key, node, score in _final_scores(whole) if key == pod}
        parts: dict[str, Totals] = {}
        for key, plugin, node, score in _parts(whole):
            if key == pod:
                parts.setdefault(node, {})[plugin] = score
        return totals, parts


def _final_scores(text: bytes) -> list[tuple[str, str, int]]:
    return [(m[1].decode(), m[2].decode(), int(m[3])) for m in _FINAL.finditer(text)]


def _parts(text: bytes) -> list[tuple[str, str, str, int]]:
    return [(m[1].decode(), m[2].decode(), m[3].decode(), int(m[4])) for m in _PART.finditer(text)]
