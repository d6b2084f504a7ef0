"""The answer of `roost whatif` as text for people, and as JSON for programs."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from roost.analysis.amounts import written
from roost.analysis.forecast import Forecast, Hold, Stay
from roost.analysis.utilisation import Amount, NodeUse, ResourceUse
from roost.cli.demo_view import WIDTH

Facts = dict[str, Any]

MOST_PODS, MOST_NODES, MOST_NAMES = 40, 20, 5
BAR = 20
"""Characters of a bar."""


class Question(Struct, frozen=True):
    """What was asked: drain of nodes, policy of one name, add of files."""

    about: Literal["drain", "policy", "add"]
    names: tuple[str, ...]

    @property
    def drained(self) -> frozenset[str]:
        """The nodes that are drained."""
        return frozenset(self.names if self.about == "drain" else ())


def text(question: Question, forecast: Forecast) -> str:
    """Return an answer as text."""
    parts = [
        _headline(question, forecast),
        *_moves(forecast),
        *_pending(forecast),
        *_holds(forecast.holds),
        *_stays(question, forecast.stays),
        _resources(forecast.resources),
        *_nodes(question, forecast),
        *_notes(forecast),
    ]
    return "\n\n".join(part for part in parts if part)


def facts(question: Question, forecast: Forecast) -> str:
    """Return an answer as a JSON object; CPU in cores, bytes, counts."""
    found: Facts = {
        "question": {question.about: list(question.names)},
        "counts": dict(forecast.counts),
        "moves": [{"pod": m.pod, "from": m.from_node or None, "to": m.to_node, "why": m.why} for m in forecast.moves],
        "pending": [
            {"pod": p.pod, "from": p.from_node or None, "message": p.message} for p in forecast.pending
        ],
        "stays": [{"pod": s.pod, "node": s.node or None, "why": f"it {s.why}"} for s in forecast.stays],
        "holds": [{"kind": h.kind, "name": h.name, "why": f"it {h.why}"} for h in forecast.holds],
        "resources": _use_facts(forecast.resources),
        "nodes": [{"name": n.node, "resources": _use_facts(n.resources)} for n in forecast.nodes],
        "emptied": list(forecast.emptied),
        "notes": list(forecast.notes),
    }  # fmt: skip
    return json.dumps(found, indent=1)


# ---- sentences


def _headline(question: Question, forecast: Forecast) -> str:
    counts, names = forecast.counts, " and ".join(question.names)
    asked = len(forecast.placed) + len(forecast.pending)
    stay = _pending_text(counts["pending"])
    if question.about == "policy":
        would = f"{counts['moves']} of {_pods(asked)} would be elsewhere"
        return f"Placed by {names}, the oldest first: {would}{stay}{_emptied(forecast.emptied)}."
    if not asked:
        return f"{names} {'has' if len(question.names) == 1 else 'have'} no pods to {_to_what(question)}."
    if question.about == "drain":
        return f"{names} drained: {_all_of(len(forecast.placed), asked)} a place elsewhere{stay}."
    return f"{names} added: {_all_of(len(forecast.placed), asked)} a place{stay}."


def _to_what(question: Question) -> str:
    return "move" if question.about == "drain" else "add"


def _all_of(placed: int, asked: int) -> str:
    if asked == 1:
        return "its 1 pod finds" if placed else "its 1 pod does not find"
    return f"all {asked} pods find" if placed == asked else f"{placed} of {asked} pods find"


def _pending_text(count: int) -> str:
    return f", {count} stay{'s' if count == 1 else ''} pending" if count else ""


def _emptied(names: Sequence[str]) -> str:
    return f"; {_few(names)} would be empty" if names else ""


def _few(names: Sequence[str]) -> str:
    shown, more = list(names[:MOST_NAMES]), len(names) - MOST_NAMES
    if more > 0:
        shown.append(f"{more} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _pods(count: int) -> str:
    return f"{count} pod{'' if count == 1 else 's'}"


def _holds(holds: Sequence[Hold]) -> Iterator[str]:
    if holds:
        sentences = [f"  {hold.kind} {hold.name} {hold.why}." for hold in holds[:MOST_PODS]]
        yield "\n".join(["What would hold it:", *sentences, *_more(len(holds) - MOST_PODS)])


def _stays(question: Question, stays: Sequence[Stay]) -> Iterator[str]:
    if question.about == "drain":
        sentences = [f"{stay.pod} stays, and goes with {stay.node}: it {stay.why}." for stay in stays[:MOST_PODS]]
        yield "\n".join([*sentences, *_more(len(stays) - MOST_PODS)])
        return
    counted = Counter(stay.why for stay in stays)
    yield "\n".join(_not_anew(count, why) for why, count in sorted(counted.items()))


def _not_anew(count: int, why: str) -> str:
    return f"{_pods(count)} {'is not placed anew: it' if count == 1 else 'are not placed anew: each'} {why}."


def _notes(forecast: Forecast) -> Iterator[str]:
    waiting = f"{_pods(forecast.waiting)} {'was' if forecast.waiting == 1 else 'were'} pending before, and left alone."
    yield "\n".join([*([waiting] if forecast.waiting else ()), *forecast.notes])


def _more(count: int) -> list[str]:
    return [f"  … and {count} more; -o json has all."] if count > 0 else []


# ---- tables


def _moves(forecast: Forecast) -> Iterator[str]:
    moves = forecast.moves
    if not moves:
        return
    come = all(not move.from_node for move in moves)
    table = _table("pod", *(() if come else ("from",)), "to", "why")
    for move in moves[:MOST_PODS]:
        table.add_row(move.pod, *(() if come else (move.from_node or "(pending)",)), move.to_node, move.why)
    yield "\n".join([_rendered(table), *_more(len(moves) - MOST_PODS)])


def _pending(forecast: Forecast) -> Iterator[str]:
    if not forecast.pending:
        return
    table = _table("pending", "why")
    for one in forecast.pending[:MOST_PODS]:
        table.add_row(one.pod, one.message)
    yield "\n".join([_rendered(table), *_more(len(forecast.pending) - MOST_PODS)])


def _resources(resources: Sequence[ResourceUse]) -> str:
    table = _table("requested", "before", "after", "")
    for use in resources:
        if use.before.requested or use.after.requested:
            amounts = f"{_amount(use, use.before)} → {_amount(use, use.after)}"
            table.add_row(use.resource, _bar(use.before), _bar(use.after), amounts)
    return _rendered(table) if table.row_count else ""


def _nodes(question: Question, forecast: Forecast) -> Iterator[str]:
    touched = {name for move in forecast.moves for name in (move.from_node, move.to_node)}
    touched |= {one.from_node for one in forecast.pending} | question.drained
    nodes = [node for node in forecast.nodes if node.node in touched]
    changed = [name for name in _names(nodes) if any(_differs(node.of(name)) for node in nodes)]
    if not changed:
        return
    table = _table("node", *changed)
    for node in nodes[:MOST_NODES]:
        name = f"{node.node} (drained)" if node.node in question.drained else node.node
        table.add_row(name, *(_change(node.of(resource)) for resource in changed))
    yield "\n".join([_rendered(table), *_more(len(nodes) - MOST_NODES)])


def _names(nodes: Sequence[NodeUse]) -> list[str]:
    return [use.resource for use in nodes[0].resources] if nodes else []


def _differs(use: ResourceUse) -> bool:
    return use.before.requested != use.after.requested


def _change(use: ResourceUse) -> str:
    before, after = (_written(use, one.requested) for one in (use.before, use.after))
    of = f"of {_written(use, use.after.allocatable)}"
    return f"{before} → {after} {of}" if _differs(use) else f"{after} {of}"


def _amount(use: ResourceUse, amount: Amount) -> str:
    return f"{_written(use, amount.requested)} of {_written(use, amount.allocatable)}"


def _written(use: ResourceUse, amount: int) -> str:
    """Return an amount for people; CPU in cores, since sums are beyond milli-cores."""
    return f"{round(amount / 1000, 2):.10g}" if use.resource == "cpu" else written(use.resource, amount)


def _bar(amount: Amount) -> str:
    full = min(BAR, round(amount.share * BAR))
    return f"{'█' * full}{'░' * (BAR - full)} {amount.share:4.0%}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column != "why")
    return table


def _rendered(table: Table) -> str:
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    lines = (line.rstrip() for line in captured.get().rstrip().splitlines())
    return "\n".join(line for line in lines if line)


# ---- JSON


def _use_facts(uses: Sequence[ResourceUse]) -> list[Facts]:
    return [
        {"resource": use.resource, "before": _fact(use, use.before), "after": _fact(use, use.after)} for use in uses
    ]


def _fact(use: ResourceUse, amount: Amount) -> Facts:
    def number(value: int) -> int | float:
        return value / 1000 if use.resource == "cpu" else value

    return {"requested": number(amount.requested), "allocatable": number(amount.allocatable)}
