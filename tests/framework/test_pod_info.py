"""When two pods are copies of one template, so that what is worked out for one serves both."""

from typing import Any

import pytest

from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.pod_info import PARTS, PodInfo
from roost.testing import pod


def made(name: str, **differences: Any) -> Pod:
    return pod(name, **{"cpu": "1", "labels": {"app": "web"}, "tolerations": [{"key": "team"}], **differences})


def pair(**differences: Any) -> tuple[PodInfo, PodInfo]:
    cache = Cache()
    return cache.pod_info(made("one")), cache.pod_info(made("two", **differences))


def test_copies_resemble_each_other_and_share_what_was_worked_out() -> None:
    one, two = pair()
    keys = {part: one.part(part) for part in PARTS}
    assert two.resembles(one)
    assert {part: two.part(part) for part in PARTS} == keys
    assert two.terms is one.terms
    assert two.key != one.key


@pytest.mark.parametrize(
    "differences",
    [
        pytest.param({"cpu": "2"}, id="requests"),
        pytest.param({"labels": {"app": "db"}}, id="labels"),
        pytest.param({"namespace": "other"}, id="the namespace"),
        pytest.param({"tolerations": []}, id="a part of the spec"),
        pytest.param({"priority": 5}, id="the priority"),
        pytest.param({"spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}}, id="a claim"),
    ],
)
def test_pods_do_not_resemble_each_other_that_differ_in(differences: dict[str, Any]) -> None:
    one, two = pair(**differences)
    assert not two.resembles(one)


def test_pods_with_claims_do_not_even_resemble_their_copies() -> None:
    claim = {"spec": {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}]}}
    cache = Cache()
    one, two = cache.pod_info(made("one", **claim)), cache.pod_info(made("two", **claim))
    assert not two.resembles(one)
