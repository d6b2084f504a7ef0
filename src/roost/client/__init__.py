"""Talk to a Kubernetes API server: find it, log in, and be the `Cluster` that schedulers act on.

target         where it is, how to trust it, how to log in: values
find           which of them: arguments, kubeconfig, service account  (kubeconfig: the files)
tls, credentials, exec_plugin    trust and login, now
request, answer, listing, watch  bytes out, bytes in: plain functions
connection, stream, dial, pool, transport    the socket
kube_cluster   the `Cluster`
"""

from roost.client.find import connection_info
from roost.client.kube_cluster import KubeCluster, connect
from roost.client.target import ConnectionInfo

__all__ = ["ConnectionInfo", "KubeCluster", "connect", "connection_info"]
