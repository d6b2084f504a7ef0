"""Turns the extenders of a policy into those of v1, and says what their weights mean beside those of plugins."""

from typing import Any

import msgspec

from roost.config.decode import at
from roost.config.legacy.profile import Data, ProfileDraft
from roost.config.legacy.types import Policy, PolicyExtender

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_OLD_DEFAULTS = 7
"""How many priorities with weight 1 the default provider of 1.13 had, beside one that was the same nearly anywhere."""


def convert_extenders(policy: Policy, draft: ProfileDraft) -> list[Data]:
    """Return the extenders of a policy as those of v1."""
    if any(resource.ignored_by_scheduler for one in policy.extenders for resource in one.managed_resources):
        # kube-scheduler adds such resources to the arguments of NodeResourcesFit, and ends if there are none.
        draft.args.setdefault("NodeResourcesFit", {})
    return [_extender(one, f"extenders[{i}]", draft) for i, one in enumerate(policy.extenders)]


def weights_note(policy: Policy, draft: ProfileDraft) -> str:
    """Return what the weights of extenders mean, then and now, with an example; "" if none of them scores."""
    scoring = {i: one.weight for i, one in enumerate(policy.extenders) if one.prioritize_verb}
    if not scoring:
        return ""
    first = max(scoring, key=lambda i: scoring[i])
    weight, scores = scoring[first], draft.scores()
    total = sum(scores.values())
    rule = (
        "an extender answers 0 to 10 for a node. A Policy added that, times the extender's weight, to priorities of 0 "
        "to 10. Today it is multiplied by 10 as well, beside plugins of 0 to 100: so its weight stays what it was. "
        f"Example: extenders[{first}] with weight {weight} gave up to {10 * weight} points"
    )
    if policy.priorities is not None:
        return (
            f"{rule} where the other scores gave {10 * total}; it gives {100 * weight} where they give {100 * total}."
        )
    return (
        f"{rule} where the {_OLD_DEFAULTS} default priorities of Kubernetes 1.13 gave {10 * _OLD_DEFAULTS}; it gives "
        f"{100 * weight} where the default plugins of today give {100 * total} "
        f"({', '.join(f'{name} {weight}' for name, weight in scores.items())}). To have the say it had, an extender of "
        f"this policy needs a weight greater by {total}/{_OLD_DEFAULTS}: here {-(-weight * total // _OLD_DEFAULTS)}."
    )


def _extender(extender: PolicyExtender, path: str, draft: ProfileDraft) -> Data:
    said: Data = _said(msgspec.to_builtins(extender))
    said.pop("apiVersion", None)
    if said.pop("enableHttps", False):
        said["enableHTTPS"] = True
    if "httpTimeout" in said:
        said["httpTimeout"] = _duration(extender.http_timeout, f"{path}.httpTimeout", draft)
    return {"urlPrefix": extender.url_prefix} | said


def _said(value: Any) -> Any:
    """Return a value without the fields in it that are as good as absent."""
    if isinstance(value, dict):
        cleaned = {key: _said(one) for key, one in value.items()}
        return {key: one for key, one in cleaned.items() if one}
    return [_said(one) for one in value] if isinstance(value, list | tuple) else value


def _duration(given: float | str, path: str, draft: ProfileDraft) -> str:
    """Return a number of nanoseconds as a duration; one that is written as a duration stays."""
    if isinstance(given, str):
        return given
    if given < 0 or given % 1 != 0:
        raise at(path, "must be a whole number of nanoseconds, such as 5000000000 for 5 seconds")
    if given < 1_000_000:
        draft.note(
            f"{path} is in nanoseconds, and no extender answers in {int(given)} of them: meant was perhaps more."
        )
    size, unit = next((size, unit) for size, unit in _UNITS if given % size == 0)
    return f"{int(given) // size}{unit}"
