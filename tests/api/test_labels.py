import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.labels import is_label_value, parse_label_selector, requirement_matches, selects
from roost.api.selectors import LabelSelector, Requirement
from roost.errors import InvalidObject

LABELS = {"app": "web", "tier": "", "cores": "16"}


@pytest.mark.parametrize(
    ("key", "operator", "values", "matches"),
    [
        pytest.param("app", "In", ("db", "web"), True, id="In holds for one of its values"),
        pytest.param("app", "In", ("db",), False, id="In fails for another value"),
        pytest.param("zone", "In", ("web",), False, id="In fails without the key"),
        pytest.param("tier", "In", ("",), True, id="In can ask for the empty value"),
        pytest.param("zone", "In", ("",), False, id="an absent key is not an empty value"),
        pytest.param("app", "In", None, False, id="In without values holds for nothing"),
        pytest.param("app", "NotIn", ("db",), True, id="NotIn holds for another value"),
        pytest.param("app", "NotIn", ("db", "web"), False, id="NotIn fails for one of its values"),
        pytest.param("zone", "NotIn", ("a",), True, id="NotIn holds without the key"),
        pytest.param("tier", "Exists", None, True, id="Exists holds for an empty value"),
        pytest.param("zone", "Exists", None, False, id="Exists fails without the key"),
        pytest.param("zone", "DoesNotExist", None, True, id="DoesNotExist holds without the key"),
        pytest.param("tier", "DoesNotExist", None, False, id="DoesNotExist fails for an empty value"),
        pytest.param("cores", "Gt", ("8",), True, id="Gt compares numbers, not texts"),
        pytest.param("cores", "Gt", ("16",), False, id="Gt is strict"),
        pytest.param("cores", "Lt", ("100",), True, id="Lt compares numbers, not texts"),
        pytest.param("cores", "Lt", ("16",), False, id="Lt is strict"),
        pytest.param("zone", "Lt", ("16",), False, id="Lt fails without the key"),
        pytest.param("app", "Gt", ("1",), False, id="Gt fails for a label that is no integer"),
        pytest.param("cores", "Gt", ("many",), False, id="Gt fails for a bound that is no integer"),
        pytest.param("cores", "Gt", ("1_0",), False, id="Gt knows no underscores"),
        pytest.param("cores", "Gt", ("1", "2"), False, id="Gt fails for two bounds"),
        pytest.param("cores", "Lt", ("9223372036854775808",), False, id="Lt fails for a bound beyond int64"),
        pytest.param("app", "Near", ("web",), False, id="an unknown operator holds for nothing"),
    ],
)
def test_requirement(key: str, operator: str, values: tuple[str, ...] | None, matches: bool) -> None:
    assert requirement_matches(Requirement(key=key, operator=operator, values=values), LABELS) is matches


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        pytest.param(None, False, id="no selector selects nothing"),
        pytest.param(LabelSelector(), True, id="an empty selector selects everything"),
        pytest.param(LabelSelector(match_labels={}, match_expressions=()), True, id="empty parts select everything"),
        pytest.param(LabelSelector(match_labels={"app": "web", "tier": ""}), True, id="all labels agree"),
        pytest.param(LabelSelector(match_labels={"app": "web", "zone": "a"}), False, id="one label is missing"),
        pytest.param(
            LabelSelector(match_labels={"app": "web"}, match_expressions=(Requirement(key="zone", operator="Exists"),)),
            False,
            id="labels agree but an expression fails",
        ),
        pytest.param(
            LabelSelector(match_expressions=(Requirement(key="app", operator="In", values=("web",)),)),
            True,
            id="an expression alone can select",
        ),
    ],
)
def test_selector(selector: LabelSelector | None, selected: bool) -> None:
    assert selects(selector, LABELS) is selected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="an empty text has no requirements"),
        pytest.param("  ", [], id="blanks have no requirements"),
        pytest.param("a=b", [("a", "In", ("b",))], id="one equals sign"),
        pytest.param("a==b", [("a", "In", ("b",))], id="two equals signs mean the same"),
        pytest.param("a!=b", [("a", "NotIn", ("b",))], id="not equal is NotIn"),
        pytest.param("a=", [("a", "In", ("",))], id="an empty value"),
        pytest.param("a", [("a", "Exists", None)], id="a key alone asks for its presence"),
        pytest.param("!a", [("a", "DoesNotExist", None)], id="an exclamation mark asks for its absence"),
        pytest.param("a in (x,y)", [("a", "In", ("x", "y"))], id="a set"),
        pytest.param("a in(x)", [("a", "In", ("x",))], id="a set without a blank before it"),
        pytest.param("a notin ( x , y )", [("a", "NotIn", ("x", "y"))], id="a set with blanks, excluded"),
        pytest.param("a in ()", [("a", "In", ("",))], id="an empty set is the empty value"),
        pytest.param("a in (,x)", [("a", "In", ("", "x"))], id="an empty value in a set"),
        pytest.param("a>5,b<7", [("a", "Gt", ("5",)), ("b", "Lt", ("7",))], id="numbers compare"),
        pytest.param("in in (in,notin)", [("in", "In", ("in", "notin"))], id="keywords can be keys and values"),
        pytest.param("ex.io/role = db", [("ex.io/role", "In", ("db",))], id="a key with a prefix, and blanks"),
        pytest.param(
            "a=b,c!=d,e in (x,y),!f,g",
            [
                ("a", "In", ("b",)),
                ("c", "NotIn", ("d",)),
                ("e", "In", ("x", "y")),
                ("f", "DoesNotExist", None),
                ("g", "Exists", None),
            ],
            id="all forms together, in order",
        ),
    ],
)
def test_selector_text_is_read(text: str, expected: list[tuple[str, str, tuple[str, ...] | None]]) -> None:
    assert [(one.key, one.operator, one.values) for one in parse_label_selector(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(",", id="a comma alone"),
        pytest.param("a=b,", id="a comma at the end"),
        pytest.param("a,,b", id="two commas"),
        pytest.param("=b", id="no key"),
        pytest.param("a=b=c", id="two equals signs apart"),
        pytest.param("a b", id="two words"),
        pytest.param("a in x", id="a set without parentheses"),
        pytest.param("a in (x", id="a set that does not end"),
        pytest.param("a in (x y)", id="a blank within a value"),
        pytest.param("!a=b", id="absent and equal"),
        pytest.param("a>many", id="a comparison with a word"),
        pytest.param("a=-b", id="a value that starts with a dash"),
        pytest.param("a/b/c", id="a key with two slashes"),
        pytest.param("Ex.io/a", id="a key prefix with capitals"),
        pytest.param("a=" + "x" * 64, id="a value of more than 63 characters"),
    ],
)
def test_malformed_selector_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidObject, match=r"^label selector .* cannot be read at "):
        parse_label_selector(text)


