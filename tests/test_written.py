"""Which right-hand sides sympy holds as they are written, and which it has regrouped.

Every expression is written out as source text in a `Let`, since the text is
what is compared with the expression.
"""

from pathlib import Path

import pytest

from optgen.assignment import Let, Set
from optgen.errors import SpecError
from optgen.loader import load_file
from optgen.symbols import beta1, grad, lr, param, step, update

HEAD = """
from optgen.spec import Let
from optgen.symbols import *
import sympy
a, b, c, d = map(symbol, "abcd")
rate = lr
product = a * b
"""

KEPT = [
    "a",
    "0",
    "1",
    "-a",
    "a + b",
    "a - b",
    "-a - b",
    "a + b - c + 1",
    "1 - a",
    "2 + a + 3",
    "a * b",
    "a * b * c",
    "a * b / c",
    "a / b / c",
    "2 * a * b",
    "-2 * a",
    "a * -1",
    "a / 3",
    "2 * a / 3",
    "a * (b + c)",
    "(a + b) * (c - d)",
    "(a + b) / (c + d)",
    "a / (b * c)",
    "a / (2 * b)",
    "1 / a",
    "-1 / a",
    "1 / sqrt(a)",
    "a / sqrt(b + c)",
    "a**2",
    "a * a",
    "a**3 / b",
    "1 / a**2",
    "a**-2",
    "a**-1",
    "(a + b) ** 2",
    "beta1**step",
    "1 - beta1**step",
    "beta1 ** (step + 1)",
    "2**step",
    "2 ** (-step) * a",
    "Rational('0.96') ** (step * lr) / 2",
    "a * Rational('0.96') ** (step + 1)",
    "a - Rational('1.5') ** (1 - step) * b",
    "a**1",
    "a ** Rational(1, 2)",
    "sqrt(a)",
    "sqrt(a * b)",
    "sqrt(a + b) + c",
    "sqrt(1) * a",
    "Rational('0.1') * a",
    "Rational(1, 3)",
    "rate * a",
    "Max(a, b)",
    "Max(b, a, 0)",
    "Max(Max(a, b), c)",
    "Min(a + b, c)",
    "Abs(a)",
    "abs(a)",
    "Abs(a + b)",
    "sign(a) * b",
    "norm(a)",
    "mean(a) / norm(b)",
    "clip(a, -1, 1)",
    "clip(a * b, -c, c)",
    "lerp(a, b, c)",
    "Piecewise((a, b > 0), (c, True))",
    "Piecewise((a / b, (b > 0) & (c > 0)), (1, True))",
    "Piecewise((1, Eq(step, 1)), (1 - a, True))",
    "a * Piecewise((b, c > 0), (0, True))",
    "Let(update, a + b).value",
    "sum([a, b, c])",
    "max((a, b), key=str)",
    "param - lr * grad / sqrt(exp_avg_sq)",
]

REGROUPED = [
    "a * (b / c)",
    "a * (b * c)",
    "a / (b / c)",
    "(a * b) * (c * d)",
    "a + (b + c)",
    "a - (b + c)",
    "a - (b - c)",
    "-(a + b)",
    "-(a - b)",
    "2 * (a + b)",
    "(a + b) / 2",
    "2 * (3 * a)",
    "2 * (a / 3)",
    "3 * (5 * a) / b",
    "a * b * a",
    "a * a * b",
    "a * a / a",
    "a / b * b",
    "a - a",
    "a + a",
    "a + b - b",
    "(a + b) - b",
    "2 * a + 3 * a",
    "a * a**2",
    "a**2 / a",
    "(a * b) ** 2",
    "(2 * a) ** 2",
    "(a / b) ** 2",
    "(a**2) ** 2",
    "1 / (1 / a)",
    "sqrt(4 * a)",
    "sqrt(a**2)",
    "sqrt(a) * sqrt(a)",
    "sqrt(a) ** 2",
    "sqrt(a * b**2)",
    "sqrt(a) / a",
    "Abs(2 * a)",
    "Abs(-a)",
    "sign(2 * a)",
    "Max(a, a)",
    "product * c",
    "product / (a + b)  * d * a",
    "clip(2 * (a + b), -1, 1)",
    "abs(a * (b / c))",
    "clip(-(a + b), -1, 1)",
    "lerp(a, b, c * (a / b))",
    "Piecewise((2 * (a + b), c > 0), (0, True))",
    "Piecewise((a, b * (c / d) > 0), (0, True))",
    "Piecewise((a, (b > 0) & (2 * (b + c) > 1)), (0, True))",
    "max((2 * (a + b), c), key=str)",
    "0 * a",
]


def load(folder: Path, text: str) -> None:
    """Load a file that holds one Let with this right-hand side, and no rule."""
    file = folder / "rule.py"
    file.write_text(f"{HEAD}\nLet(update, {text})\n")
    try:
        load_file(file)
    except SpecError as error:
        if error.what != "the spec file declares no rule":
            raise


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str, tmp_path: Path) -> None:
    load(tmp_path, text)


@pytest.mark.parametrize("text", REGROUPED)
def test_regrouped(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="sympy has regrouped") as caught:
        load(tmp_path, text)
    assert str(caught.value.where) == f"{tmp_path / 'rule.py'}:9"
    assert "Let" in caught.value.fix


def test_the_error_quotes_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, "(\n    a * (b\n        / c)\n)")
    assert caught.value.what == "sympy has regrouped 'a * (b / c)' into 'a*b/c'"


def test_division_by_zero_that_sympy_has_dropped(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="divides by the constant 0"):
        load(tmp_path, "Piecewise((1 / sympy.Integer(0), sympy.false), (a, True))")


def test_text_is_read_again_when_a_file_has_changed(tmp_path: Path) -> None:
    load(tmp_path, "a*b/c")
    with pytest.raises(SpecError, match="regrouped"):
        load(tmp_path, "a*(b/c)")
    load(tmp_path, "a*b/c")


def test_keywords_and_several_lines_are_read() -> None:
    Let(target=update, value=lr * grad)
    Let(
        update,
        lr * grad,
    )
    with pytest.raises(SpecError, match="regrouped"):
        Let(target=update, value=lr * (grad / param))
    with pytest.raises(SpecError, match="regrouped"):
        Set(param, (
            param - (lr + grad)
        ))  # fmt: skip


def test_names_are_those_of_the_author() -> None:
    def rule(gradient: object) -> Let:
        return Let(update, lr * gradient)

    assert rule(grad).value == lr * grad
    with pytest.raises(SpecError, match="regrouped"):
        rule(grad / param)
    assert [Let(update, lr * g).value for g in (grad, param)] == [lr * grad, lr * param]


def test_what_has_no_source_text_is_taken_as_it_is() -> None:
    namespace = {"Let": Let, "update": update, "lr": lr, "grad": grad, "param": param}
    built = eval("Let(update, lr * (grad / param))", namespace)
    assert built.value == lr * grad / param


def test_text_that_is_not_ascii_does_not_shift_a_call() -> None:
    named = {"β₁ → ∞": Let(update, beta1**step * grad)}
    assert len(named) == 1
    with pytest.raises(SpecError, match=r"regrouped '2 \* \(lr \+ grad\)'"):
        named = {"β₁ → ∞": Let(update, 2 * (lr + grad))}
