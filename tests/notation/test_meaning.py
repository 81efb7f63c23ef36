"""What stands on paper is what the rule computes: text and LaTeX, read back as numbers."""

import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sympy

from optgen.loader import load_catalogue, load_file
from optgen.notation import latex
from optgen.notation.glossary import Glossary
from optgen.notation.text import rule_lines
from optgen.spec import Assignment, OptimizerSpec
from optgen.symbols import mean, norm

(EVERYTHING,) = load_file(Path(__file__).parent / "everything.py")
RULES = (*load_catalogue().values(), EVERYTHING)
TRIALS = 5


def choose(*branches: tuple[float, bool]) -> float:
    return next(value for value, holds in branches if holds)


FUNCTIONS: dict[str, Any] = {
    # Of one element, the norm is the absolute value and the mean the element itself.
    "norm": abs,
    "mean": float,
    "abs": abs,
    "max": max,
    "min": min,
    "sign": lambda x: (x > 0) - (x < 0),
    "sqrt": math.sqrt,
    "choose": choose,
}


def points(spec: OptimizerSpec) -> Iterator[dict[str, float]]:
    # No name gets a simple number, and both sides of every condition have a chance.
    draw = random.Random(spec.name)
    for _ in range(TRIALS):
        yield {name: draw.uniform(0.1, 3) for name in Glossary.of(spec).letters}


def true_value(assignment: Assignment, point: dict[str, float]) -> float:
    single = assignment.value.replace(norm, sympy.Abs).replace(mean, lambda x: x)
    return float(single.subs({s: point[s.name] for s in single.free_symbols}))


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_text_means_the_rule(spec: OptimizerSpec) -> None:
    for point in points(spec):
        for line, assignment in zip(rule_lines(spec), spec.rule, strict=True):
            target, _, value = line.split(" ", 2)
            assert target == assignment.name
            read = eval(value, {"__builtins__": {}, **FUNCTIONS, **point})
            assert read == pytest.approx(true_value(assignment, point), rel=1e-12)


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_latex_means_the_rule(spec: OptimizerSpec) -> None:
    letters = Glossary.of(spec).letters
    for point in points(spec):
        for line, assignment in zip(latex.assignments(spec), spec.rule, strict=True):
            assert line[0] == letters[assignment.name]
            value = Reader(line[2], letters).python()
            read = eval(value, {"__builtins__": {}, **FUNCTIONS, **point})
            assert read == pytest.approx(true_value(assignment, point), rel=1e-12), value


class Reader:
    """Reads the LaTeX that optgen prints as Python text, letters as the names they stand for."""

    WORDS = {  # noqa: RUF012
        r"\,": "*",
        r"\cdot": "*",
        "}": ")",
        "^": "**",
        "=": "==",
        r"\neq": "!=",
        r"\leq": "<=",
        r"\geq": ">=",
        r"\left(": "(",
        r"\right)": ")",
        r"\left|": "abs(",
        r"\right|": ")",
        r"\left\lVert": "norm(",
        r"\right\rVert": ")",
        r"\max": "max",
        r"\min": "min",
        r"\sqrt": "sqrt",
        r"\operatorname{sign}": "sign",
        r"\operatorname{mean}": "mean",
        r"\text{ and }": " and ",
        r"\text{ or }": " or ",
        r"\lnot": " not ",
        r"\begin{cases}": "choose((",
        r"& \text{if }": ",",
        r"\\": "),(",
        r"& \text{otherwise}": ", True",
        r"\end{cases}": "))",
    }

    def __init__(self, text: str, letters: dict[str, str]) -> None:
        names = {letter: name for name, letter in letters.items()}
        known = sorted(("{", *self.WORDS, *names, r"\frac"), key=len, reverse=True)
        token = "|".join(re.escape(k) + ("(?![a-zA-Z])" if k[-1].isalpha() else "") for k in known)
        self._words = {**self.WORDS, **names}
        self._tokens = re.findall(rf"{token}|\d+(?:\.\d+)?|[-+<>(),]|\S", text)

    def python(self) -> str:
        out = ""
        while self._tokens:
            out += self._next()
        return out

    def _next(self) -> str:
        token = self._tokens.pop(0)
        if token == "{":
            inside = ""
            while self._tokens[0] != "}":
                inside += self._next()
            return f"({inside}{self._next()}"
        if token == r"\frac":
            return f"({self._next()}/{self._next()})"
        return self._words.get(token, token)
