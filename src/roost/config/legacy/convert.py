"""Joins a v1alpha1 configuration with the policy it names, and turns both into KubeSchedulerConfiguration v1.

The manifests of schedulers with an extender hold everything in one file: a ConfigMap with the configuration, one with
the policy, a Deployment. `roost config convert` and `roost run --config` come here.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from roost.config.configuration import API_VERSION, KIND
from roost.config.decode import at, decode
from roost.config.legacy.extenders import convert_extenders, weights_note
from roost.config.legacy.find import Found, find_legacy, is_current
from roost.config.legacy.predicates import add_predicates
from roost.config.legacy.priorities import add_priorities
from roost.config.legacy.profile import Data, ProfileDraft
from roost.config.legacy.types import Policy, read_policy
from roost.config.legacy.v1alpha1 import LegacyConfiguration, PolicyConfigMap, PolicyFile, convert_fields
from roost.errors import ConfigError

HARD_AFFINITY = "hardPodAffinitySymmetricWeight"


class Converted(Struct, frozen=True, kw_only=True):
    """A configuration of v1 as plain data, and what its reader should know."""

    data: Data
    weights: str
    notes: Sequence[str]


def convert(documents: Sequence[tuple[str, Any]], scheduler_name: str = "") -> Converted | None:
    """Return what was found in documents (each a place and plain data) as v1, or None if there is nothing to convert.

    Raises ConfigError with one sentence if it cannot be used, or if it is not clear which policy is meant.
    """
    policies, configurations = find_legacy(documents)
    if any(is_current(data) for _, data in documents) or not (policies or configurations):
        return None
    draft = ProfileDraft()
    source = _only(configurations, "configurations of v1alpha1")
    old = _read_configuration(source) if source else None
    found = _choose(old, source, policies, draft) if old and source else _only(policies, "policies")
    policy, extenders = _read_policy(found, draft) if found else (Policy(), [])
    fields = _convert_fields(old, source, draft) if old and source else {}
    _set_hard_pod_affinity(policy.hard_pod_affinity_symmetric_weight or _hard_weight(old), draft)
    profile = _profile(scheduler_name or (old.scheduler_name if old else ""), draft)
    data: Data = {"apiVersion": API_VERSION, "kind": KIND} | fields
    data |= {"profiles": [profile]} if profile else {}
    data |= {"extenders": extenders} if extenders else {}
    return Converted(data=data, weights=weights_note(policy, draft), notes=draft.notes())


def numbered(documents: Sequence[Any], file: str = "") -> list[tuple[str, Any]]:
    """Return documents with their places: the file, and the number where there are several."""
    several = len(documents) > 1
    places = [(file, f"document {i}" if several else "") for i in range(1, len(documents) + 1)]
    return [(", ".join(filter(None, place)), data) for place, data in zip(places, documents, strict=True)]


def _only(found: Sequence[Found], what: str) -> Found | None:
    if len(found) > 1:
        places = " and ".join(one.place or "document" for one in found)
        raise ConfigError(f"there are {len(found)} {what}, in {places}; leave only the one you mean")
    return found[0] if found else None


def _read_configuration(source: Found) -> LegacyConfiguration:
    with source.placed():
        return decode(source.data, LegacyConfiguration)


def _read_policy(found: Found, draft: ProfileDraft) -> tuple[Policy, list[Data]]:
    """Return a policy and its extenders in v1; what it says of predicates and priorities goes into the draft."""
    with found.placed():
        policy = read_policy(found.data)
        if policy.predicates is not None:
            add_predicates(policy.predicates, draft)
        if policy.priorities is not None:
            add_priorities(policy.priorities, draft)
        if not 0 <= policy.hard_pod_affinity_symmetric_weight <= 100:
            raise at(HARD_AFFINITY, "must be from 1 to 100")
        extenders = convert_extenders(policy, draft)
    if policy.always_check_all_predicates:
        draft.note("alwaysCheckAllPredicates is gone: the first filter that rejects a node gives the reason.")
    return policy, extenders


def _convert_fields(old: LegacyConfiguration, source: Found, draft: ProfileDraft) -> Data:
    with source.placed():
        if not 0 <= old.hard_pod_affinity_symmetric_weight <= 100:
            raise at(HARD_AFFINITY, "must be from 0 to 100")
        return convert_fields(old, draft)


def _hard_weight(old: LegacyConfiguration | None) -> int:
    return old.hard_pod_affinity_symmetric_weight if old else 0


def _set_hard_pod_affinity(weight: int, draft: ProfileDraft) -> None:
    if weight and "InterPodAffinity" in draft.scores():
        draft.args["InterPodAffinity"] = {"hardPodAffinityWeight": weight}
    elif weight:
        draft.note(f"{HARD_AFFINITY} counted in InterPodAffinityPriority, which is not there; left out.")


def _profile(name: str, draft: ProfileDraft) -> Data:
    if not name:
        draft.note(
            "No scheduler name was given: kube-scheduler takes default-scheduler, roost run takes roost, and "
            "--scheduler-name NAME sets one."
        )
    if draft.filters is not None:
        draft.note(
            "Filters that are younger than policies are left out: pods with resource claims need DynamicResources."
        )
    return ({"schedulerName": name} if name else {}) | draft.profile()


def _choose(old: LegacyConfiguration, source: Found, policies: Sequence[Found], draft: ProfileDraft) -> Found | None:
    """Return the policy that a configuration names, or the only one there is if it does not say."""
    provider, policy = old.algorithm_source.provider, old.algorithm_source.policy
    if policy and provider:
        draft.note(f"algorithmSource names a policy and the provider {provider}: the policy is what is converted.")
    if policy and policy.config_map:
        return _in_config_map(policy.config_map, source, policies)
    if policy and policy.file:
        return _in_file(policy.file, source, policies)
    if provider:
        for one in policies:
            draft.note(f"The policy in {one.place} is not used: algorithmSource names the provider {provider}.")
        return None
    found = _only(policies, "policies")
    if found:
        draft.note("algorithmSource names no policy; the one that stands beside it is taken.")
    return found


def _in_config_map(wanted: PolicyConfigMap, source: Found, policies: Sequence[Found]) -> Found:
    places = [one for one in policies if one.name == wanted.name and one.namespace in ("", wanted.namespace)]
    found = _only(places, "policies")
    if found is None:
        others = f"; there is {' and '.join(one.place for one in policies if one.place)}" if policies else ""
        with source.placed():
            raise at(
                "algorithmSource.policy.configMap",
                f"the ConfigMap {wanted.namespace}/{wanted.name} is not here{others}; name the file it is in as well",
            )
    return found


def _in_file(wanted: PolicyFile, source: Found, policies: Sequence[Found]) -> Found:
    name = PurePosixPath(wanted.path).name
    found = _only([one for one in policies if one.key == name] or policies, "policies")
    if found is None:
        with source.placed():
            raise at(
                "algorithmSource.policy.file",
                f"{wanted.path} is not here; name both files: roost config convert CONFIGURATION {name}",
            )
    return found
