"""The features that a pod needs its node to declare, inferred from its spec as kube-scheduler 1.36 does.

Source: k8s.io/component-helpers/nodedeclaredfeatures. What only the resizing of a running pod needs is not among them.
"""

from roost.api.pod import Container, Pod

RESTART_ALL_CONTAINERS = "RestartAllContainersOnContainerExits"
USER_NAMESPACES_ON_THE_HOST_NETWORK = "UserNamespacesHostNetworkSupport"

_NONE: tuple[str, ...] = ()


def required_features(pod: Pod) -> tuple[str, ...]:
    """Return the features that a node must have in `status.declaredFeatures`, in alphabetical order."""
    spec = pod.spec
    found = _NONE
    if _restart_all(spec.containers) or _restart_all(spec.init_containers):
        found = (RESTART_ALL_CONTAINERS,)
    if spec.host_network and spec.host_users is False:
        found = (*found, USER_NAMESPACES_ON_THE_HOST_NETWORK)
    return found


def _restart_all(containers: tuple[Container, ...] | None) -> bool:
    for container in containers or ():
        rules = container.restart_policy_rules
        if rules and any(rule.action == "RestartAllContainers" for rule in rules):
            return True
    return False
