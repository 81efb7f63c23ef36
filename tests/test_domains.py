"""Intervals: text, membership, ends."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, STEP, UNIT, Domain


@pytest.mark.parametrize(
    "text", ["[0, 1)", "(0, oo)", "(-oo, oo)", "[1, oo) integer", "(-1/2, 3/4]", "[2, 2]"]
)
def test_text_is_read_and_printed_alike(text: str) -> None:
    assert str(Domain.parse(text)) == text


def test_text_may_be_written_loosely() -> None:
    assert Domain.parse(" [ 0 ,1e-3) ") == Domain(Fraction(0), Fraction(1, 1000), low_open=False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("positive", "'positive' is not an interval"),
        ("", "'' is not an interval"),
        ("[0, 1", "'[0, 1' is not an interval"),
        ("[0; 1)", "'[0; 1)' is not an interval"),
        ("[0, 1) real", "'[0, 1) real' is not an interval"),
        ("[zero, 1)", "'[zero, 1)' is not an interval: 'zero' is no number"),
        ("[0, 1/0)", "'[0, 1/0)' is not an interval: '1/0' is no number"),
        ("[oo, 1)", "'[oo, 1)' is not an interval: 'oo' is no number"),
        ("(2, 1)", "the interval (2, 1) is empty: its ends are the wrong way round"),
        ("[1, 1)", "the interval [1, 1) is empty: nothing lies between its ends"),
    ],
)
def test_what_is_no_interval_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="interval") as caught:
        Domain.parse(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (UNIT, [0, Fraction(1, 2), 0.999], [1, -1, Fraction(-1, 10**9)]),
        (POSITIVE, [Fraction(1, 10**9), 10**9], [0, -1]),
        (NONNEGATIVE, [0, 0.0, 1e308, float("inf")], [-1, -1e-300]),
        (STEP, [1, 2, 7.0], [0, 1.5, Fraction(3, 2)]),
        (REAL, [0, -1e308, 1e308], [float("nan")]),
    ],
    ids=str,
)
def test_membership(domain: Domain, inside: list[float], outside: list[float]) -> None:
    assert [value for value in inside if value not in domain] == []
    assert [value for value in outside if value in domain] == []


@pytest.mark.parametrize("domain", [UNIT, POSITIVE, NONNEGATIVE, STEP, REAL], ids=str)
def test_nan_lies_nowhere(domain: Domain) -> None:
    assert float("nan") not in domain


def test_sign() -> None:
    assert [d.nonnegative for d in (UNIT, POSITIVE, STEP, REAL)] == [True, True, True, False]
    assert [d.positive for d in (UNIT, POSITIVE, STEP, REAL)] == [False, True, True, False]
    assert not NONNEGATIVE.positive


rationals = st.fractions(min_value=-9, max_value=9, max_denominator=16)


@given(rationals, rationals, st.booleans(), st.booleans(), rationals)
def test_what_is_printed_is_read_back(
    one: Fraction, other: Fraction, low_open: bool, high_open: bool, value: Fraction
) -> None:
    low, high = sorted((one, other))
    if low == high:
        low_open = high_open = False
    domain = Domain(low, high, low_open, high_open)
    assert Domain.parse(str(domain)) == domain
    beside = (low_open and value == low) or (high_open and value == high)
    assert (value in domain) == (low <= value <= high and not beside)
    assert domain.nonnegative == (low >= 0)
