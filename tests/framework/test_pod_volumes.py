"""What of a pod's volumes can tie it to nodes, and which pods look alike by it."""

from typing import Any

import pytest

from roost.cache import Cache
from roost.framework.pod_volumes import NO_VOLUMES, ClaimUse, pod_volumes
from roost.testing import pod
from roost.testing.storage import using

TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def with_token(name: str, suffix: str) -> Any:
    return pod(name, spec={"volumes": [{"name": f"kube-api-access-{suffix}", **TOKEN}]})


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(pod(), id="no volumes"),
        pytest.param(with_token("web", "x7k2p"), id="the token that every pod gets"),
        pytest.param(using(disks=[{"emptyDir": {}}, {"configMap": {}}, {"nfs": {"path": "/"}}]), id="others"),
    ],
)
def test_most_volumes_tie_to_no_node(judged: Any) -> None:
    assert pod_volumes(judged) is NO_VOLUMES
    assert Cache().pod_info(judged).volumes is NO_VOLUMES


def test_claims_go_by_namespace_and_name_and_those_made_for_a_pod_by_its_own() -> None:
    volumes = pod_volumes(using("data", ephemeral=["tmp"], name="web", namespace="shop", uid="u"))
    assert volumes.claims == (ClaimUse("shop/data"), ClaimUse("shop/web-tmp", "u"))
    assert volumes.mentions(frozenset({"data", "web-tmp"})) == 1


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        pytest.param(with_token("b", "two"), True, id="the random name of the token's volume"),
        pytest.param(pod("b"), True, id="no token at all"),
        pytest.param(using("data", name="b"), False, id="a claim"),
    ],
)
def test_pods_look_alike_by_what_ties_them(other: Any, alike: bool) -> None:
    cache = Cache()
    one = cache.pod_info(with_token("a", "one"))
    assert (one.part("storage") == cache.pod_info(other).part("storage")) is alike
