from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from roost.api.node import Node
from roost.api.node_selectors import required_node_affinity_matches
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code, Status
from roost.plugins.intree.node_affinity import NodeAffinity, NodeAffinityArgs
from roost.testing import node, pod

Fields = dict[str, Any]
Judge = Callable[..., Mapping[str, Status]]
NO_MATCH = "node(s) didn't match Pod's node affinity/selector"
NOT_ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
NODES = [
    node("a1", labels={"zone": "a", "cores": "4"}),
    node("a2", labels={"zone": "a", "cores": "16"}),
    node("b1", labels={"zone": "b", "cores": "many"}),
    node("bare"),
]


def where(key: str, operator: str, *values: str) -> Fields:
    return {"key": key, "operator": operator, "values": list(values)}


def named(*names: str, operator: str = "In") -> Fields:
    return where("metadata.name", operator, *names)


def term(*expressions: Fields, fields: tuple[Fields, ...] = ()) -> Fields:
    return {"matchExpressions": list(expressions), "matchFields": list(fields)}


def rules(*terms: Fields) -> Fields:
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}


def requiring(*terms: Fields, **spec: Any) -> Pod:
    return pod(spec={"affinity": {"nodeAffinity": rules(*terms)}, **spec})


def fitting(judge: Judge, asking: Pod, args: NodeAffinityArgs | None = None) -> set[str]:
    return {one.name for one in NODES} - judge(NodeAffinity(args), asking, NODES).keys()


# ---- required


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        pytest.param(where("zone", "In", "a"), {"a1", "a2"}, id="In: the value is one of these"),
        pytest.param(where("zone", "In", "b", "c"), {"b1"}, id="In: any of several, known or not"),
        pytest.param(where("zone", "In", "c"), set(), id="In: a value that no node has"),
        pytest.param(where("zone", "NotIn", "a"), {"b1", "bare"}, id="NotIn: holds without the label"),
        pytest.param(where("zone", "NotIn", "c"), {"a1", "a2", "b1", "bare"}, id="NotIn: a value that no node has"),
        pytest.param(where("zone", "Exists"), {"a1", "a2", "b1"}, id="Exists: any value"),
        pytest.param(where("zone", "DoesNotExist"), {"bare"}, id="DoesNotExist: no value"),
        pytest.param(where("rack", "DoesNotExist"), {"a1", "a2", "b1", "bare"}, id="DoesNotExist: an unknown key"),
        pytest.param(where("cores", "Gt", "4"), {"a2"}, id="Gt: more, and only among integers"),
        pytest.param(where("cores", "Lt", "16"), {"a1"}, id="Lt: fewer, and only among integers"),
        pytest.param(where("cores", "Gt", "x"), set(), id="Gt: a bound that is no integer holds nowhere"),
        pytest.param(where("cores", "Gt", "-1"), set(), id="Gt: a negative bound is no label value, so illegal"),
        pytest.param(where("zone", "Near", "a"), set(), id="an operator that Kubernetes does not know"),
    ],
)
def test_operators(judge: Judge, requirement: Fields, fits: set[str]) -> None:
    assert fitting(judge, requiring(term(requirement))) == fits


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        pytest.param([term(where("zone", "In", "a"), where("cores", "In", "4"))], {"a1"}, id="all of a term must hold"),
        pytest.param(
            [term(where("zone", "In", "b")), term(where("cores", "In", "4"))], {"a1", "b1"}, id="one term will do"
        ),
        pytest.param([term()], set(), id="an empty term matches nothing"),
        pytest.param([], set(), id="no terms match nothing"),
        pytest.param([term(), term(where("zone", "In", "b"))], {"b1"}, id="an empty term beside another"),
        pytest.param([term(where("zone", "In"))], set(), id="In without values is illegal: its term holds nowhere"),
        pytest.param([term(where("zone", "Exists", "a"))], set(), id="Exists with values is illegal"),
        pytest.param([term(where("zone", "NotIn", "no/label"))], set(), id="a value that no label can have is illegal"),
        pytest.param(
            [term(where("zone", "In")), term(where("zone", "In", "b"))], {"b1"}, id="an illegal term spoils no other"
        ),
    ],
)
def test_terms(judge: Judge, terms: list[Fields], fits: set[str]) -> None:
    assert fitting(judge, requiring(*terms)) == fits


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        pytest.param(None, {"a1", "a2", "b1", "bare"}, id="none selects every node"),
        pytest.param({}, {"a1", "a2", "b1", "bare"}, id="an empty one selects every node"),
        pytest.param({"zone": "a"}, {"a1", "a2"}, id="one label"),
        pytest.param({"zone": "a", "cores": "16"}, {"a2"}, id="all labels must be equal"),
        pytest.param({"zone": ""}, set(), id="an empty value is not an absent label"),
        pytest.param({"rack": "r1"}, set(), id="a label that no node has"),
    ],
)
def test_node_selector(judge: Judge, selector: dict[str, str] | None, fits: set[str]) -> None:
    assert fitting(judge, pod(node_selector=selector)) == fits


def test_selector_and_affinity_must_both_hold(judge: Judge) -> None:
    asking = requiring(term(where("cores", "Exists")), nodeSelector={"zone": "b"})
    assert fitting(judge, asking) == {"b1"}


