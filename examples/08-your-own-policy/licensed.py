"""Licensed: pods that need a licence go where there is one, and others stay away from there while they can."""

from roost.api.node import Node
from roost.api.pod import Pod
from roost.framework.plugin import Args


class LicensedArgs(Args):
    """The label of nodes that says which licence they have."""

    label: str = "example.com/licence"


class Licensed:
    """Keep nodes with a licence for the pods that need it."""

    args_type = LicensedArgs

    def __init__(self, args: LicensedArgs) -> None:
        self.label = args.label

    def filter(self, pod: Pod, node: Node) -> bool | str:
        needed = pod.annotations.get("example.com/needs-licence")
        return needed in (None, node.labels.get(self.label)) or f"node(s) have no licence for {needed}"

    def score(self, pod: Pod, node: Node) -> float:
        return 0 if self.label in node.labels else 100
