from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from roost.api.devices import DeviceClass
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code, Status
from roost.plugins.intree.not_yet_supported import NotYetSupported
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
Fields = dict[str, Any]
REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}


def spread(**fields: Any) -> dict[str, Any]:
    return {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", **fields}]}


ACCEPTED = [
    pytest.param({}, id="a plain pod"),
    pytest.param(spread(whenUnsatisfiable="DoNotSchedule"), id="a spread constraint"),
    pytest.param({"affinity": {"podAffinity": REQUIRED, "podAntiAffinity": REQUIRED}}, id="required pod affinity"),
    pytest.param({"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}, id="a claim"),
    pytest.param({"topologySpreadConstraints": [], "volumes": [], "resourceClaims": []}, id="empty lists"),
]


def test_a_pod_with_resource_claims_is_refused_by_their_name(judge: Judge) -> None:
    claiming = pod(spec={"resourceClaims": [{"name": "gpu"}]})
    rejected = judge(NotYetSupported(), claiming, [node("a"), node("b")])
    assert rejected.keys() == {"a", "b"}
    assert rejected["a"].reasons == ("spec.resourceClaims is not supported by Roost yet",)
    assert rejected["a"].code is Code.UnschedulableAndUnresolvable


@pytest.mark.parametrize("spec", ACCEPTED)
def test_what_can_be_judged_or_cannot_reject_is_let_through(judge: Judge, spec: dict[str, Any]) -> None:
    assert judge(NotYetSupported(), pod(spec=spec), [node("a")]) == {}


GPU, IMPLICIT = "example.com/gpu", "deviceclass.resource.kubernetes.io/gpu"


def asked_with_classes(judged: Pod, *classes: Fields) -> tuple[str, ...]:
    """Return why nodes are rejected in a cluster with these DeviceClasses, whose nodes have two GPUs each."""
    cache = Cache()
    cache.set_node(node(allocatable={GPU: 2}))
    for one in classes:
        cache.set_device_class(msgspec.convert(one, DeviceClass))
    decision = Cycle(Profile.of([NotYetSupported()])).decide(cache.pod_info(judged), cache.view, Context())
    return tuple(decision.reasons)


def device_class(name: str, resource: str | None = None) -> Fields:
    return {"metadata": {"name": name}, "spec": {"extendedResourceName": resource}}


@pytest.mark.parametrize(
    ("judged", "classes", "refused"),
    [
        pytest.param(pod(requests={GPU: 1}), [device_class("gpu", GPU)], GPU, id="a resource that a class names"),
        pytest.param(pod(requests={GPU: 1}), [device_class("gpu")], "", id="a resource that no class names"),
        pytest.param(pod(requests={GPU: 1}), [], "", id="no classes at all"),
        pytest.param(pod(requests={GPU: 0}), [device_class("gpu", GPU)], "", id="none of such a resource"),
        pytest.param(pod(cpu="1"), [device_class("gpu", GPU)], "", id="a pod without extended resources"),
        pytest.param(pod(requests={IMPLICIT: 1}), [device_class("gpu")], IMPLICIT, id="a resource named by its class"),
        pytest.param(
            pod(spec={"initContainers": [{"name": "i", "resources": {"requests": {GPU: 1}}}]}),
            [device_class("gpu", GPU)],
            GPU,
            id="an init container that asks",
        ),
    ],
)
def test_a_resource_that_stands_for_devices_is_refused(judged: Pod, classes: list[Fields], refused: str) -> None:
    reason = f"resource {refused}, which DeviceClass gpu maps to devices, is not supported by Roost yet"
    assert asked_with_classes(judged, *classes) == ((reason,) if refused else ())


def test_all_rules_that_cannot_be_judged_are_named() -> None:
    both = pod(requests={GPU: 1, IMPLICIT: 1}, spec={"resourceClaims": [{"name": "gpu"}]})
    reasons = asked_with_classes(both, device_class("gpu", GPU))
    assert [reason.partition(" is not supported")[0].partition(",")[0] for reason in reasons] == [
        "spec.resourceClaims",
        f"resource {IMPLICIT}",
        f"resource {GPU}",
    ]
