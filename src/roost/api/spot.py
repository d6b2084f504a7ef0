"""What marks a spot node: labels and taints that clouds and tools give to nodes that may go at any time."""

from collections.abc import Mapping, Sequence

from roost.api.taints import Taint

Mark = tuple[str, str | None]
"""A key and the value it must have; None stands for any."""

SPOT_MARKS = (
    "eks.amazonaws.com/capacityType=SPOT",  # EKS managed node groups
    "karpenter.sh/capacity-type=spot",  # Karpenter, and EKS Auto Mode through it
    "node-lifecycle=spot",  # eksctl's own node groups
    "lifecycle=Ec2Spot",  # AWS CDK and AWS's workshops
    "node.kubernetes.io/lifecycle=spot",  # the EKS module for Terraform
    "cloud.google.com/gke-spot=true",
    "cloud.google.com/gke-provisioning=spot",
    "cloud.google.com/gke-preemptible=true",
    "kubernetes.azure.com/scalesetpriority=spot",  # AKS
    "oci.oraclecloud.com/oke-is-preemptible",  # OKE: the label's value is true, the taint's is present
    "scheduling.cast.ai/spot",
    "kubernetes.io/role=spot-worker",  # k8s-spot-rescheduler
    "node-role.kubernetes.io/spot-worker",  # the same, in its README
)
"""What marks a spot node, as a label and as a taint, spelled `key=value`, or `key` for any value."""


def is_marked_spot(labels: Mapping[str, str], taints: Sequence[Taint] = ()) -> bool:
    """Tell whether one of the known marks is among a node's labels or taints."""
    pairs = [*labels.items(), *((taint.key, taint.value) for taint in taints)]
    return any(pair in _MARKS or (pair[0], None) in _MARKS for pair in pairs)


def _mark(text: str) -> Mark:
    key, equals, value = text.partition("=")
    return key, value if equals else None


_MARKS = frozenset(_mark(text) for text in SPOT_MARKS)
