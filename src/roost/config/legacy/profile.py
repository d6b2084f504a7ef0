"""The profile that a scheduler Policy becomes, while it is being read.

A policy names filters and scores apart, a profile names plugins that may do both. So plugins are listed under
multiPoint, and where one of them must only filter or only score, the other points disable it.
"""

from collections.abc import Iterable
from typing import Any

from roost.config.default_plugins import DEFAULT_PLUGINS
from roost.config.legacy.names import ALWAYS, CHANGES, MANDATORY, NO_FILTER, SCORERS
from roost.config.plugin_sets import EVERY

Data = dict[str, Any]
"""A part of a configuration as plain data."""


class ProfileDraft:
    """What is known so far; `filters` or `weights` that are None stand for the default plugins."""

    def __init__(self) -> None:
        self.filters: set[str] | None = None
        self.weights: dict[str, int] | None = None
        self.args: dict[str, Data] = {}
        self.preempts = True
        self._notes: list[str] = []
        self._changed: dict[str, list[str]] = {}

    def note(self, text: str) -> None:
        """Keep a sentence for the user."""
        self._notes.append(text)

    def note_change(self, name: str) -> None:
        """Keep what became of a predicate or priority, if it is not the same under another name."""
        if name in CHANGES:
            self._changed.setdefault(CHANGES[name], []).append(name)

    def notes(self) -> list[str]:
        """Return what the user should know of differences."""
        return [f"{', '.join(names)}: {change}." for change, names in self._changed.items()] + self._notes

    def added_affinity(self) -> Data:
        """Return the node affinity that NodeAffinity adds to that of every pod, to be filled."""
        affinity: Data = self.args.setdefault("NodeAffinity", {"addedAffinity": {}})["addedAffinity"]
        return affinity

    def add_filters(self, names: Iterable[str]) -> None:
        """Let plugins filter, beside the mandatory ones."""
        self.filters = (self.filters or set(MANDATORY)).union(names)

    def scores(self) -> dict[str, int]:
        """Return the weights of the plugins that score, by name in the order of the default profile."""
        weights = SCORERS if self.weights is None else self.weights
        return {name: weights[name] for name in DEFAULT_PLUGINS if name in weights}

    def profile(self) -> Data:
        """Return the profile as plain data, without what is as in the default profile."""
        config = [{"name": name, "args": self.args[name]} for name in DEFAULT_PLUGINS if name in self.args]
        parts = {"plugins": self._plugins(), "pluginConfig": config}
        return {field: part for field, part in parts.items() if part}

    def _plugins(self) -> Data:
        scores, filters = self.scores(), self.filters
        sets = {"multiPoint": _plugin_set(self._enabled(scores), self._disabled())}
        if filters is not None:
            only_scoring = [name for name in scores if name not in filters and name not in NO_FILTER]
            sets |= {point: _plugin_set([], only_scoring) for point in ("preFilter", "filter")}
        only_filtering = [name for name in SCORERS if name not in scores and (filters is None or name in filters)]
        sets |= {point: _plugin_set([], only_filtering) for point in ("preScore", "score")}
        return {point: plugins for point, plugins in sets.items() if plugins}

    def _enabled(self, scores: dict[str, int]) -> list[Data]:
        if self.filters is None:
            names = set(self.weights or ())
        else:
            names = self.filters.union(scores, ALWAYS)
            names -= set() if self.preempts else {"DefaultPreemption"}
        return [
            {"name": name, "weight": scores[name]} if name in scores else {"name": name}
            for name in DEFAULT_PLUGINS
            if name in names
        ]

    def _disabled(self) -> list[str]:
        if self.filters is not None:
            return [EVERY]
        return [] if self.preempts else ["DefaultPreemption"]


def label_rule(label: str, presence: bool) -> Data:
    """Return a rule of node affinity: nodes with a label, or without it."""
    return {"key": label, "operator": "Exists" if presence else "DoesNotExist"}


def _plugin_set(enabled: list[Data], disabled: list[str]) -> Data:
    sets = {"disabled": [{"name": name} for name in disabled], "enabled": enabled}
    return {kind: entries for kind, entries in sets.items() if entries}
