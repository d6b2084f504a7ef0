from collections.abc import Callable, Mapping
from typing import Any

import pytest

from roost.framework.status import Code, Status
from roost.plugins.intree.not_yet_supported import UNSUPPORTED, NotYetSupported
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}
PREFERRED = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": TERM}]}
HARD_SPREAD = "spec.topologySpreadConstraints with whenUnsatisfiable DoNotSchedule"
POD_AFFINITY = "required spec.affinity.podAffinity or podAntiAffinity"
CLAIMS = "spec.volumes with persistent volume claims"


def spread(**fields: Any) -> dict[str, Any]:
    return {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", **fields}]}


REFUSED = [
    pytest.param(spread(whenUnsatisfiable="DoNotSchedule"), HARD_SPREAD, id="a hard spread constraint"),
    pytest.param(spread(), HARD_SPREAD, id="a spread constraint without a word is a hard one"),
    pytest.param({"affinity": {"podAffinity": REQUIRED}}, POD_AFFINITY, id="required pod affinity"),
    pytest.param({"affinity": {"podAntiAffinity": REQUIRED}}, POD_AFFINITY, id="required pod anti-affinity"),
    pytest.param({"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}, CLAIMS, id="a claim"),
    pytest.param({"volumes": [{"ephemeral": {"volumeClaimTemplate": {}}}]}, CLAIMS, id="an ephemeral claim"),
    pytest.param({"resourceClaims": [{"name": "gpu"}]}, "spec.resourceClaims", id="a claim of devices"),
]
ACCEPTED = [
    pytest.param({}, id="a plain pod"),
    pytest.param(spread(whenUnsatisfiable="ScheduleAnyway"), id="a soft spread constraint"),
    pytest.param({"affinity": {"podAffinity": PREFERRED, "podAntiAffinity": PREFERRED}}, id="preferred pod affinity"),
    pytest.param({"affinity": {"podAntiAffinity": {}}}, id="empty pod anti-affinity"),
    pytest.param({"affinity": {"nodeAffinity": {}}}, id="node affinity"),
    pytest.param({"volumes": [{"emptyDir": {}}, {"configMap": {"name": "c"}}]}, id="volumes without claims"),
    pytest.param({"topologySpreadConstraints": [], "volumes": [], "resourceClaims": []}, id="empty lists"),
]


@pytest.mark.parametrize(("spec", "rule"), REFUSED)
def test_a_rule_that_cannot_be_judged_yet_is_refused_by_its_name(judge: Judge, spec: dict[str, Any], rule: str) -> None:
    rejected = judge(NotYetSupported(), pod(spec=spec), [node("a"), node("b")])
    assert rejected.keys() == {"a", "b"}
    assert rejected["a"].reasons == (f"{rule} is not supported by Roost yet",)
    assert rejected["a"].code is Code.UnschedulableAndUnresolvable


@pytest.mark.parametrize("spec", ACCEPTED)
def test_what_can_be_judged_or_cannot_reject_is_let_through(judge: Judge, spec: dict[str, Any]) -> None:
    assert judge(NotYetSupported(), pod(spec=spec), [node("a")]) == {}


def test_all_rules_that_cannot_be_judged_are_named(judge: Judge) -> None:
    spec = spread() | {"resourceClaims": [{"name": "gpu"}]}
    rejected = judge(NotYetSupported(), pod(spec=spec), [node("a")])
    assert [reason.split(" is not")[0] for reason in rejected["a"].reasons] == [HARD_SPREAD, "spec.resourceClaims"]


def test_every_rule_has_a_test() -> None:
    """A line that is added to the table, or goes from it, is to be seen here."""
    assert {parameter.values[1] for parameter in REFUSED} == UNSUPPORTED.keys()
