"""A plan of `roost rebalance spot` as text for people, and as JSON for programs."""

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from roost.analysis.spot_plan import Drain, Move, NodeUse, Plan
from roost.analysis.why import why
from roost.cli.demo_view import WIDTH
from roost.rebalancer.drainer import Drained

Facts = dict[str, Any]


def text(plan: Plan, *, apply: bool) -> str:
    """Return a plan as text."""
    refusals = [f"{refusal.node} is left alone: {refusal.why.rstrip('.')}." for refusal in plan.refusals]
    if plan.held:
        return f"Nothing is drained: {plan.held}."
    if plan.drain is None:
        return "\n".join(["No on-demand node can be drained now.", *refusals])
    parts = [_headline(plan, plan.drain), _table(plan.drain), *_staying(plan.drain), *refusals]
    return "\n".join(parts if apply else [*parts, "Nothing is changed; --apply carries it out."])


def result_text(drained: Drained) -> str:
    """Return what became of a drain that succeeded."""
    return f"{drained.node} is drained: {drained.evicted} pod{'' if drained.evicted == 1 else 's'} evicted."


def facts(plan: Plan, drained: Drained | None = None, *, indent: int | None = None) -> str:
    """Return a plan, and what became of it, as a JSON object."""
    found: Facts = {
        "drain": plan.drain and _drain_facts(plan.drain),
        "held": plan.held or None,
        "leftAlone": [{"node": refusal.node, "why": refusal.why} for refusal in plan.refusals],
        "nodes": [_node_facts(use) for use in plan.nodes],
        "result": drained and {"node": drained.node, "evicted": drained.evicted, "problem": drained.problem or None},
    }
    return json.dumps(found, indent=indent)


def _headline(plan: Plan, drain: Drain) -> str:
    (use,) = (use for use in plan.nodes if use.name == drain.node)
    load = f"{use.requested / 1000:g} of {use.allocatable / 1000:g} CPU requested"
    have = "1 pod has" if len(drain.moves) == 1 else f"all {len(drain.moves)} pods have"
    return f"{drain.node} (on-demand, {load}) can be drained: {have} a place on spot nodes."


def _table(drain: Drain) -> str:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("pod", "from", "to", "why"):
        table.add_column(column, overflow="fold", no_wrap=column != "why")
    for move in drain.moves:
        table.add_row(move.pod.key, drain.node, move.to_node, why(move.decision))
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()) + "\n"


def _staying(drain: Drain) -> list[str]:
    return [f"{stay.pod} stays: it {stay.why}." for stay in drain.stays]


def _drain_facts(drain: Drain) -> Facts:
    return {
        "node": drain.node,
        "moves": [_move_facts(drain, move) for move in drain.moves],
        "stays": [{"pod": stay.pod, "why": f"it {stay.why}"} for stay in drain.stays],
    }


def _move_facts(drain: Drain, move: Move) -> Facts:
    decision = move.decision
    return {
        "pod": move.pod.key,
        "from": drain.node,
        "to": move.to_node,
        "why": why(decision),
        "feasible": decision.feasible,
        "top": [{"node": one.node, "score": one.total} for one in decision.top],
    }


def _node_facts(use: NodeUse) -> Facts:
    return {
        "name": use.name,
        "pool": use.pool,
        "pods": use.pods,
        "cpuRequested": use.requested / 1000,
        "cpu": use.allocatable / 1000,
    }
