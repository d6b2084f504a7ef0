"""Builds the profile of `roost extend`: the policies that are named and no others.

An extender adds to what kube-scheduler decides. So kube-scheduler's default plugins, which a scheduler's profile has
for a start, would only decide again what is decided already.
"""

import logging
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from msgspec.structs import fields

from roost.config.arguments import Given, make_plugin
from roost.config.catalogue import as_plugin, find_plugin
from roost.config.configuration import Configuration, PluginEntry, Plugins, PluginSet, ProfileConfiguration
from roost.config.decode import at
from roost.config.lookup import enabled_classes, given_args
from roost.config.plugin_sets import expand
from roost.errors import ConfigError
from roost.framework.plugin import EXTENSION_POINTS, Plugin
from roost.framework.profile import Profile, Scorer

Compat = Literal["original"] | None
Settings = Mapping[str, Any]

_POINTS = {"preFilter": "pre_filter", "filter": "filter", "preScore": "pre_score", "score": "score"}
"""Where plugins take part in what an extender is asked, and how a Profile calls that."""

logger = logging.getLogger(__name__)


def extender_profile(
    asked: Sequence[str | type] | Configuration, *, compat: Compat = None, is_alone: bool = False
) -> Profile:
    """Return a profile of policies, named or given as classes, or of what the one profile of a configuration enables.

    Policies that have the argument `scale` score 0…10, and those that have `source` read annotations if the extender
    `is_alone`, without a cluster, unless told otherwise; with `compat`, those that have that argument get it. Raises
    ConfigError.
    """
    ours = {"scale": "extender", **({"source": "annotations"} if is_alone else {})}
    forced = {"compat": compat} if compat else {}
    if isinstance(asked, Configuration):
        return _build(_only_profile(asked), "profiles[0].", {}, ours, forced)
    names = [one if isinstance(one, str) else one.__qualname__ for one in asked]
    own = {name: _class_of(name, one) for name, one in zip(names, asked, strict=True)}
    if not names or len(own) < len(names):
        raise ConfigError(f"each policy must be named once, not {', '.join(names) or 'none'}")
    enabled = PluginSet(enabled=tuple(PluginEntry(name=name) for name in names))
    return _build(ProfileConfiguration(plugins=Plugins(multi_point=enabled)), "", own, ours, forced)


def _class_of(name: str, asked: str | type) -> type[Plugin]:
    return find_plugin(asked) if isinstance(asked, str) else as_plugin(name, asked)


def _only_profile(configuration: Configuration) -> ProfileConfiguration:
    if len(configuration.profiles) != 1:
        raise at("profiles", f"an extender serves one profile, not {len(configuration.profiles) or 'none'}")
    return configuration.profiles[0]


def _build(
    profile: ProfileConfiguration, path: str, own: Mapping[str, type[Plugin]], ours: Settings, forced: Settings
) -> Profile:
    classes = enabled_classes(profile.plugins, f"{path}plugins", own)
    if not classes:
        raise at(f"{path}plugins", "no plugin is enabled; an extender has none but those that are named")
    given = given_args(profile, classes, f"{path}pluginConfig")
    made = {name: _made(name, kind, given.get(name), ours, forced) for name, kind in classes.items()}
    points = {
        point: [
            entry
            for entry in expand(profile.plugins, point, partial(_implements, classes, point))
            if point not in made[entry.name].idle_at
        ]
        for point in _POINTS
    }
    _check_used(made, points, path and f"{path}plugins")
    parts: dict[str, Any] = {field: tuple(made[e.name] for e in points[point]) for point, field in _POINTS.items()}
    parts["score"] = tuple(Scorer(made[entry.name], entry.weight or 1) for entry in points["score"])
    return Profile(tie=profile.tie_break, **parts)


def _made(name: str, plugin_class: type[Plugin], given: Given | None, ours: Settings, forced: Settings) -> Plugin:
    path, args = given or (f"plugin {name}", {})
    known = {field.encode_name for field in fields(plugin_class.args_type)}
    together = {**_of(known, ours), **args, **_of(known, forced)}
    return make_plugin(name, plugin_class, (path, together))


def _of(known: Container[str], settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key in known}


def _check_used(made: Mapping[str, Plugin], points: Mapping[str, Sequence[PluginEntry]], path: str) -> None:
    asked = {entry.name for point in ("filter", "preFilter", "score") for entry in points[point]}
    for name in made:
        if name not in asked:
            raise at(path, f"{name} neither filters nor scores, so an extender has no use for it")


def _implements(classes: Mapping[str, type[Plugin]], point: str, name: str) -> bool:
    return issubclass(classes[name], EXTENSION_POINTS[point])
