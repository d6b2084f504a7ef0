"""ImageLocality: prefer nodes that hold the pod's images already.

Per image on the node: size * nodes having it / nodes, so that rare images do not heat up few nodes; the sum is scaled
between 23 MiB and 1000 MiB per container to 0…100.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roost.api.pod import Pod
from roost.framework.plugin import MAX_NODE_SCORE, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Bool, Rows, View

MIB = 1 << 20
LEAST = 23 * MIB
MOST_PER_CONTAINER = 1000 * MIB
_FEW = 6


class ImageLocality(Plugin):
    """Score the bytes of the pod's images that a node would not have to pull."""

    name = "ImageLocality"
    reads = frozenset({"node", "nodes", "images"})
    bounded = True
    pod_reads = ("images",)

    def remember_by(self, pod: PodInfo, view: View) -> Hashable:
        """Return the images that are anywhere, and how many containers there are."""
        return tuple([name for name in image_names(pod.pod) if view.image(name) is not None]), _containers(pod.pod)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 0…100 by the summed, spread-scaled sizes of the images present."""
        held = [image for name in image_names(pod.pod) if (image := view.image(name)) is not None]
        if not held:
            return 0
        most = MOST_PER_CONTAINER * _containers(pod.pod)
        sizes = [int(image.size * (image.num_nodes / view.num_nodes)) for image in held]
        if len(held) <= _FEW:
            return _by_what_is_there([image.present[rows] for image in held], sizes, most)
        total = np.zeros(view.size, dtype=np.int64)[rows]
        for image, size in zip(held, sizes, strict=True):
            total += image.present[rows] * size
        scores: Scores = MAX_NODE_SCORE * (np.clip(total, LEAST, most) - LEAST) // (most - LEAST)
        return scores


def _by_what_is_there(present: Sequence[Bool], sizes: Sequence[int], most: int) -> Int64:
    """Score each combination of images that a node can have, and look the rows' scores up among them."""
    totals = [0]
    for size in sizes:
        totals += [total + size for total in totals]
    table = [MAX_NODE_SCORE * (min(max(total, LEAST), most) - LEAST) // (most - LEAST) for total in totals]
    combination: NDArray[np.integer[Any]] = present[0].view(np.uint8)
    for place, there in enumerate(present[1:], start=1):
        combination = combination | (there.view(np.uint8) << place)
    return np.array(table, dtype=np.int64).take(combination)


def _containers(pod: Pod) -> int:
    return len(pod.spec.init_containers or ()) + len(pod.spec.containers or ())


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
