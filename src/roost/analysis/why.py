"""One line that says why a pod goes where it goes: what plans, demos and what-if answers have in common."""

from roost.framework.decision import Decision


def why(decision: Decision) -> str:
    """Return one line that says why a pod went where it did, or why nowhere."""
    if decision.outcome != "scheduled":
        return decision.fit_error
    fit = f"{decision.feasible} of {decision.evaluated} nodes fit"
    best, *others = decision.top
    if not others:
        return f"the only one of {decision.evaluated} nodes that fits"
    if others[0].total == best.total:
        return f"score {best.total}, as {others[0].node}: the first name wins; {fit}"
    return f"score {best.total}, next best {others[0].node} with {others[0].total}; {fit}"
