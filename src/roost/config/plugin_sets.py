"""The rules by which a profile's plugins override the default ones; names only, no plugin is made here.

They are kube-scheduler's, in its two steps:

1. `merge`, for each point and for multiPoint: a plugin that is enabled again keeps its place and takes the new weight;
   a disabled one is gone, unless it is enabled again, then it comes last; "*" disables all; new ones come last.
2. `expand`: multiPoint stands for every point that a plugin implements. Of one point's plugins first come those that
   both name (in the point's own order and with its own weights), then those of multiPoint, then the point's others.
"""

from collections.abc import Callable

from roost.config.configuration import FIELD_OF, PluginEntry, Plugins, PluginSet

EVERY = "*"


def merge(defaults: Plugins, custom: Plugins) -> Plugins:
    """Return the default plugins as a profile changes them."""
    return Plugins(**{field: _merge_set(defaults.at(point), custom.at(point)) for point, field in FIELD_OF.items()})


def expand(plugins: Plugins, point: str, implements: Callable[[str], bool]) -> list[PluginEntry]:
    """Return the plugins of one extension point in the order they are asked, multiPoint's among them.

    `implements` says whether the plugin of a name implements the point.
    """
    own = {entry.name: entry for entry in plugins.at(point).enabled}
    disabled = _names(plugins.at(point).disabled)
    if EVERY in disabled:
        return list(own.values())
    everywhere = {e.name: e for e in plugins.multi_point.enabled if e.name not in disabled and implements(e.name)}
    overriding = [entry for name, entry in own.items() if name in everywhere]
    added = [entry for name, entry in everywhere.items() if name not in own]
    others = [entry for name, entry in own.items() if name not in everywhere]
    return overriding + added + others


def _merge_set(defaults: PluginSet, custom: PluginSet) -> PluginSet:
    disabled = _names(custom.disabled) | _names(defaults.disabled)
    kept = [] if EVERY in disabled else [entry for entry in defaults.enabled if entry.name not in disabled]
    again = {entry.name: entry for entry in custom.enabled}
    merged = [again.pop(entry.name, entry) for entry in kept]
    return PluginSet(enabled=(*merged, *again.values()), disabled=(*custom.disabled, *defaults.disabled))


def _names(entries: tuple[PluginEntry, ...]) -> frozenset[str]:
    return frozenset(entry.name for entry in entries)
