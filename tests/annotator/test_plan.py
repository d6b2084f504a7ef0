"""Which annotations are written: what differs, and the time now and then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.annotator.building import NOON, annotated_node

from roost.annotator.plan import Patch, Wanted, plan, rfc3339

AT = "example.com/at"


def patches(
    there: dict[str, str], wanted: Wanted, *, at_key: str = AT, refresh: float = 300.0
) -> dict[str, str | None]:
    found = plan([annotated_node(annotations=there)], {"a": wanted}, at_key=at_key, refresh=refresh)
    return dict(found[0].annotations) if found else {}


def said(load: str | None, seconds_ago: float | None = 0.0) -> dict[str, str]:
    time = {} if seconds_ago is None else {AT: rfc3339(NOON - seconds_ago)}
    return time if load is None else {"load": load, **time}


TIME = {AT: rfc3339(NOON)}


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param({}, {"load": "1"}, {"load": "1", **TIME}, id="a node that says nothing gets all"),
        pytest.param(said("1", 60), {"load": "2"}, {"load": "2", **TIME}, id="another value is written with its time"),
        pytest.param(said("1", 60), {"load": "1"}, {}, id="the same value is left alone while its time is young"),
        pytest.param(said("1", 300), {"load": "1"}, TIME, id="the time alone is written once it is old"),
        pytest.param(said("1", None), {"load": "1"}, TIME, id="a value without a time gets one"),
        pytest.param({"load": "1", AT: "soon"}, {"load": "1"}, TIME, id="a time that cannot be read is mended"),
        pytest.param(said("1", -3600), {"load": "1"}, TIME, id="a time far in the future is mended"),
        pytest.param(said("1", 60), {"load": None}, {"load": None, **TIME}, id="what must not be there is removed"),
        pytest.param(said(None, 60), {"load": None}, {}, id="what must not be there and is not is no reason"),
        pytest.param({**said("1", 60), "other": "x"}, {"load": "1"}, {}, id="what others wrote is left alone"),
    ],
)
def test_only_what_differs_is_written(
    there: dict[str, str], wanted: dict[str, str | None], expected: dict[str, str | None]
) -> None:
    assert patches(there, Wanted(wanted, NOON)) == expected


def test_nothing_newer_is_known_so_the_time_stays() -> None:
    assert patches(said("1", 900), Wanted({"load": "1"}, NOON - 900)) == {}


def test_a_value_that_changed_without_a_newer_measurement_keeps_its_time() -> None:
    assert patches(said("1", 900), Wanted({"load": "2"}, NOON - 900)) == {"load": "2"}


@pytest.mark.parametrize(
    ("there", "new", "is_written"),
    [
        pytest.param("100", "110", False, id="within the slack"),
        pytest.param("100", "111", True, id="beyond the slack"),
        pytest.param("1e2", "110", False, id="however it is spelled"),
        pytest.param("much", "110", True, id="no number"),
    ],
)
def test_small_differences_wait(there: str, new: str, is_written: bool) -> None:
    assert bool(patches(said(there, 60), Wanted({"load": new}, NOON, {"load": 10.0}))) is is_written


def test_small_differences_are_written_along_with_others() -> None:
    wanted = Wanted({"load": "105", "heat": "9"}, NOON, {"load": 10.0})
    assert patches({**said("100", 60), "heat": "1"}, wanted) == {"load": "105", "heat": "9", **TIME}
    assert patches(said("100", 300), Wanted({"load": "105"}, NOON, {"load": 10.0})) == {"load": "105", **TIME}


def test_without_a_time_only_differences_are_written() -> None:
    assert patches({"price": "1"}, Wanted({"price": "2"}), at_key="") == {"price": "2"}
    assert patches({"price": "1"}, Wanted({"price": "1"}), at_key="") == {}


@pytest.mark.parametrize("ready", ["False", "Unknown", None])
def test_a2_a_node_that_is_not_ready_is_not_patched(ready: str | None) -> None:
    assert plan([annotated_node(ready=ready)], {"a": Wanted({"load": "1"}, NOON)}, at_key=AT) == []


def test_a_node_of_which_nothing_is_wanted_is_left_alone() -> None:
    assert plan([annotated_node("b")], {"a": Wanted({"load": "1"}, NOON)}, at_key=AT) == []


def test_those_written_to_longest_ago_come_first() -> None:
    ages = {"old": 900, "never": None, "young": 60}
    nodes = [annotated_node(name, annotations=said("1", age)) for name, age in ages.items()]
    found = plan(nodes, {name: Wanted({"load": "2"}, NOON) for name in ages}, at_key=AT, refresh=300)
    assert [patch.node_name for patch in found] == ["never", "old", "young"]


TEXTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2", "x"]))
WANTED = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, "1", "2"]), min_size=1)


@given(there=TEXTS, wanted=WANTED, age=st.sampled_from([None, 0, 100, 500]))
def test_a_patched_node_says_what_is_wanted_and_needs_no_other_patch(
    there: dict[str, str], wanted: dict[str, str | None], age: float | None
) -> None:
    node = annotated_node(annotations={**there, **said(None, age)})
    asked = {"a": Wanted(wanted, NOON)}
    found: list[Patch] = plan([node], asked, at_key=AT, refresh=300)
    after = {**node.annotations, **(found[0].annotations if found else {})}
    says = {key: text for key, text in after.items() if text is not None}
    assert {key: says.get(key) for key in wanted} == wanted
    assert plan([annotated_node(annotations=says)], asked, at_key=AT, refresh=300) == []
    assert all(says[key] == text for key, text in there.items() if key not in wanted)
