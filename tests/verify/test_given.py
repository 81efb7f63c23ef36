"""Substitutions: what is read, and what is refused before anything is compared."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from optgen.errors import UsageError
from optgen.loader import load_catalogue
from optgen.verify import compare
from optgen.verify.evaluate import Interval
from optgen.verify.given import read_given
from optgen.verify.show import show_interval

RULES = load_catalogue()
ADAM, ADAMW = RULES["adam"], RULES["adamw"]


def refused(*given: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_given(ADAM, ADAMW, given)
    error = caught.value
    assert error.what
    assert error.where
    assert error.fix
    return error


@pytest.mark.parametrize(
    "value",
    [
        "Max(1, 1/(1-1))",
        "Min(1/0,2)",
        "Max(sqrt(-1),1)",
        "Abs(sqrt(-2))",
        "0*sqrt(-1)",
        "1/(beta1-beta1)",
        "1/(1/beta1-1/beta1)",
        "beta1/sqrt(0)",
        "sqrt(1-sqrt(2))",
        "sqrt(-1-beta1)",
        "Max(1, sqrt(beta1-1))",
    ],
)
def test_what_has_no_real_value(value: str) -> None:
    error = refused(f"lr={value}")
    assert error.what == f"'{value}' has no real value"
    assert error.where == f"lr={value}"
    assert error.fix == "mend the expression"


@pytest.mark.parametrize(
    ("given", "shown", "domain"),
    [
        ("beta1=sqrt(2)", "sqrt(2)", "[0, 1)"),
        ("beta1=sqrt(2)-3/2", "-3/2 + sqrt(2)", "[0, 1)"),
        ("lr=1-sqrt(2)", "1 - sqrt(2)", "[0, oo)"),
        ("beta1=1", "1", "[0, 1)"),
        ("eps=-1e-30", "-1/1000000000000000000000000000000", "[0, oo)"),
    ],
)
def test_every_constant_must_lie_in_its_domain(given: str, shown: str, domain: str) -> None:
    error = refused(given)
    assert error.what == f"{shown} lies outside {domain}, the domain of left.{given.split('=')[0]}"
    assert error.fix == "give a value inside the domain"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("beta2=1+lr", "lr + 1 lies outside [0, 1)"),
        ("lr=-1-beta1", "-beta1 - 1 lies outside [0, oo)"),
        ("beta1=Max(beta2,2)", "Max(2, beta2) lies outside [0, 1)"),
        ("beta1=1/(1-beta2)", "1/(1 - beta2) lies outside [0, 1)"),
        ("beta1=(1+eps)**2", "(eps + 1)**2 lies outside [0, 1)"),
    ],
)
def test_an_expression_that_never_lies_in_the_domain_is_refused(given: str, shown: str) -> None:
    error = refused(given)
    assert error.what.startswith(shown)
    assert error.what.endswith("whatever its hyperparameters are")


@pytest.mark.parametrize(
    "given",
    [
        "beta1=sqrt(2)/2",
        "beta1=sqrt(2)-1",
        "beta2=lr",
        "beta2=beta1/2",
        "beta2=1-lr",
        "lr=1/beta1",
        "beta2=Min(beta1, 2)",
        "lr=sqrt(beta1-1/2)",
        "eps=2*lr-1",
    ],
)
def test_an_expression_that_may_lie_in_the_domain_is_read(given: str) -> None:
    assert read_given(ADAM, ADAMW, [given]).values["left"]


def test_a_number_that_no_precision_tells_from_an_end_is_refused() -> None:
    """It is 1, which nested roots hide."""
    error = refused("beta1=sqrt(3+2*sqrt(2))-sqrt(2)")
    assert error.what.endswith("lies in [0, 1), the domain of left.beta1, cannot be told")
    assert error.fix == "write the number itself, without roots"


def test_long_sums_and_products_are_read() -> None:
    started = time.monotonic()
    numbers = read_given(ADAM, ADAMW, ["lr=" + "+".join(["1"] * 2000)])
    assert numbers.values["left"]["lr"] == 2000
    names = read_given(ADAM, ADAMW, ["lr=" + "+".join(["beta1"] * 2000)])
    assert str(names.values["right"]["lr"]) == "2000*beta1"
    factors = read_given(ADAM, ADAMW, ["lr=1/2" + "*2/2" * 200])
    assert factors.values["left"]["lr"] == Fraction(1, 2)
    assert time.monotonic() - started < 5


def test_order_and_signs_of_long_sums() -> None:
    found = read_given(ADAM, ADAMW, ["lr=1-2+3-4+5", "eps=8/2/4*3"])
    assert (found.values["left"]["lr"], found.values["left"]["eps"]) == (3, 3)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("-" * 300 + "1", "an expression with more than 60 levels cannot be read"),
        ("Max(1," * 70 + "1" + ")" * 70, "an expression with more than 60 levels cannot be read"),
        ("(" * 300 + "1" + ")" * 300, "cannot be read as an expression"),
        ("1+" * 9_900 + "1", "cannot be read as an expression"),
        ("1+" * 20_000 + "1", "a substitution of 40004 characters cannot be read"),
        ("*".join(["(1e-300)"] * 100), "a number is larger or smaller than a hyperparameter can"),
    ],
)
def test_expressions_that_are_too_long_or_too_deep(value: str, what: str) -> None:
    error = refused(f"lr={value}")
    assert what in error.what
    assert len(error.what) < 250
    assert len(str(error.where)) < 200


@pytest.mark.parametrize("given", ["lr=1+", "lr==1", "lr", "=1", " =1", "lr=1\0", "up.lr=1", ""])
def test_texts_of_another_form(given: str) -> None:
    assert refused(given).fix == (
        "write for example beta2=beta1 or right.weight_decay=left.weight_decay/lr"
    )


def test_circles_and_unknown_names() -> None:
    assert "left.beta1 -> left.beta2 -> left.beta1" in refused("beta2=beta1", "beta1=beta2").what
    assert "'lr' is given by itself" in refused("lr=lr").what
    assert refused("beta3=0").fix == "did you mean 'beta2' or 'beta1'?"
    assert refused("lr=beta").fix.startswith("did you mean 'beta")


def test_what_is_wrong_is_said_however_short_the_time() -> None:
    with pytest.raises(UsageError, match="has no real value"):
        compare(ADAM, ADAMW, given=["lr=1/0"], timeout=1e-9)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 2**20001), "2**-20001"),
        (-Fraction(3, 2**20001), "-3*2**-20001"),
        (1 + Fraction(1, 2**20001), "1 + 2**-20001"),
        (-1 - Fraction(3, 2**20001), "-(1 + 3*2**-20001)"),
        (Fraction(1, 3) - Fraction(1, 2**20001), "1/3 - 2**-20001"),
        (Fraction(2) ** 30000, "2**30000"),
        (Fraction(1, 3**20001), "1.25251908491267684917...e-9543"),
        (Fraction(3) ** 9000, "1.23393555118573528684...e4294"),
        (Fraction(2, 3), "2/3"),
        (Fraction(0), "0"),
    ],
)
def test_long_numbers_are_shown_as_powers_or_decimals(value: Fraction, text: str) -> None:
    assert show_interval(Interval(value, value)) == text


def test_enclosures_of_any_size_are_shown() -> None:
    small, large = Fraction(1, 3**20001), Fraction(3) ** 9000
    assert show_interval(Interval(small, 2 * small)) == "[1.25252e-9543, 2.50504e-9543]"
    assert show_interval(Interval(-large, large)) == "[-1.23e4294, 1.23e4294]"
    assert show_interval(Interval(Fraction(0), small)) == "[0, 1.25252e-9543]"
    assert show_interval(Interval(Fraction(14142, 10000), Fraction(14143, 10000))) == "1.414..."
