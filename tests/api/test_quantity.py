from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.quantity import MILLI, WHOLE, billionths, in_units, milli_value, value
from roost.errors import InvalidObject

LARGEST = 2**63 - 1
SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
    "e3": Fraction(1000),
    "E+2": Fraction(100),
    "e-4": Fraction(1, 10**4),
}


@pytest.mark.parametrize(
    ("text", "whole", "milli"),
    [
        pytest.param("0", 0, 0, id="nothing is nothing"),
        pytest.param("1", 1, 1000, id="a bare number counts base units"),
        pytest.param("1500m", 2, 1500, id="thousandths round up to base units"),
        pytest.param("1.5", 2, 1500, id="a decimal point means the same as thousandths"),
        pytest.param("1e9", 10**9, 10**12, id="a small e is an exponent"),
        pytest.param("1E9", 10**9, 10**12, id="a capital E with digits is an exponent"),
        pytest.param("1e-3", 1, 1, id="an exponent may be negative"),
        pytest.param("5e+2", 500, 500_000, id="an exponent may carry a plus"),
        pytest.param("1E", 10**18, LARGEST, id="a capital E alone is exa"),
        pytest.param("1Ei", 2**60, LARGEST, id="a capital E with an i is exbi"),
        pytest.param("1536Mi", 1536 * 2**20, 1536 * 2**20 * 1000, id="binary suffixes count powers of 1024"),
        pytest.param("0.5Gi", 2**29, 2**29 * 1000, id="binary suffixes take fractions"),
        pytest.param("1k", 1000, 10**6, id="kilo is a small k"),
        pytest.param("100n", 1, 1, id="the smallest request is still a request"),
        pytest.param("100u", 1, 1, id="millionths round up to a thousandth"),
        pytest.param("0.1m", 1, 1, id="a part of a thousandth rounds up"),
        pytest.param("+1", 1, 1000, id="a plus is allowed"),
        pytest.param(".5", 1, 500, id="the part before the point may be missing"),
        pytest.param("5.", 5, 5000, id="the part after the point may be missing"),
        pytest.param("007", 7, 7000, id="leading zeros mean nothing"),
        pytest.param("-3", -3, -3000, id="a negative quantity stays negative"),
        pytest.param("-1500m", -2, -1500, id="a negative quantity rounds away from zero"),
        pytest.param(" 2Gi ", 2**31, 2**31 * 1000, id="surrounding blanks are left out, as when Kubernetes reads JSON"),
        pytest.param(4, 4, 4000, id="a JSON integer is a quantity"),
        pytest.param(1.5, 2, 1500, id="a JSON number with a fraction is a quantity"),
        pytest.param(0.1, 1, 100, id="a JSON number means its shortest spelling, not the float beside it"),
        pytest.param(1e22, LARGEST, LARGEST, id="a JSON number beyond int64 saturates"),
        pytest.param("9223372036854775807", LARGEST, LARGEST, id="the largest int64 is exact"),
        pytest.param("9223372036854775808", LARGEST, LARGEST, id="one more saturates"),
        pytest.param("-9Ei", -LARGEST, -LARGEST, id="a negative quantity saturates too"),
        pytest.param("1e999999999999", LARGEST, LARGEST, id="a hostile exponent saturates at once"),
        pytest.param("1e-999999999999", 1, 1, id="a hostile negative exponent is the smallest request"),
        pytest.param("0e999999999999", 0, 0, id="zero times anything is zero"),
        pytest.param("9007199254740993", 2**53 + 1, 9007199254740993000, id="no digit is lost to a float"),
    ],
)
def test_quantity_is_read(text: str | int | float, whole: int, milli: int) -> None:
    assert (value(text), milli_value(text)) == (whole, milli)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing at all"),
        pytest.param("abc", id="a word"),
        pytest.param("12x", id="an unknown suffix"),
        pytest.param("1mi", id="a binary suffix in small letters"),
        pytest.param("1K", id="a capital K without an i"),
        pytest.param("1Gib", id="a suffix with more behind it"),
        pytest.param("1 Gi", id="a blank inside"),
        pytest.param("1.2.3", id="two points"),
        pytest.param(".", id="a point alone"),
        pytest.param("-", id="a sign alone"),
        pytest.param("Mi", id="a suffix alone"),
        pytest.param("--1", id="two signs"),
        pytest.param("1e", id="an exponent without digits"),
        pytest.param("1e3Mi", id="an exponent and a suffix"),
        pytest.param("1,5", id="a comma for the point"),
        pytest.param("١", id="digits of another script"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("1_000", id="an underscore"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param("9" * 5000, id="more digits than anything needs"),
    ],
)
def test_malformed_quantity_is_refused(text: str | float) -> None:
    with pytest.raises(InvalidObject, match="is not a number with an optional suffix"):
        value(text)


def test_refusal_is_one_clear_sentence() -> None:
    with pytest.raises(InvalidObject) as caught:
        milli_value("12x")
    assert str(caught.value) == "quantity '12x' is not a number with an optional suffix such as 500m, 1.5 or 2Gi"


def test_refusal_of_a_long_text_stays_short() -> None:
    with pytest.raises(InvalidObject) as caught:
        value("z" * 100_000)
    assert len(str(caught.value)) < 200


def test_amounts_added_before_rounding_do_not_round_twice() -> None:
    assert in_units(billionths("500u") + billionths("500u"), MILLI) == 1
    assert milli_value("500u") + milli_value("500u") == 2


def test_digits_finer_than_a_billionth_round_away_from_zero() -> None:
    assert billionths("0.1n") == 1
    assert billionths("-1.0000000001") == -(10**9 + 1)


numbers = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}" + (f".{fraction}" if fraction else ""),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 10**12),
    st.text("0123456789", max_size=15),
)


@given(numbers, st.sampled_from(sorted(SUFFIXES)))
def test_value_is_the_exact_fraction_rounded_away_from_zero(number: str, suffix: str) -> None:
    exact = Fraction(number) * SUFFIXES[suffix]
    assert value(number + suffix) == rounded_away(exact)
    assert milli_value(number + suffix) == rounded_away(exact * 1000)


@given(st.integers(-LARGEST, LARGEST))
def test_integers_are_read_as_they_are(number: int) -> None:
    assert value(number) == value(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_numbers_mean_their_shortest_spelling(number: float) -> None:
    assert value(number) == rounded_away(Fraction(repr(number)))


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        number = value(text)
    except InvalidObject:
        return
    assert abs(number) <= LARGEST


@given(st.integers(0, 10**30), st.sampled_from([WHOLE, MILLI]))
def test_in_units_is_symmetric_about_zero(amount: int, unit: int) -> None:
    assert in_units(-amount, unit) == -in_units(amount, unit)


def rounded_away(exact: Fraction) -> int:
    magnitude = min(-(-abs(exact.numerator) // exact.denominator), LARGEST)
    return magnitude if exact >= 0 else -magnitude
