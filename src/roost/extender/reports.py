"""What is said of each request in the log: one line, with the numbers beside it for logs that programs read."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from roost.extender.policies import Scores
from roost.framework.resources import Int64
from roost.framework.status import Status

TRACE = 5
"""Below debug: the scores of every node."""

_TOP = 5
_TOLD_KEPT = 10_000
_LONGEST_TEXT = 40

logger = logging.getLogger("roost.extender")


class Report(Struct):
    """What came of a request; `details` are for those who debug."""

    pod: str = ""
    outcome: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    details: Sequence[str] = ()

    def filtered(self, nodes: int, rejected: Sequence[Status]) -> None:
        """Tell how many nodes fit, and how often which reason was given."""
        self.outcome = f"{nodes - len(rejected)} of {nodes} nodes fit"
        self.fields = {"nodes": nodes, "fitting": nodes - len(rejected)}
        if rejected and logger.isEnabledFor(logging.DEBUG):
            counted = Counter(status.message for status in rejected)
            self.details = [f"{count} {reason}" for reason, count in counted.most_common(_TOP)]

    def prioritized(self, names: Sequence[str], totals: Int64, scores: Scores) -> None:
        """Tell which node is best."""
        best = int(totals.argmax())
        self.outcome = f"{len(names)} nodes, best {names[best]} with {totals[best]}"
        self.fields = {"nodes": len(names), "best": names[best], "score": int(totals[best])}
        if logger.isEnabledFor(logging.DEBUG):
            order = (-totals).argsort(kind="stable")
            shown = order if logger.isEnabledFor(TRACE) else order[:_TOP]
            self.details = [f"{names[row]}: {totals[row]}" for row in shown.tolist()]
            self.details += [f"{policy}: {_range(raw)}" for policy, raw in scores.parts.items()]


class Reporter:
    """Writes the lines, and warns once of each text that should be a number and is none."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], None] = {}

    def answered(self, verb: str, policy: str, report: Report, seconds: float) -> None:
        """Tell of a request that was answered."""
        if not logger.isEnabledFor(logging.INFO):
            return
        milliseconds = round(seconds * 1e3, 1)
        lines = "".join(f"\n{line}" for line in report.details)
        logger.info(
            "%s %s by %s: %s, %s ms%s", verb, report.pod or "nothing", policy, report.outcome, milliseconds, lines,
            extra=_fields(verb, policy, pod=report.pod, milliseconds=milliseconds, **report.fields),
        )  # fmt: skip

    def refused(self, verb: str, policy: str, report: Report, sentence: str) -> None:
        """Tell of a request that got a sentence in place of an answer."""
        pod = f" {report.pod}" if report.pod else ""
        logger.warning(
            "%s%s by %s: %s", verb, pod, policy, sentence, extra=_fields(verb, policy, pod=report.pod, error=sentence)
        )

    def unreadable(self, texts: Mapping[tuple[str, str], str]) -> None:
        """Warn of annotations, by node and key, that hold no number although a policy reads one there."""
        for node_name, annotation, text in _new(texts, self._told):
            shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
            logger.warning("node %s: annotation %s is %r, which cannot be read", node_name, annotation, shown)


def _new(
    texts: Mapping[tuple[str, str], str], told: dict[tuple[str, str, str], None]
) -> Iterable[tuple[str, str, str]]:
    for (node_name, annotation), text in texts.items():
        one = (node_name, annotation, text)
        if one not in told:
            told[one] = None
            if len(told) > _TOLD_KEPT:
                del told[next(iter(told))]
            yield one


def _fields(verb: str, policy: str, **others: object) -> dict[str, Any]:
    return {"fields": {"verb": verb, "policy": policy, **others}}


def _range(raw: Int64) -> str:
    return f"raw scores of {raw.min()} to {raw.max()}"