def test_refusal_shows_where_and_how() -> None:
    with pytest.raises(InvalidObject) as caught:
        parse_label_selector("a=b,c d")
    assert str(caught.value) == (
        "label selector 'a=b,c d' cannot be read at 'c d': "
        "write requirements such as a=b, c!=d, e in (x,y), f or !g, separated by commas"
    )


keys = st.sampled_from(["app", "tier", "example.com/zone", "x"])
values = st.text("abz019", max_size=3)
label_sets = st.dictionaries(keys, values)


@given(keys, st.lists(values, min_size=1, max_size=3), label_sets)
def test_notin_is_the_opposite_of_in(key: str, listed: list[str], labels: dict[str, str]) -> None:
    within, without = (Requirement(key=key, operator=op, values=tuple(listed)) for op in ("In", "NotIn"))
    assert requirement_matches(within, labels) is not requirement_matches(without, labels)


@given(label_sets, label_sets)
def test_match_labels_and_their_text_select_the_same(wanted: dict[str, str], labels: dict[str, str]) -> None:
    requirements = parse_label_selector(",".join(f"{key}={value}" for key, value in wanted.items()))
    assert selects(LabelSelector(match_expressions=requirements), labels) is selects(
        LabelSelector(match_labels=wanted), labels
    )
    assert selects(LabelSelector(match_labels=wanted), {**labels, **wanted})


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        requirements = parse_label_selector(text)
    except InvalidObject:
        return
    assert all(is_label_value(value) for one in requirements for value in one.values or ())
