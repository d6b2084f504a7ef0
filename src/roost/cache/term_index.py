"""Finds the terms that may mean a pod by its namespace and labels, without looking at all terms.

A term is filed under one label that whatever it selects must have, or under none. So what is found still has to be
compared; what is not found does not match.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from roost.api.selectors import LabelSelector
from roost.framework.pod_terms import PodTerm

T = TypeVar("T")

Pair = tuple[str, str]
Place = tuple[str | None, Pair | None]
"""Where a term is filed: a namespace (None: any), and a label (None: whatever the labels)."""


class TermIndex(Generic[T]):
    """What belongs to terms, found by the labels of the pods that they may mean."""

    def __init__(self) -> None:
        self._places: dict[Place, dict[T, None]] = {}
        self._filed: dict[T, tuple[Place, ...]] = {}

    def add(self, term: PodTerm, item: T) -> None:
        """File what belongs to a term; it may belong to several terms but is filed under one."""
        self._filed[item] = places = self._of(term)
        for place in places:
            self._places.setdefault(place, {})[item] = None

    def discard(self, item: T) -> None:
        """Take something out again."""
        for place in self._filed.pop(item):
            items = self._places[place]
            del items[item]
            if not items:
                del self._places[place]

    def candidates(self, namespace: str, labels: Mapping[str, str]) -> Iterator[T]:
        """Yield what belongs to terms that may mean a pod, each once."""
        places = self._places
        if not places:
            return
        found: dict[T, None] = {}
        for pair in (None, *labels.items()):
            for where in (namespace, None):
                items = places.get((where, pair))
                if items:
                    found.update(items)
        yield from found

    def _of(self, term: PodTerm) -> tuple[Place, ...]:
        if term.selector is None:
            return ()
        namespaces: list[str | None] = [*term.namespaces] if term.namespace_selector is None else [None]
        pairs = min(alternatives(term.selector), key=self._crowd)
        return tuple((namespace, pair) for namespace in namespaces for pair in pairs)

    def _crowd(self, pairs: Sequence[Pair | None]) -> int:
        return sum(1 + len(self._places.get((None, pair), ())) for pair in pairs)


def alternatives(selector: LabelSelector) -> Sequence[Sequence[Pair | None]]:
    """Return sets of labels of which what is selected has at least one each; (None,) is anything at all."""
    found: list[Sequence[Pair | None]] = [(pair,) for pair in (selector.match_labels or {}).items()]
    found += [
        [(one.key, value) for value in dict.fromkeys(one.values or ())]
        for one in selector.match_expressions or ()
        if one.operator == "In"
    ]
    return found or [(None,)]