def test_the_reason_is_kube_scheduler_s_and_evicting_could_not_help(judge: Judge) -> None:
    status = judge(NodeAffinity(), pod(node_selector={"zone": "a"}), NODES)["b1"]
    assert (status.code, status.message) == (Code.UnschedulableAndUnresolvable, NO_MATCH)


# ---- node names


@pytest.mark.parametrize(
    ("terms", "fits", "absent"),
    [
        pytest.param([term(fields=(named("a1"),))], {"a1"}, {"a2", "b1", "bare"}, id="one name"),
        pytest.param(
            [term(fields=(named("a1"),)), term(fields=(named("gone"),))],
            {"a1"},
            {"a2", "b1", "bare"},
            id="names of all terms, also of a node that is not there",
        ),
        pytest.param(
            [term(where("zone", "In", "b"), fields=(named("a1"),))],
            set(),
            {"a2", "b1", "bare"},
            id="a name and a label that do not meet",
        ),
        pytest.param(
            [term(fields=(named("a1"),)), term(where("zone", "In", "b"))],
            {"a1", "b1"},
            set(),
            id="a term without a name leaves the search open",
        ),
        pytest.param([term(fields=(named("a1", operator="NotIn"),))], {"a2", "b1", "bare"}, set(), id="not this name"),
        pytest.param([term(fields=(named("a1", operator="Exists"),))], set(), set(), id="names know only In and NotIn"),
        pytest.param(
            [term(fields=(where("metadata.uid", "In", "u"),))], set(), set(), id="no other field can be matched"
        ),
    ],
)
def test_names(judge: Judge, terms: list[Fields], fits: set[str], absent: set[str]) -> None:
    rejected = judge(NodeAffinity(), requiring(*terms), NODES)
    left_out = {"node(s) didn't satisfy plugin(s) [NodeAffinity]"}
    assert {one.name for one in NODES} - rejected.keys() == fits
    assert {name for name, status in rejected.items() if set(status.reasons) == left_out} == absent


def test_names_that_contradict_each_other_reject_the_pod(judge: Judge) -> None:
    rejected = judge(NodeAffinity(), requiring(term(fields=(named("a1"), named("a2")))), NODES)
    assert {status.message for status in rejected.values()} == {"pod affinity terms conflict"}
    assert len(rejected) == len(NODES)


# ---- added by the profile


def added(**affinity: Any) -> NodeAffinityArgs:
    return convert({"addedAffinity": affinity}, NodeAffinityArgs)


def test_added_affinity_counts_for_every_pod_and_speaks_for_itself(judge: Judge) -> None:
    enforced = NodeAffinity(added(**rules(term(where("zone", "Exists")))))
    assert judge(enforced, pod(), NODES).keys() == {"bare"}
    rejected = judge(enforced, pod(node_selector={"zone": "a"}), NODES)
    assert {name: status.message for name, status in rejected.items()} == {"b1": NO_MATCH, "bare": NOT_ENFORCED}
    assert {status.code for status in rejected.values()} == {Code.UnschedulableAndUnresolvable}


def test_added_names_do_not_narrow_the_search(judge: Judge) -> None:
    rejected = judge(NodeAffinity(added(**rules(term(fields=(named("a1"),))))), pod(), NODES)
    assert {name: status.message for name, status in rejected.items()} == dict.fromkeys(
        ("a2", "b1", "bare"), NOT_ENFORCED
    )


# ---- the columns and the plain rule

TEXTS = st.sampled_from(["a", "b", "3", "07", "-2", ""])
KEYS = st.sampled_from(["zone", "cores", "metadata.name"])
OPERATORS = st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Like"])
REQUIREMENTS = (
    st.builds(where, KEYS, OPERATORS, TEXTS)
    | st.builds(where, KEYS, OPERATORS)
    | st.builds(where, KEYS, OPERATORS, TEXTS, TEXTS)
)
NAMES = st.builds(lambda name, operator: named(name, operator=operator), st.sampled_from(["n0", "n1", "n9"]), OPERATORS)
TERMS = st.builds(
    lambda expressions, fields: term(*expressions, fields=tuple(fields)),
    st.lists(REQUIREMENTS, max_size=3),
    st.lists(NAMES, max_size=2),
)
LABELS = st.lists(st.dictionaries(KEYS, TEXTS), min_size=1, max_size=5)


@given(labels=LABELS, terms=st.lists(TERMS, max_size=3), selector=st.none() | st.dictionaries(KEYS, TEXTS))
def test_all_nodes_at_once_are_judged_as_each_alone(
    labels: list[dict[str, str]], terms: list[Fields], selector: dict[str, str] | None
) -> None:
    cluster = [node(f"n{i}", labels=each) for i, each in enumerate(labels)]
    asking = requiring(*terms, nodeSelector=selector)
    verdicts = decided(asking, cluster)
    assert verdicts == {one.name: required_node_affinity_matches(asking, one) for one in cluster}


def decided(asking: Pod, cluster: list[Node]) -> dict[str, bool]:
    cache = Cache()
    for one in cluster:
        cache.set_node(one)
    decision = Cycle(Profile.of([NodeAffinity()])).decide(cache.pod_info(asking), cache.view, Context())
    return {name: verdict.feasible for name, verdict in decision.freeze().verdicts.items()}
