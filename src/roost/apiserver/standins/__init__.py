"""Stand-ins for the kubelet and the controllers that a demo needs; each looks at the whole and moves it on a little.

kubelet         pods that are bound run, pods that are deleted end, nodes are ready
deployments, replica_sets    Deployment -> ReplicaSet -> Pod
node_taints     cordoned nodes are tainted
volume_binder   claims are bound to volumes, and volumes made for them
disruption      how many pods each budget lets go
garbage, namespaces    what belongs to something that is gone, goes
expiry          old events go
run             wakes each when something it reads has changed
"""

from roost.apiserver.standins.run import all_standins, run_standins, settle
from roost.apiserver.standins.standin import Standin

__all__ = ["Standin", "all_standins", "run_standins", "settle"]
