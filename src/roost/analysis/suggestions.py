"""What would make a pod fit: single changes, each tried by deciding again, or the proof that none of them helps.

    evict few pods ─► open or label a node ─► tolerate ─► select otherwise ─► loosen a rule ─► ask for less
                   ─► one more node of an existing shape

What is found is true of the cluster as it was listed: nothing else is assumed to change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from roost.analysis.change import Change, Sort
from roost.analysis.evicting import evictions
from roost.analysis.node_changes import labelled, one_more, opened
from roost.analysis.pod_changes import ports, requests, rules, selectors, tolerations
from roost.analysis.rejections import Group
from roost.analysis.trial import Trial

MOST_OF_A_SORT = 3

NAMES: Mapping[str, str] = {
    "evict": "evictions",
    "node": "cordons, taints and labels of nodes",
    "toleration": "tolerations",
    "selector": "node selectors",
    "rule": "rules about other pods",
    "request": "requests",
    "port": "host ports",
    "newNode": "nodes of existing shapes",
    "score": "preferences",
}


class Suggestion(Struct, frozen=True):
    """A change after which the pod fits, and the node where it then goes."""

    change: Change
    node: str


class Search(Struct, frozen=True, kw_only=True):
    """What was found. `tried` counts decisions per sort of change; `complete` says that no change was passed over."""

    suggestions: tuple[Suggestion, ...] = ()
    tried: Mapping[str, int] = {}
    complete: bool = True

    @property
    def proof(self) -> str:
        """Say that no single change helps, where none was found; empty if one was."""
        if self.suggestions:
            return ""
        kinds = ", ".join(f"{NAMES[sort]} ({count})" for sort, count in self.tried.items() if count)
        said = f"decided again with changed {kinds}" if kinds else "there is nothing of the kind to change"
        if self.complete:
            return f"No single change helps: {said}, and the pod fits nowhere."
        return f"No single change was found: {said}; the cluster is too large to try all."


def find_suggestions(trial: Trial, groups: Sequence[Group]) -> Search:
    """Return the changes that let the pod fit, each verified by a decision."""
    search = _Searching(trial)
    search.whole(*evictions(trial, groups), sort="evict")
    search.whole(*opened(groups, trial), sort="node")
    search.whole(*labelled(groups, trial), sort="node")
    search.some(tolerations(trial), sort="toleration")
    search.some(selectors(trial), sort="selector")
    search.some(rules(trial), sort="rule")
    search.some(requests(trial), sort="request")
    search.some(ports(trial), sort="port")
    search.whole(*one_more(trial), sort="newNode")
    return Search(suggestions=tuple(search.found), tried=search.tried, complete=search.complete)


class _Searching:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.found: list[Suggestion] = []
        self.tried: dict[str, int] = {}
        self.complete = True
        self._counted = 0

    def whole(self, changes: Sequence[Change], complete: bool, *, sort: Sort) -> None:
        """Try changes of which some may have been passed over."""
        self.complete = self.complete and complete
        self.some(changes, sort=sort)

    def some(self, changes: Iterable[Change], *, sort: Sort) -> None:
        """Try changes until a few have helped."""
        self.found += _few(self._helping(changes))
        self.tried[sort] = self.tried.get(sort, 0) + self.trial.count - self._counted
        self._counted = self.trial.count

    def _helping(self, changes: Iterable[Change]) -> Iterator[Suggestion]:
        for change in changes:
            node = self.trial.place(change)
            if node is not None:
                yield Suggestion(change, node)


def _few(suggestions: Iterator[Suggestion]) -> Iterator[Suggestion]:
    for place, one in enumerate(suggestions, 1):
        yield one
        if place == MOST_OF_A_SORT:
            return
