"""The independent evaluator: small, on its own, and right."""

from __future__ import annotations

import ast
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optgen.verify import evaluate as independent
from optgen.verify.evaluate import Interval, NoValue, Unclear, evaluate, exact
from optgen.verify.witness.enclose import Interpreter, Numbers, Undefined

FILE = Path(independent.__file__)
X, Y = ("name", "x"), ("name", "param")


def number(value: int | Fraction | str) -> tuple[str, Fraction]:
    return ("number", Fraction(value))


def value(tree: tuple[object, ...], x: Fraction | int = 0, bits: int = 64) -> Interval:
    env = {"param": (exact(0),), "x": (exact(x),)}
    return evaluate(tree, env, bits)[0]


def test_it_is_small() -> None:
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 150


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


def test_importing_it_imports_no_sympy() -> None:
    code = "import sys, optgen.verify.evaluate; print('sympy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_exact_roots_are_exact() -> None:
    root = ("power", X, number("1/2"))
    assert value(root, Fraction(9, 16)) == exact(Fraction(3, 4))
    assert value(root, 0) == exact(0)


@pytest.mark.parametrize("bits", [8, 64, 500])
def test_irrational_roots_are_enclosed(bits: int) -> None:
    low, high = value(("power", X, number("1/2")), 2, bits)
    assert low**2 < 2 < high**2
    assert high - low <= Fraction(4, 2**bits)


def test_what_has_no_value() -> None:
    with pytest.raises(NoValue):
        value(("power", X, number(-1)), 0)
    with pytest.raises(NoValue):
        value(("power", X, number("1/2")), -1)
    with pytest.raises(NoValue):
        value(("choice", (X, ("compare", ">", X, number(0)))), -1)


def test_what_needs_more_bits() -> None:
    root = ("power", X, number("1/2"))
    nothing = ("add", root, ("mul", number(-1), root))
    with pytest.raises(Unclear):
        value(("sign", nothing), 2)


@pytest.mark.parametrize("exponent", [4096, -4096])
def test_numbers_that_are_too_long_have_no_value(exponent: int) -> None:
    with pytest.raises(NoValue, match="too long"):
        value(("power", X, number(exponent)), Fraction(1, 2**100))
    square = X
    for _ in range(40):
        square = ("power", square, number(2))
    with pytest.raises(NoValue, match="too long"):
        value(square, 3)


def test_what_nothing_reads_need_have_no_value() -> None:
    taken = ("choice", (X, ("compare", ">", X, number(0))), (("name", "root"), ("and",)))
    rule = [("root", ("power", ("mul", number(-1), X), number("1/2"))), ("param", taken)]
    start = {"param": (exact(0),), "x": (exact(2),)}
    assert independent.run(rule, [start], 64) == [[("param", (exact(2),))]]
    with pytest.raises(NoValue, match="the parameter has no value"):
        independent.run([rule[0], ("param", ("name", "root"))], [start], 64)
    two = independent.run(rule, [{**start, "x": (exact(-4),)}, {"x": (exact(2),)}], 64)
    assert [name for name, _ in two[1]] == ["param"]


def test_reductions_are_over_the_elements() -> None:
    env = {"param": (exact(3), exact(4))}
    assert evaluate(("norm", Y), env, 64) == (exact(5), exact(5))
    assert evaluate(("mean", Y), env, 64) == (exact(Fraction(7, 2)),) * 2


Trees = st.SearchStrategy[tuple[object, ...]]


def trees() -> Trees:
    fractions = st.fractions(-3, 3, max_denominator=4)
    leaves = st.one_of(st.just(X), fractions.map(number))

    def extend(
        inner: st.SearchStrategy[tuple[object, ...]],
    ) -> st.SearchStrategy[tuple[object, ...]]:
        compared = st.tuples(
            st.just("compare"), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner
        )
        chosen = st.tuples(inner, compared, inner).map(
            lambda t: ("choice", (t[0], t[1]), (t[2], ("and",)))
        )
        return st.one_of(
            st.tuples(st.sampled_from(["add", "mul", "max", "min"]), inner, inner),
            st.tuples(st.sampled_from(["abs", "sign", "norm", "mean"]), inner),
            st.tuples(st.just("power"), inner, st.sampled_from([-1, 2, 3, "1/2"]).map(number)),
            chosen,
        )

    return st.recursive(leaves, extend, max_leaves=12)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(trees(), st.fractions(-3, 3, max_denominator=4))
def test_the_two_evaluators_agree(tree: tuple[object, ...], x: Fraction) -> None:
    """Written apart on purpose; where both have a value, the enclosures must meet."""
    from optgen.verify.witness.enclose import Blurred

    bits = 256
    try:
        mine = Interpreter(Numbers(bits)).value(tree, {"x": (x,), "param": (Fraction(0),)})[0]
        other = value(tree, x, bits)
    except (Undefined, NoValue, Blurred, Unclear):
        return
    if isinstance(mine, Fraction):
        assert other.low <= mine <= other.high
    else:
        low, high = (Fraction(end, 1 << bits) for end in mine)
        assert low <= other.high
        assert other.low <= high
