import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.field_selectors import field_selector_matches, parse_field_selector
from roost.errors import InvalidObject

FIELDS = {"metadata.name": "web-0", "status.phase": "Running", "spec.nodeName": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", (), id="an empty text has no requirements"),
        pytest.param("status.phase=Running", (("status.phase", "=", "Running"),), id="equal"),
        pytest.param("status.phase==Running", (("status.phase", "=", "Running"),), id="two signs mean the same"),
        pytest.param("status.phase!=Failed", (("status.phase", "!=", "Failed"),), id="not equal"),
        pytest.param("spec.nodeName=", (("spec.nodeName", "=", ""),), id="an empty value"),
        pytest.param(
            "status.phase!=Succeeded,spec.nodeName=",
            (("status.phase", "!=", "Succeeded"), ("spec.nodeName", "=", "")),
            id="two requirements, in order",
        ),
        pytest.param(",a=b,,", (("a", "=", "b"),), id="spare commas mean nothing"),
        pytest.param(r"a=x\,y\=z\\", (("a", "=", "x,y=z\\"),), id="escaped signs are part of the value"),
    ],
)
def test_selector_text_is_read(text: str, expected: tuple[tuple[str, str, str], ...]) -> None:
    assert parse_field_selector(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("status.phase", id="no operator"),
        pytest.param("=Running", id="no path"),
        pytest.param("a=b=c", id="an unescaped equals sign in the value"),
        pytest.param("a=b\\c", id="an unknown escape"),
        pytest.param("a=b\\", id="a backslash at the end"),
        pytest.param("status.phase in (Running)", id="a set, which only label selectors know"),
    ],
)
def test_malformed_selector_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidObject, match=r"^field selector .* cannot be read at .*: write requirements such as"):
        parse_field_selector(text)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="no requirements hold for everything"),
        pytest.param("status.phase=Running", True, id="an equal field"),
        pytest.param("status.phase=Pending", False, id="another value"),
        pytest.param("status.phase!=Pending", True, id="not the value that is ruled out"),
        pytest.param("status.phase!=Running", False, id="the value that is ruled out"),
        pytest.param("spec.nodeName=", True, id="an empty field is empty"),
        pytest.param("spec.schedulerName=", True, id="an absent field counts as empty"),
        pytest.param("spec.schedulerName!=roost", True, id="an absent field is not the value ruled out"),
        pytest.param("status.phase=Running,metadata.name=web-1", False, id="all requirements must hold"),
    ],
)
def test_fields_match(text: str, matches: bool) -> None:
    assert field_selector_matches(parse_field_selector(text), FIELDS) is matches


@given(st.text("ab,=\\! ", max_size=12), st.sampled_from(["=", "==", "!="]))
def test_an_escaped_value_comes_back_as_it_was(value: str, operator: str) -> None:
    escaped = "".join(f"\\{sign}" if sign in "\\,=" else sign for sign in value)
    assert parse_field_selector(f"some.path{operator}{escaped}") == (
        ("some.path", "!=" if operator == "!=" else "=", value),
    )


@given(st.text("ab.=!,\\", max_size=16))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        parsed = parse_field_selector(text)
    except InvalidObject:
        return
    assert field_selector_matches(parsed, {}) in (True, False)
