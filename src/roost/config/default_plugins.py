"""The plugins of kube-scheduler 1.36: its default profile in its order and with its weights, and all its names.

The names matter also where Roost has no such plugin yet: naming it is answered by "not supported yet" and not by
"unknown".
"""

from roost.config.configuration import PluginEntry, Plugins, PluginSet

DEFAULT_PLUGINS: dict[str, int] = {
    "SchedulingGates": 0,
    "PrioritySort": 0,
    "NodeUnschedulable": 0,
    "NodeName": 0,
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodePorts": 0,
    "NodeResourcesFit": 1,
    "VolumeRestrictions": 0,
    "NodeVolumeLimits": 0,
    "VolumeBinding": 0,
    "VolumeZone": 0,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "DynamicResources": 2,
    "DefaultPreemption": 0,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
    "DefaultBinder": 0,
    "NodeDeclaredFeatures": 0,
}
"""Weights by name, in the order in which plugins are asked; 0 where the plugin does not score or its weight is 1."""

GUARD = "NotYetSupported"
"""Refuses pods whose rules Roost cannot judge yet. Only its name disables it: "*" means kube-scheduler's plugins."""

_BEHIND_FEATURE_GATES = frozenset({"GangScheduling", "TopologyPlacementGenerator", "PodGroupPodsCount"})

KUBE_SCHEDULER_PLUGINS = _BEHIND_FEATURE_GATES | DEFAULT_PLUGINS.keys()
"""Every name that kube-scheduler 1.36 has a plugin for."""


def default_plugins(available: frozenset[str]) -> Plugins:
    """Return the default plugins, as far as they are available."""
    entries = (PluginEntry(name=name, weight=weight) for name, weight in DEFAULT_PLUGINS.items() if name in available)
    return Plugins(multi_point=PluginSet(enabled=tuple(entries)))
