"""ImageLocality: prefer nodes that hold the pod's images already.

Per image on the node: size * nodes having it / nodes, so that rare images do not heat up few nodes; the sum is scaled
between 23 MiB and 1000 MiB per container to 0…100.
"""

from collections.abc import Iterator

import numpy as np

from roost.api.pod import Pod
from roost.framework.plugin import MAX_NODE_SCORE, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View

MIB = 1 << 20
LEAST = 23 * MIB
MOST_PER_CONTAINER = 1000 * MIB


class ImageLocality(Plugin):
    """Score the bytes of the pod's images that a node would not have to pull."""

    name = "ImageLocality"
    reads = frozenset({"node", "nodes", "images"})
    pod_reads = ("images",)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 0…100 by the summed, spread-scaled sizes of the images present."""
        held = [image for name in image_names(pod.pod) if (image := view.image(name)) is not None]
        if not held:
            return 0
        total = np.zeros(view.size, dtype=np.int64)[rows]
        for image in held:
            total += image.present[rows] * int(image.size * (image.num_nodes / view.num_nodes))
        spec = pod.pod.spec
        most = MOST_PER_CONTAINER * (len(spec.init_containers or ()) + len(spec.containers or ()))
        scores: Scores = MAX_NODE_SCORE * (np.clip(total, LEAST, most) - LEAST) // (most - LEAST)
        return scores


def image_names(pod: Pod) -> Iterator[str]:
    """Yield the normalised names of the images of all containers and image volumes."""
    for container in (*(pod.spec.init_containers or ()), *(pod.spec.containers or ())):
        yield normalized(container.image)
    for volume in pod.spec.volumes or ():
        if volume.image is not None:
            yield normalized(volume.image.reference)


def normalized(name: str) -> str:
    """Return an image name with its tag: none means latest."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"
