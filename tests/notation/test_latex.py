"""LaTeX: letters, grouping, escaping; and that TeX accepts it, where there is a TeX."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from optgen.arithmetic import arrange
from optgen.loader import load_catalogue, load_file
from optgen.notation import latex
from optgen.notation.algorithm import algorithm
from optgen.notation.glossary import LETTERS, Glossary
from optgen.order import Order
from optgen.spec import OptimizerSpec
from optgen.symbols import Max, beta1, grad, lr, param, sqrt, step, weight_decay

CATALOGUE = load_catalogue()
(EVERYTHING,) = load_file(Path(__file__).parent / "everything.py")
RULES = (*CATALOGUE.values(), EVERYTHING)


def of(expr: object) -> str:
    spec = CATALOGUE["adamw"]
    return latex.expression(arrange(expr), Order.of(spec), Glossary.of(spec))


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (param - lr * grad, r"\theta - \gamma \, g"),
        (lr * (param + grad), r"\gamma \, (\theta + g)"),
        (-lr * (1 - beta1) * grad, r"-\gamma \, (1 - \beta_1) \, g"),
        (grad / (1 - beta1**step), r"\frac{g}{1 - \beta_1^{t}}"),
        (grad / (lr * (param + 1)), r"\frac{g}{\gamma \, (\theta + 1)}"),
        (1 / grad, r"\frac{1}{g}"),
        ((param + grad) ** 2, r"(\theta + g)^{2}"),
        ((grad / lr + 1) ** 2, r"\left(\frac{g}{\gamma} + 1\right)^{2}"),
        (Max(grad, 0) ** 2, r"(\max(g, 0))^{2}"),
        (weight_decay * sqrt(grad + 1), r"\lambda \, \sqrt{g + 1}"),
        (-grad - 1, "-g - 1"),
    ],
)
def test_grouping(expr: object, expected: str) -> None:
    assert of(expr) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", "0"),
        ("0.9", "0.9"),
        ("-0.5", "-0.5"),
        ("1e-8", "10^{-8}"),
        ("0.00025", r"2.5 \cdot 10^{-4}"),
        ("-1e-5", "-10^{-5}"),
        ("1/3", r"\frac{1}{3}"),
        ("-2/3", r"-\frac{2}{3}"),
    ],
)
def test_numbers_are_exact(value: str, expected: str) -> None:
    assert latex.number(Fraction(value)) == expected


def test_plain_text_is_escaped() -> None:
    assert latex.escape("a_b 5% {x} ~ ^ \\") == (
        r"a\_b 5\% \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_no_two_names_of_a_rule_share_a_letter(spec: OptimizerSpec) -> None:
    letters = Glossary.of(spec).letters
    assert len(set(letters.values())) == len(letters)


def test_the_letters_are_those_that_papers_use() -> None:
    letters = Glossary.of(CATALOGUE["adamw"])
    assert [letters[n] for n in ("param", "grad", "exp_avg", "exp_avg_sq", "lr", "eps")] == [
        r"\theta",
        "g",
        "m",
        "v",
        r"\gamma",
        r"\epsilon",
    ]
    assert letters["exp_avg_sq_hat"] == r"\hat{v}"


def test_a_letter_that_is_taken_is_not_given_twice() -> None:
    assert LETTERS["square_avg"] == LETTERS["exp_avg_sq"]
    letters = Glossary.of(EVERYTHING)
    assert letters["exp_avg_sq"] == "v"
    assert letters["square_avg"] == r"\mathrm{square\_avg}"


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_lines_are_those_of_the_rule_and_braces_close(spec: OptimizerSpec) -> None:
    lines = latex.assignments(spec)
    assert len(lines) == len(spec.rule)
    for text in (latex.aligned(spec), algorithm(spec)):
        plain = text.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right")
        assert text.count(r"\begin") == text.count(r"\end")


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_mathtext_accepts_each_line(spec: OptimizerSpec) -> None:
    """matplotlib reads a part of TeX's mathematics: all but `cases`, `\\lVert` and `\\text`."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("agg")
    for target, sign, value in latex.assignments(spec):
        if r"\begin" not in value:
            line = f"{target} {sign} {value}".replace("lVert", "Vert").replace("rVert", "Vert")
            parser.parse(f"${line}$")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on PATH")
def test_tex_accepts_every_rule(tmp_path: Path) -> None:
    body = "\n\n".join(f"{latex.document(s)}\n{algorithm(s)}\n\\clearpage" for s in RULES)
    source = tmp_path / "rules.tex"
    source.write_text(
        "\\documentclass{article}\n\\usepackage{amsmath, algorithm, algpseudocode}\n"
        f"\\begin{{document}}\n{body}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    ran = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", source.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
