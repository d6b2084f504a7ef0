"""Nodes for a demo: zones, sizes, spot and on-demand, prices; the same arguments give the same nodes."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from roost.apiserver.stored import Object

PRICE_LABEL = "roost.dev/price-per-hour"
CAPACITY_LABEL = "karpenter.sh/capacity-type"
SPOT_DISCOUNT = 0.35
"""What a spot node costs, as a share of the price on demand."""


class NodeSize(Struct, frozen=True):
    """An instance type: what it has, and its price per hour on demand."""

    name: str
    cpu: int
    memory_gib: int
    price: float


SIZES = (
    NodeSize("m5.xlarge", 4, 16, 0.192),
    NodeSize("m5.2xlarge", 8, 32, 0.384),
    NodeSize("c5.2xlarge", 8, 16, 0.34),
    NodeSize("r5.2xlarge", 8, 64, 0.504),
)
ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
IMAGES = {"registry.k8s.io/pause:3.10": 514_000, "docker.io/library/nginx:1.29": 72_300_000}


def build_nodes(
    count: int,
    *,
    zones: Sequence[str] = ZONES,
    spot_share: float = 0.3,
    sizes: Sequence[NodeSize] = SIZES,
    pods: int = 110,
    prefix: str = "node",
) -> Iterator[Object]:
    """Yield nodes that go round the zones and the sizes; the given share of any of their number is spot."""
    for i in range(count):
        is_spot = int((i + 1) * spot_share) > int(i * spot_share)
        yield _node(f"{prefix}-{i}", zones[i % len(zones)], sizes[i // len(zones) % len(sizes)], is_spot, pods)


def _node(name: str, zone: str, size: NodeSize, is_spot: bool, pods: int) -> Object:
    price = size.price * (SPOT_DISCOUNT if is_spot else 1)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(name, zone, size, is_spot, price)},
        "spec": {"providerID": f"roost://{zone}/{name}"},
        "status": {
            "capacity": _resources(size.cpu * 1000, size.memory_gib * 1024, pods),
            "allocatable": _resources(size.cpu * 1000 - 80, size.memory_gib * 1024 - 1024, pods),
            "images": [{"names": [image], "sizeBytes": bytes_} for image, bytes_ in IMAGES.items()],
        },
    }


def _labels(name: str, zone: str, size: NodeSize, is_spot: bool, price: float) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": size.name,
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone.rstrip("abcdefghijklmnopqrstuvwxyz"),
        CAPACITY_LABEL: "spot" if is_spot else "on-demand",
        PRICE_LABEL: f"{price:.4f}",
    }


def _resources(milli_cpu: int, mebibytes: int, pods: int) -> dict[str, str]:
    return {"cpu": f"{milli_cpu}m", "memory": f"{mebibytes * 1024}Ki", "pods": str(pods), "ephemeral-storage": "100Gi"}
