"""Builds profiles of ready plugins: from a configuration, for `--policy`, or with nothing but the defaults."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from roost.config.arguments import make_plugin
from roost.config.catalogue import as_plugin, find_plugin
from roost.config.configuration import (
    FIELD_OF,
    SCHEDULER_NAME,
    Configuration,
    PluginEntry,
    Plugins,
    PluginSet,
    ProfileConfiguration,
)
from roost.config.decode import at, decode
from roost.config.default_plugins import GUARD, default_plugins
from roost.config.extenders import ignored_resources as ignored_by
from roost.config.extenders import ignoring
from roost.config.lookup import enabled_classes, given_args
from roost.config.plugin_sets import EVERY, expand, merge
from roost.errors import ConfigError
from roost.framework.plugin import EXTENSION_POINTS, Plugin
from roost.framework.profile import Profile, Scorer, Tie
from roost.plugins.registry import REGISTRY

_NONE: Mapping[str, type[Plugin]] = MappingProxyType({})
Points = Mapping[str, Sequence[PluginEntry]]

Policy = str | type | Sequence[str | type] | Profile | None
"""What may be given as a policy: a name or a class, several, a profile, or None for kube-scheduler's defaults."""


def build_profiles(configuration: Configuration) -> tuple[Profile, ...]:
    """Return the profiles of a configuration; one without any has the default profile."""
    written = configuration.profiles or (ProfileConfiguration(),)
    ignored = ignored_by(configuration.extenders)
    profiles = tuple(_build(ignoring(profile, ignored), f"profiles[{i}].") for i, profile in enumerate(written))
    _check_queue_sort(profiles)
    return profiles


def default_profile(scheduler_name: str = SCHEDULER_NAME, *, tie: Tie = "first") -> Profile:
    """Return kube-scheduler's default profile, as far as Roost has its plugins."""
    return _build(ProfileConfiguration(scheduler_name=scheduler_name, tie_break=tie))


def policy_profile(
    policies: Sequence[str | type],
    scheduler_name: str = SCHEDULER_NAME,
    *,
    tie: Tie = "first",
    ignored_resources: Sequence[str] = (),
) -> Profile:
    """Return the default profile with some plugins as its only scorers, each with a weight of 1.

    A policy is named as in a configuration, or given as its class.

    They take part at every other extension point they implement as well. If none of them scores, the default scorers
    stay. NodeResourcesFit does not check `ignored_resources`.
    """
    given = [policy if isinstance(policy, str) else policy.__qualname__ for policy in policies]
    own = {
        policy.__qualname__: as_plugin(policy.__qualname__, policy) for policy in policies if isinstance(policy, type)
    }
    plugins = _policy_plugins(given, own)
    profile = ProfileConfiguration(scheduler_name=scheduler_name, tie_break=tie, plugins=plugins)
    return _build(ignoring(profile, ignored_resources), own=own)


def profile_of(policy: Policy) -> Profile:
    """Return the profile that a policy argument means; raises ConfigError for an unknown policy."""
    if isinstance(policy, Profile):
        return policy
    if policy is None:
        return default_profile()
    return policy_profile([policy] if isinstance(policy, str | type) else list(policy))


def profile_from_fragment(fragment: Mapping[str, Any] | None) -> Profile:
    """Return the default profile with a part of a configuration's profile merged in, given as plain data."""
    return _build(decode(fragment or {}, ProfileConfiguration))


def _build(profile: ProfileConfiguration, path: str = "", own: Mapping[str, type[Plugin]] = _NONE) -> Profile:
    classes = enabled_classes(profile.plugins, f"{path}plugins", own)
    plugins = merge(default_plugins(frozenset(REGISTRY)), profile.plugins)
    classes |= {e.name: REGISTRY[e.name] for e in plugins.multi_point.enabled if e.name not in classes}
    points = {point: expand(plugins, point, partial(_implements, classes, point)) for point in EXTENSION_POINTS}
    if _is_guarded(plugins) and GUARD not in classes:
        classes[GUARD] = REGISTRY[GUARD]
        points["preFilter"].insert(0, PluginEntry(name=GUARD))
    given = given_args(profile, classes, f"{path}pluginConfig")
    made = {name: make_plugin(name, plugin_class, given.get(name)) for name, plugin_class in classes.items()}
    return _assemble(profile, points, made, f"{path}plugins")


def _is_guarded(plugins: Plugins) -> bool:
    disabled = (*plugins.multi_point.disabled, *plugins.pre_filter.disabled)
    return GUARD in REGISTRY and all(entry.name != GUARD for entry in disabled)


def _assemble(profile: ProfileConfiguration, points: Points, made: Mapping[str, Plugin], path: str) -> Profile:
    used = {point: [e for e in entries if point not in made[e.name].idle_at] for point, entries in points.items()}
    fields: dict[str, Any] = {FIELD_OF[point]: tuple(made[e.name] for e in used[point]) for point in used}
    fields["score"] = tuple(Scorer(made[entry.name], entry.weight or 1) for entry in used["score"])
    sorters = [entry.name for entry in points["queueSort"]]
    if len(sorters) != 1:
        raise at(f"{path}.queueSort", f"one plugin must sort the queue, not {' and '.join(sorters) or 'none'}")
    if not fields["bind"]:
        raise at(f"{path}.bind", "at least one plugin must bind")
    fields["queue_sort"] = made[sorters[0]]
    return Profile(scheduler_name=profile.scheduler_name or SCHEDULER_NAME, tie=profile.tie_break, **fields)


def _check_queue_sort(profiles: Sequence[Profile]) -> None:
    """All profiles share one queue, so they must agree on its order."""
    orders = [(type(profile.queue_sort), getattr(profile.queue_sort, "args", None)) for profile in profiles]
    for i, order in enumerate(orders):
        if order != orders[0]:
            raise at(f"profiles[{i}].plugins.queueSort", "must be the same in all profiles")


def _policy_plugins(names: Sequence[str], own: Mapping[str, type[Plugin]]) -> Plugins:
    classes = {name: own.get(name) or find_plugin(name) for name in names}
    if not names or len(classes) < len(names):
        raise ConfigError(f"each policy must be named once, not {', '.join(names) or 'none'}")

    def implementing(point: str) -> tuple[PluginEntry, ...]:
        return tuple(PluginEntry(name=name, weight=1) for name in names if _implements(classes, point, name))

    sets = {"multi_point": PluginSet(enabled=tuple(PluginEntry(name=name, weight=1) for name in names))}
    # A policy is asked before the default filters: what it has to say is more to the point than theirs.
    sets["filter"] = PluginSet(enabled=implementing("filter"))
    for point, reason in (("queueSort", "queueSort"), ("preScore", "score"), ("score", "score")):
        if implementing(reason):
            sets[FIELD_OF[point]] = PluginSet(enabled=implementing(point), disabled=(PluginEntry(name=EVERY),))
    return Plugins(**sets)


def _implements(classes: Mapping[str, type[Plugin]], point: str, name: str) -> bool:
    return issubclass(classes[name], EXTENSION_POINTS[point])
