"""Reads the predicates of a policy: which plugins filter, and what the labels of nodes must be."""

from collections.abc import Sequence

from roost.config.decode import at, nearest
from roost.config.legacy.names import PREDICATES
from roost.config.legacy.profile import Data, ProfileDraft, label_rule
from roost.config.legacy.types import Predicate


def add_predicates(predicates: Sequence[Predicate], draft: ProfileDraft) -> None:
    """Let the plugins of predicates filter, and no others but the mandatory ones."""
    draft.add_filters(())
    rules: list[Data] = []
    for i, predicate in enumerate(predicates):
        path = f"predicates[{i}]"
        if predicate.argument is not None:
            rules += _label_rules(predicate, f"{path}.argument")
        elif predicate.name in PREDICATES:
            draft.add_filters(PREDICATES[predicate.name])
            draft.note_change(predicate.name)
        else:
            raise at(f"{path}.name", f"unknown predicate {predicate.name}{nearest(predicate.name, PREDICATES)}")
    if rules:
        _require(rules, draft)


def _label_rules(predicate: Predicate, path: str) -> list[Data]:
    """Return what an argument asks of the labels of nodes, as rules of node affinity."""
    argument = predicate.argument
    affinity, presence = (argument.service_affinity, argument.labels_presence) if argument else (None, None)
    if (affinity is None) == (presence is None):
        raise at(path, "must have one field, serviceAffinity or labelsPresence")
    if presence is None:
        labels = ", ".join(affinity.labels) if affinity else ""
        raise at(
            f"{path}.serviceAffinity",
            "this filter was removed in Kubernetes 1.23, and no other does the same; remove the predicate, and give "
            f"the pods an affinity to each other with the topologyKey {labels}",
        )
    return [label_rule(label, presence.presence) for label in presence.labels]


def _require(rules: list[Data], draft: ProfileDraft) -> None:
    terms = [{"matchExpressions": rules}]
    draft.added_affinity()["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if "NodeAffinity" not in (draft.filters or ()):
        draft.note("NodeAffinity, which requires the labels now, also heeds the nodeSelector and affinity of each pod.")
    draft.add_filters(["NodeAffinity"])
