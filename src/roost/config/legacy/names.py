"""What became of the predicates and priorities of a scheduler Policy: their names in Kubernetes 1.0 to 1.22.

`predicates` and `priorities` read these tables. A name that means nothing to them is a mistake in the policy.
"""

from roost.config.default_plugins import DEFAULT_PLUGINS

PREDICATES: dict[str, tuple[str, ...]] = {
    "GeneralPredicates": ("NodeResourcesFit", "NodeName", "NodePorts", "NodeAffinity"),
    "PodFitsResources": ("NodeResourcesFit",),
    "PodFitsHostPorts": ("NodePorts",),
    "PodFitsPorts": ("NodePorts",),
    "HostName": ("NodeName",),
    "MatchNodeSelector": ("NodeAffinity",),
    "NoDiskConflict": ("VolumeRestrictions",),
    "NoVolumeZoneConflict": ("VolumeZone",),
    "NoVolumeNodeConflict": ("VolumeBinding",),
    "CheckVolumeBinding": ("VolumeBinding",),
    "MaxCSIVolumeCountPred": ("NodeVolumeLimits",),
    "MaxEBSVolumeCount": ("NodeVolumeLimits",),
    "MaxGCEPDVolumeCount": ("NodeVolumeLimits",),
    "MaxAzureDiskVolumeCount": ("NodeVolumeLimits",),
    "MaxCinderVolumeCount": ("NodeVolumeLimits",),
    "PodToleratesNodeTaints": ("TaintToleration",),
    "PodToleratesNodeNoExecuteTaints": ("TaintToleration",),
    "CheckNodeUnschedulable": ("NodeUnschedulable",),
    "CheckNodeCondition": ("TaintToleration",),
    "CheckNodeMemoryPressure": ("TaintToleration",),
    "CheckNodeDiskPressure": ("TaintToleration",),
    "CheckNodePIDPressure": ("TaintToleration",),
    "MatchInterPodAffinity": ("InterPodAffinity",),
    "EvenPodsSpread": ("PodTopologySpread",),
    "CheckNodeLabelPresence": (),
    "CheckServiceAffinity": (),
}
"""The plugins that filter in the place of a predicate; none where it did nothing without an argument."""

PRIORITIES: dict[str, str] = {
    "LeastRequestedPriority": "NodeResourcesFit",
    "MostRequestedPriority": "NodeResourcesFit",
    "RequestedToCapacityRatioPriority": "NodeResourcesFit",
    "BalancedResourceAllocation": "NodeResourcesBalancedAllocation",
    "SelectorSpreadPriority": "PodTopologySpread",
    "ServiceSpreadingPriority": "PodTopologySpread",
    "EvenPodsSpreadPriority": "PodTopologySpread",
    "InterPodAffinityPriority": "InterPodAffinity",
    "NodeAffinityPriority": "NodeAffinity",
    "TaintTolerationPriority": "TaintToleration",
    "ImageLocalityPriority": "ImageLocality",
    "EqualPriority": "",
    "NodePreferAvoidPodsPriority": "",
    "ResourceLimitsPriority": "",
}
"""The plugin that scores in the place of a priority, or "" for one that has no successor."""

MANDATORY = ("NodeUnschedulable", "TaintToleration")
"""Filters that every policy had, also one with an empty list of predicates."""

ALWAYS = ("SchedulingGates", "PrioritySort", "DefaultPreemption", "DefaultBinder")
"""What takes part whatever a policy says. Pods with gates are younger than policies, but they cannot be bound."""

SCORERS = {name: weight for name, weight in DEFAULT_PLUGINS.items() if weight and name != "DynamicResources"}
"""Today's scoring plugins and default weights; DynamicResources scores resource claims, which no policy knew."""

NO_FILTER = ("NodeResourcesBalancedAllocation", "ImageLocality")
"""The scorers that do not filter as well."""

_TAINTS = "a node that is not ready or under pressure has a taint today, which TaintToleration heeds"
_LIMITS = "CSI drivers attach the disks of clouds today, and NodeVolumeLimits counts theirs"
_NO_ARGUMENT = "did nothing without an argument; left out"

CHANGES: dict[str, str] = {
    "CheckNodeCondition": _TAINTS,
    "CheckNodeMemoryPressure": _TAINTS,
    "CheckNodeDiskPressure": _TAINTS,
    "CheckNodePIDPressure": _TAINTS,
    "MaxEBSVolumeCount": _LIMITS,
    "MaxGCEPDVolumeCount": _LIMITS,
    "MaxAzureDiskVolumeCount": _LIMITS,
    "MaxCinderVolumeCount": _LIMITS,
    "CheckNodeLabelPresence": _NO_ARGUMENT,
    "CheckServiceAffinity": _NO_ARGUMENT,
    "EqualPriority": "the same for every node; left out",
    "NodePreferAvoidPodsPriority": (
        "gone, with the annotation scheduler.alpha.kubernetes.io/preferAvoidPods; left out: taint such nodes with "
        "PreferNoSchedule"
    ),
    "ResourceLimitsPriority": "an experiment that ended; left out",
    "SelectorSpreadPriority": (
        "PodTopologySpread with its default constraints: the pods of a Service, ReplicaSet, StatefulSet or "
        "ReplicationController, over zones and nodes"
    ),
    "ServiceSpreadingPriority": (
        "PodTopologySpread with its default constraints, which spread pods without a Service too, by their ReplicaSet, "
        "StatefulSet or ReplicationController"
    ),
}
"""What differs from then, by predicate or priority."""
