from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.framework.measure import read_number, read_time

NEW_YEAR = 1_767_225_600.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("7", 7.0, id="a whole number"),
        pytest.param("-0.5", -0.5, id="a fraction below 0"),
        pytest.param("+.5", 0.5, id="a sign, and no digit before the point"),
        pytest.param("5.", 5.0, id="no digit after the point"),
        pytest.param("1.2e3", 1200.0, id="an exponent"),
        pytest.param(" 5\n", 5.0, id="space around it"),
        pytest.param("", None, id="nothing"),
        pytest.param("abc", None, id="a word"),
        pytest.param("5%", None, id="a unit"),
        pytest.param("2500m", None, id="a suffix of quantities"),
        pytest.param("1_0", None, id="digits grouped as in Python"),
        pytest.param("0x10", None, id="hexadecimal"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("Infinity", None, id="infinite"),
        pytest.param("1e999", None, id="beyond what a float holds"),
        pytest.param("\u0667", None, id="digits of another script"),
        pytest.param("5 5", None, id="two numbers"),
    ],
)
def test_which_texts_are_numbers(text: str, number: float | None) -> None:
    assert read_number(text) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read(number: float) -> None:
    assert read_number(repr(number)) == number


@given(st.text())
def test_no_text_at_all_is_an_error(text: str) -> None:
    read_number(text)
    read_time(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        pytest.param("2026-01-01T00:00:00Z", NEW_YEAR, id="as Kubernetes writes it"),
        pytest.param("2026-01-01T01:00:00+01:00", NEW_YEAR, id="with an offset"),
        pytest.param("2026-01-01t00:00:00z", NEW_YEAR, id="in small letters"),
        pytest.param("2026-01-01T00:00:00.250Z", NEW_YEAR + 0.25, id="with a fraction"),
        pytest.param("2026-01-01T00:00:00.250000999Z", NEW_YEAR + 0.25, id="with nanoseconds, which are cut"),
        pytest.param("2026-01-01T00:00:00", NEW_YEAR, id="without an offset: UTC"),
        pytest.param("1767225600", NEW_YEAR, id="Unix seconds"),
        pytest.param(" 1767225600.5 ", NEW_YEAR + 0.5, id="Unix seconds with a fraction, and space around"),
        pytest.param("1.7672256e9", NEW_YEAR, id="Unix seconds with an exponent"),
    ],
)
def test_which_texts_are_times(text: str, time: float) -> None:
    assert read_time(text) == time


@pytest.mark.parametrize("text", ["", "now", "nan", "inf", "2026-13-01T00:00:00Z", "12:00", "1_0"])
def test_what_is_no_time_is_nan(text: str) -> None:
    assert isnan(read_time(text))
