"""NodeDeclaredFeatures: a node must declare the features of the kubelet that a pod's spec calls for.

Nodes that declare the same features share a set, so a pod is compared once per set, not once per node.
Source: kube-scheduler 1.36, nodedeclaredfeatures; KEP-5328.
"""

import numpy as np

from roost.api.features import required_features
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import SKIP, unresolvable
from roost.framework.view import Rows, View

NOT_DECLARED = unresolvable("node(s) didn't match Pod's required features")


class NodeDeclaredFeatures(Plugin):
    """Reject nodes that do not declare all features that the pod needs."""

    name = "NodeDeclaredFeatures"
    reads = frozenset({"node"})
    pre_reads = frozenset()
    pod_reads = ("features",)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods that any node can run."""
        return None if required_features(pod.pod) else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows whose node lacks a feature."""
        wanted = frozenset(required_features(pod.pod))
        lacking = np.array([not wanted <= declared for declared in view.feature_sets], dtype=np.bool_)
        return Verdicts.rejecting(lacking[view.feature_set[rows]], NOT_DECLARED)
