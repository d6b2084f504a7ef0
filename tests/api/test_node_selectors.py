import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.meta import ObjectMeta
from roost.api.node import Node
from roost.api.node_selectors import node_selector_matches, required_node_affinity_matches, term_matches
from roost.api.pod import Pod, PodSpec
from roost.api.selectors import Affinity, NodeAffinity, NodeSelector, NodeSelectorTerm, Requirement

NODE = Node(metadata=ObjectMeta(name="n1", labels={"zone": "a", "cores": "16"}))


def requirement(key: str, operator: str, *values: str) -> Requirement:
    return Requirement(key=key, operator=operator, values=values)


def labelled(*requirements: Requirement) -> NodeSelectorTerm:
    return NodeSelectorTerm(match_expressions=requirements)


def named(operator: str, *names: str, key: str = "metadata.name") -> NodeSelectorTerm:
    return NodeSelectorTerm(match_fields=(requirement(key, operator, *names),))


IN_ZONE_A = labelled(requirement("zone", "In", "a"))
IN_ZONE_B = labelled(requirement("zone", "In", "b"))


@pytest.mark.parametrize(
    ("term", "matches"),
    [
        pytest.param(NodeSelectorTerm(), False, id="an empty term matches nothing"),
        pytest.param(labelled(), False, id="a term with an empty list matches nothing"),
        pytest.param(IN_ZONE_A, True, id="a label agrees"),
        pytest.param(IN_ZONE_B, False, id="a label differs"),
        pytest.param(
            labelled(requirement("zone", "In", "a"), requirement("cores", "Gt", "31")), False, id="all must hold"
        ),
        pytest.param(labelled(requirement("cores", "Gt", "8"), requirement("cores", "Lt", "32")), True, id="a range"),
        pytest.param(labelled(requirement("disk", "NotIn", "ssd")), True, id="NotIn holds without the label"),
        pytest.param(labelled(requirement("zone", "NotIn")), False, id="NotIn without values spoils the term"),
        pytest.param(labelled(requirement("zone", "Exists", "a")), False, id="Exists with a value spoils the term"),
        pytest.param(labelled(requirement("zone", "NotIn", "-")), False, id="an illegal label value spoils the term"),
        pytest.param(labelled(requirement("cores", "Gt", "-5")), False, id="a signed bound is no legal label value"),
        pytest.param(labelled(requirement("zone", "Near", "a")), False, id="an unknown operator spoils the term"),
        pytest.param(named("In", "n1"), True, id="the node's name agrees"),
        pytest.param(named("In", "n2"), False, id="the node's name differs"),
        pytest.param(named("NotIn", "n2"), True, id="the node's name is not ruled out"),
        pytest.param(named("NotIn", "n1"), False, id="the node's name is ruled out"),
        pytest.param(named("In", "n1", "n2"), False, id="a field takes exactly one value"),
        pytest.param(named("Exists"), False, id="a field takes only In and NotIn"),
        pytest.param(named("In", "n1", key="metadata.uid"), False, id="there is no other field than the name"),
        pytest.param(
            NodeSelectorTerm(
                match_expressions=IN_ZONE_A.match_expressions, match_fields=named("NotIn", "n1").match_fields
            ),
            False,
            id="labels and fields must both hold",
        ),
    ],
)
def test_term(term: NodeSelectorTerm, matches: bool) -> None:
    assert term_matches(term, NODE.labels, NODE.name) is matches


@pytest.mark.parametrize(
    ("terms", "matches"),
    [
        pytest.param(None, False, id="no list of terms matches nothing"),
        pytest.param((), False, id="an empty list of terms matches nothing"),
        pytest.param((IN_ZONE_B, IN_ZONE_A), True, id="one term is enough"),
        pytest.param((IN_ZONE_B, NodeSelectorTerm()), False, id="no term holds"),
        pytest.param((labelled(requirement("zone", "NotIn")), IN_ZONE_A), True, id="a spoilt term spoils no other"),
    ],
)
def test_node_selector(terms: tuple[NodeSelectorTerm, ...] | None, matches: bool) -> None:
    assert node_selector_matches(NodeSelector(node_selector_terms=terms), NODE) is matches


@pytest.mark.parametrize(
    ("node_selector", "required", "matches"),
    [
        pytest.param(None, None, True, id="a pod that asks for nothing"),
        pytest.param({}, None, True, id="an empty nodeSelector asks for nothing"),
        pytest.param({"zone": "a"}, None, True, id="a nodeSelector that agrees"),
        pytest.param({"zone": "a", "disk": "ssd"}, None, False, id="a nodeSelector with one label missing"),
        pytest.param(None, (IN_ZONE_A,), True, id="an affinity that agrees"),
        pytest.param({"zone": "a"}, (IN_ZONE_B,), False, id="a nodeSelector that agrees beside an affinity that fails"),
        pytest.param({"zone": "b"}, (IN_ZONE_A,), False, id="an affinity that agrees beside a nodeSelector that fails"),
        pytest.param(None, (), False, id="a required affinity without terms"),
    ],
)
def test_required_node_affinity(
    node_selector: dict[str, str] | None, required: tuple[NodeSelectorTerm, ...] | None, matches: bool
) -> None:
    assert required_node_affinity_matches(pod(node_selector, required), NODE) is matches


def test_preferred_affinity_alone_requires_nothing() -> None:
    preferring = Pod(spec=PodSpec(affinity=Affinity(node_affinity=NodeAffinity())))
    assert required_node_affinity_matches(preferring, NODE)
    assert required_node_affinity_matches(Pod(spec=PodSpec(affinity=Affinity())), NODE)


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from("xy")),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from("xy")),
)
def test_a_node_selector_says_what_the_same_affinity_says(wanted: dict[str, str], labels: dict[str, str]) -> None:
    node = Node(metadata=ObjectMeta(name="n", labels=labels))
    term = labelled(*(requirement(key, "In", value) for key, value in wanted.items()))
    by_selector = required_node_affinity_matches(pod(wanted, None), node)
    assert by_selector is (not wanted or required_node_affinity_matches(pod(None, (term,)), node))


def pod(node_selector: dict[str, str] | None, required: tuple[NodeSelectorTerm, ...] | None) -> Pod:
    selector = None if required is None else NodeSelector(node_selector_terms=required)
    affinity = Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=selector))
    return Pod(spec=PodSpec(node_selector=node_selector, affinity=affinity))
