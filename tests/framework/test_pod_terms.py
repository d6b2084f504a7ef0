"""What terms mean, and when two of them are one."""

from typing import Any

import pytest
from msgspec import convert

from roost.api.pod import Pod
from roost.api.selectors import LabelSelector
from roost.framework.pod_terms import NO_TERMS, AffinityTerm, PodTerm, affinity_terms, incoming
from roost.testing import pod

WEB = LabelSelector(match_labels={"app": "web", "tier": "front"})
NAMESPACES = {"shop": {"team": "x"}, "default": {}}


def labels_of(name: str) -> dict[str, str]:
    return NAMESPACES.get(name, {})


def terms_of(term: dict[str, Any], **labels: str) -> PodTerm:
    rules = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", **term}]}}
    (found,) = affinity_terms(pod(namespace="shop", labels=labels, spec={"affinity": rules})).required_affinity
    return found.term


def test_equal_terms_are_one_whatever_the_order() -> None:
    same = PodTerm(["b", "a"], LabelSelector(match_labels={"tier": "front", "app": "web"}))
    assert same == PodTerm(["a", "b"], WEB)
    assert len({same, PodTerm(["a", "b"], WEB)}) == 1
    assert {AffinityTerm(same, "zone", 1): "one"}[AffinityTerm(PodTerm(["a", "b"], WEB), "zone", 1)] == "one"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(PodTerm(["a"], None), id="no selector"),
        pytest.param(PodTerm(["a"], LabelSelector()), id="an empty selector"),
        pytest.param(PodTerm(["b"], WEB), id="another namespace"),
        pytest.param(PodTerm(["a"], WEB, counts_terminating=False), id="without pods that are being deleted"),
        pytest.param(PodTerm(["a"], WEB, namespace_selector=LabelSelector()), id="namespaces by a selector"),
    ],
)
def test_terms_that_mean_other_pods_differ(other: PodTerm) -> None:
    assert other != PodTerm(["a"], WEB)


@pytest.mark.parametrize(
    ("term", "namespaces"),
    [
        pytest.param({}, {"shop"}, id="its own namespace if nothing is said"),
        pytest.param({"namespaces": []}, {"shop"}, id="or nothing is named"),
        pytest.param({"namespaces": ["default"]}, {"default"}, id="those that are named"),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"team": "y"}}}, set(), id="not its own if a selector is given"
        ),
        pytest.param(
            {"namespaces": ["default"], "namespaceSelector": {"matchLabels": {"team": "x"}}},
            {"default", "shop"},
            id="those named and those selected",
        ),
        pytest.param({"namespaceSelector": {}}, {"default", "shop", "unknown"}, id="all with an empty selector"),
    ],
)
def test_which_namespaces_a_term_covers(term: dict[str, Any], namespaces: set[str]) -> None:
    found = terms_of(term)
    assert {name for name in ("default", "shop", "unknown") if found.covers(name, labels_of)} == namespaces


@pytest.mark.parametrize(
    ("keys", "selector", "other", "meant"),
    [
        pytest.param({"matchLabelKeys": ["rev"]}, {}, {"rev": "1"}, True, id="the same value"),
        pytest.param({"matchLabelKeys": ["rev"]}, {}, {"rev": "2"}, False, id="another value"),
        pytest.param({"mismatchLabelKeys": ["rev"]}, {}, {"rev": "1"}, False, id="the same value where it must differ"),
        pytest.param({"matchLabelKeys": ["no"]}, {}, {"rev": "2"}, True, id="a key that the pod has not got"),
        pytest.param({"matchLabelKeys": ["rev"]}, None, {"rev": "1"}, False, id="without a selector nothing is meant"),
        pytest.param(
            {"matchLabelKeys": ["rev"]},
            {"matchExpressions": [{"key": "rev", "operator": "In", "values": ["0"]}]},
            {"rev": "0"},
            True,
            id="what the API server has added stays",
        ),
    ],
)
def test_label_keys(keys: dict[str, Any], selector: dict[str, Any] | None, other: dict[str, str], meant: bool) -> None:
    found = terms_of({"labelSelector": selector, **keys}, rev="1")
    assert found.matches(pod(namespace="shop", labels=other), labels_of) is meant


def leaving() -> Pod:
    return pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})


def test_pods_that_are_being_deleted_are_meant_where_they_count() -> None:
    everything = LabelSelector()
    assert PodTerm(["default"], everything).matches(leaving(), labels_of)
    assert not PodTerm(["default"], everything, counts_terminating=False).matches(leaving(), labels_of)


def test_a_selector_of_namespaces_that_selects_no_labels_means_all_of_them_for_an_incoming_pod() -> None:
    no_team = convert({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, LabelSelector)
    term = PodTerm([], WEB, namespace_selector=no_team)
    assert not term.covers("shop", labels_of)
    assert incoming(term).covers("shop", labels_of)
    one_team = PodTerm(["a"], WEB, namespace_selector=LabelSelector(match_labels={"team": "x"}))
    assert incoming(one_team) is one_team


@pytest.mark.parametrize(
    "affinity", [None, {}, {"nodeAffinity": {}}, {"podAffinity": None}], ids=["none", "empty", "of nodes", "null"]
)
def test_a_pod_without_rules_has_no_terms(affinity: dict[str, Any] | None) -> None:
    assert affinity_terms(pod(spec={"affinity": affinity})) is NO_TERMS
