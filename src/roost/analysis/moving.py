"""Why a pod that fits does not go to a node that somebody prefers, and what would bring it there."""

from collections.abc import Iterator

from msgspec import Struct

from roost.analysis.change import Change, add, escaped
from roost.analysis.explanation import Explanation, Ranked, difference, gaps_text
from roost.analysis.node_changes import HOSTNAME
from roost.analysis.rejections import Rejection
from roost.analysis.suggestions import MOST_OF_A_SORT, Search, Suggestion, find_suggestions
from roost.analysis.trial import Trial, node_named
from roost.api.selectors import NodeAffinity

_PREFERRED = "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution"


class Preference(Struct, frozen=True, kw_only=True):
    """A node that somebody prefers: why the pod does not go there, and what would move it."""

    node: str
    says: str
    rank: Ranked | None = None
    rejection: Rejection | None = None
    search: Search = Search()


def compare(explanation: Explanation, trial: Trial) -> Preference:
    """Return why not the node that a trial is about (`only`), and the changes that bring the pod there."""
    node = trial.only
    rejection, rank = explanation.rejection(node), explanation.rank(node)
    if rejection is not None:
        reasons = ", ".join(rejection.status.reasons)
        detail = f" ({rejection.detail})" if rejection.detail else ""
        says = f"{node} does not fit: {rejection.status.plugin} says {reasons}{detail}."
        search = find_suggestions(trial, explanation.groups)
        return Preference(node=node, says=says, rejection=rejection, search=search)
    if node == explanation.node:
        return Preference(node=node, says=f"{node} is where it goes.", rank=rank)
    return Preference(node=node, says=_why_not(explanation, rank), rank=rank, search=_search(explanation, trial))


def _why_not(explanation: Explanation, rank: Ranked | None) -> str:
    best = explanation.ranked[0] if explanation.ranked else None
    if best is None or rank is None:
        return "It is not known why: the node was not scored."
    place = f"{rank.node} fits and is number {rank.place} of {explanation.feasible}"
    if rank.total == best.total:
        return f"{place}, with the same total as {best.node}: {explanation.why}."
    return f"{place}, {best.total - rank.total} behind {best.node}: {gaps_text(difference(best, rank))}."


def _search(explanation: Explanation, trial: Trial) -> Search:
    found: list[Suggestion] = []
    tried = 0
    for change in _changes(explanation, trial):
        tried += 1
        node = trial.place(change)
        if node is not None:
            found.append(Suggestion(change, node))
        if len(found) == MOST_OF_A_SORT:
            break
    return Search(suggestions=tuple(found), tried={"score": tried}, complete=False)


def _changes(explanation: Explanation, trial: Trial) -> Iterator[Change]:
    """Yield what could move a pod: a preference, a selector, and closing the nodes that are ahead."""
    node = node_named(trial.snapshot, trial.only)
    host = node.labels.get(HOSTNAME)
    if host is not None:
        yield _prefer(trial, node.name, host)
        yield Change(
            sort="selector",
            says=f"select {HOSTNAME}={host}",
            pod_patch=(_selecting(trial, host),),
            caution="it then waits if there is no room",
        )
    ahead = [one.node for one in explanation.ranked if one.node != node.name]
    if ahead:
        yield Change(
            sort="node",
            says=f"cordon node {ahead[0]}",
            node=ahead[0],
            node_patch=(add("/spec/unschedulable", True),),
            caution="no other pod gets there either",
            command=f"kubectl cordon {ahead[0]}",
        )


def _selecting(trial: Trial, host: str) -> dict[str, object]:
    if trial.pod.spec.node_selector:
        return add(f"/spec/nodeSelector/{escaped(HOSTNAME)}", host)
    return add("/spec/nodeSelector", {HOSTNAME: host})


def _prefer(trial: Trial, name: str, host: str) -> Change:
    affinity = trial.pod.spec.affinity
    rules = affinity.node_affinity if affinity is not None else None
    known = (rules.preferred_during_scheduling_ignored_during_execution or ()) if rules is not None else ()
    term = {
        "weight": 100,
        "preference": {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [host]}]},
    }
    if affinity is None:
        operation = add("/spec/affinity", {"nodeAffinity": {_PREFERRED.rsplit("/", 1)[-1]: [term]}})
    elif rules is None or rules == NodeAffinity():
        operation = add("/spec/affinity/nodeAffinity", {_PREFERRED.rsplit("/", 1)[-1]: [term]})
    else:
        operation = add(_PREFERRED, [*known, term])
    return Change(sort="score", says=f"prefer node {name} with a weight of 100", pod_patch=(operation,))
