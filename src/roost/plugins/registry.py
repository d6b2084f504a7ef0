"""Every plugin that ships with Roost, one line each; the order is that in which a profile asks them."""

from roost.framework.plugin import Plugin
from roost.framework.simple import lift
from roost.plugins.intree.default_binder import DefaultBinder
from roost.plugins.intree.default_preemption import DefaultPreemption
from roost.plugins.intree.dynamic_resources import DynamicResources
from roost.plugins.intree.image_locality import ImageLocality
from roost.plugins.intree.inter_pod_affinity import InterPodAffinity
from roost.plugins.intree.node_affinity import NodeAffinity
from roost.plugins.intree.node_declared_features import NodeDeclaredFeatures
from roost.plugins.intree.node_name import NodeName
from roost.plugins.intree.node_ports import NodePorts
from roost.plugins.intree.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from roost.plugins.intree.node_resources_fit import NodeResourcesFit
from roost.plugins.intree.node_unschedulable import NodeUnschedulable
from roost.plugins.intree.node_volume_limits import NodeVolumeLimits
from roost.plugins.intree.not_yet_supported import NotYetSupported
from roost.plugins.intree.pod_topology_spread import PodTopologySpread
from roost.plugins.intree.priority_sort import PrioritySort
from roost.plugins.intree.scheduling_gates import SchedulingGates
from roost.plugins.intree.taint_toleration import TaintToleration
from roost.plugins.intree.volume_binding import VolumeBinding
from roost.plugins.intree.volume_restrictions import VolumeRestrictions
from roost.plugins.intree.volume_zone import VolumeZone
from roost.plugins.policies.always_true import AlwaysTrue
from roost.plugins.policies.cheapest_node import CheapestNode
from roost.plugins.policies.congestion import Congestion
from roost.plugins.policies.foo import Foo
from roost.plugins.policies.lucky import Lucky
from roost.plugins.policies.node_index import NodeIndex
from roost.plugins.policies.pigeon_holing import PigeonHoling
from roost.plugins.policies.random_node import RandomNode
from roost.plugins.policies.safe_balance import SafeBalance
from roost.plugins.policies.safe_overload import SafeOverload
from roost.plugins.policies.spot_first import SpotFirst
from roost.plugins.policies.zero_score import ZeroScore

IN_TREE: dict[str, type[Plugin]] = {
    "SchedulingGates": SchedulingGates,
    "PrioritySort": PrioritySort,
    "NotYetSupported": NotYetSupported,
    "NodeUnschedulable": NodeUnschedulable,
    "NodeName": NodeName,
    "TaintToleration": TaintToleration,
    "NodeAffinity": NodeAffinity,
    "NodePorts": NodePorts,
    "NodeResourcesFit": NodeResourcesFit,
    "VolumeRestrictions": VolumeRestrictions,
    "NodeVolumeLimits": NodeVolumeLimits,
    "VolumeBinding": VolumeBinding,
    "VolumeZone": VolumeZone,
    "PodTopologySpread": PodTopologySpread,
    "InterPodAffinity": InterPodAffinity,
    "DynamicResources": DynamicResources,
    "DefaultPreemption": DefaultPreemption,
    "NodeResourcesBalancedAllocation": NodeResourcesBalancedAllocation,
    "ImageLocality": ImageLocality,
    "DefaultBinder": DefaultBinder,
    "NodeDeclaredFeatures": NodeDeclaredFeatures,
}

POLICIES: dict[str, type[Plugin]] = {
    "AlwaysTrue": AlwaysTrue,
    "CheapestNode": CheapestNode,
    "Congestion": Congestion,
    "Foo": Foo,
    "Lucky": Lucky,
    "NodeIndex": NodeIndex,
    "PigeonHoling": PigeonHoling,
    "RandomNode": lift(RandomNode),
    "SafeBalance": SafeBalance,
    "SafeOverload": SafeOverload,
    "SpotFirst": SpotFirst,
    "ZeroScore": ZeroScore,
}

REGISTRY: dict[str, type[Plugin]] = IN_TREE | POLICIES
