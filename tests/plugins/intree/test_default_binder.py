import pytest

from roost.cache import Cache
from roost.errors import Conflict
from roost.framework.status import Status
from roost.plugins.intree.default_binder import DefaultBinder
from roost.testing import pod

Binding = tuple[str, str, str, str]


class FakeCluster:
    """A cluster that can do nothing but bind, and remembers what it bound."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.bindings: list[Binding] = []
        self._refusal = refusal

    async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.bindings.append((namespace, name, uid, node_name))


async def bind(cluster: FakeCluster) -> Status | None:
    info = Cache().pod_info(pod("web-1", namespace="shop", uid="u-1"))
    return await DefaultBinder().bind(cluster, info, "node-7")  # type: ignore[arg-type]


async def test_the_pod_is_bound_with_its_uid() -> None:
    cluster = FakeCluster()
    assert await bind(cluster) is None
    assert cluster.bindings == [("shop", "web-1", "u-1", "node-7")]


async def test_a_refusal_is_passed_on() -> None:
    cluster = FakeCluster(Conflict("pod web-1 is already assigned to node node-3", status=409))
    with pytest.raises(Conflict, match="already assigned"):
        await bind(cluster)
    assert cluster.bindings == []
