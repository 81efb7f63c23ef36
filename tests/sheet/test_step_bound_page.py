"""Every number in docs/step_bound.md, computed again."""

import re
from fractions import Fraction
from math import sqrt
from pathlib import Path

import pytest
import sympy

from optgen.loader import load_catalogue
from optgen.verify import evaluate as independent
from optgen.verify.serialise import serialise

PAGE = (Path(__file__).parents[2] / "docs" / "step_bound.md").read_text(encoding="utf-8")
RULE = [(a.name, serialise(a.value)) for a in load_catalogue()["adam"].rule]
DEFAULT = (Fraction("0.9"), Fraction("0.999"))
ONE_SMALLER = (Fraction("0.9"), Fraction("0.98"))


def run(
    betas: tuple[Fraction, Fraction],
    gradients: list[Fraction],
    *,
    eps: Fraction | int = 0,
    first: int = 1,
) -> list[tuple[Fraction, float]]:
    """Run specs/adam.py with lr = 1; return (m_hat**2/v_hat, size of the step) of each step."""
    start = dict.fromkeys(("param", "exp_avg", "exp_avg_sq"), 0)
    chosen = {"lr": 1, "beta1": betas[0], "beta2": betas[1], "eps": eps, **start}
    known: list[dict[str, independent.Values]] = []
    for number, gradient in enumerate(gradients, start=first):
        given = {"grad": gradient, "step": number, **(chosen if not known else {})}
        known.append({name: (independent.exact(value),) for name, value in given.items()})
    found, before = [], Fraction(0)
    for row in independent.run(RULE, known, 200):
        last = dict(row)
        m, v = last["exp_avg_hat"][0].low, last["exp_avg_sq_hat"][0].low
        after = last["param"][0].low
        found.append((m**2 / v, float(abs(after - before))))
        before = after
    return found


def growing(factor: str, steps: int) -> list[Fraction]:
    return [Fraction(factor) ** k for k in range(steps)]


def ratio(b1: Fraction, b2: Fraction) -> Fraction:
    return (1 - b1) ** 2 * b2 / ((1 - b2) * (b2 - b1**2))


def stated(text: str) -> None:
    """The page says so, however its lines are broken."""
    assert text in " ".join(PAGE.split()), text


def test_the_table_of_constants() -> None:
    rows = re.findall(r"^\| (0\.\d+) \| (0\.\d+) \| (\d\.\d+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for b1, b2, root in rows:
        assert f"{sqrt(ratio(Fraction(b1), Fraction(b2))):.6f}" == root


def test_the_constant_at_the_defaults() -> None:
    assert ratio(*DEFAULT) == Fraction(370, 7)
    stated("K = 370/7 = 52.857..., sqrt(K) = 7.270292...")
    assert str(float(Fraction(370, 7))).startswith("52.857")


def test_the_ray_is_a_run_and_reaches_the_constant() -> None:
    b1, b2 = sympy.symbols("b1 b2")
    a, b = (1 - b1) * b2 / (b2 - b1**2), (1 - b2) * b2 / (b2 - b1**2)
    stated("a = (1 - b1)*b2/(b2 - b1**2) and b = (1 - b2)*b2/(b2 - b1**2)")
    rho = b2 / b1
    assert sympy.cancel(b1 * a + (1 - b1) * rho - a * rho) == 0
    assert sympy.cancel(b2 * b + (1 - b2) * rho**2 - b * rho**2) == 0
    assert sympy.cancel(a**2 / b - ratio(b1, b2)) == 0


def test_the_growing_run() -> None:
    m = v = Fraction(0)
    reached = []
    for g in growing("1.11", 22):
        m, v = DEFAULT[0] * m + g / 10, DEFAULT[1] * v + g**2 / 1000
        reached.append(m**2 / v > Fraction(99, 100) * ratio(*DEFAULT))
    assert reached == [False] * 21 + [True]
    stated("passes 99/100*K behind step 22")


def test_the_second_step_breaks_the_second_bound_for_all_betas() -> None:
    b1, b2 = sympy.symbols("b1 b2")
    x = b2 / b1
    m = (b1 * (1 - b1) + (1 - b1) * x) / (1 - b1**2)
    v = (b2 * (1 - b2) + (1 - b2) * x**2) / (1 - b2**2)
    assert sympy.cancel(m**2 / v - 1 - (b1 - b2) ** 2 / (b2 * (1 + b1) ** 2)) == 0
    stated("(m_hat_2)**2/v_hat_2 - 1 = (b1 - b2)**2/(b2*(1 + b1)**2) > 0")


def test_the_two_step_run() -> None:
    assert Fraction("0.1") ** 2 < Fraction("0.02")  # a case of the second bound
    square, step = run(ONE_SMALLER, [Fraction(1), Fraction(11, 10)])[-1]
    assert square == Fraction(26400, 26353) > 1
    assert f"{step:.6f}" == "1.000891"
    stated("(m_hat_2)**2/v_hat_2 = 26400/26353 > 1: a step of 1.000891*alpha")
    assert f"{run(ONE_SMALLER, growing('1.09', 60))[-1][1]:.6f}" == "1.425453"
    stated("Sixty gradients that grow by 1.09 give 1.425453*alpha")


def test_the_case_of_equality() -> None:
    square, _ = run((Fraction("0.9"), Fraction("0.99")), [Fraction(1), Fraction(11, 10)])[-1]
    assert square == Fraction(3980, 3971) > 1
    stated("the gradients 1 and 11/10 give 3980/3971 > 1")


def test_the_first_bound_is_a_share_of_the_sharp_one() -> None:
    b1, b2 = sympy.symbols("b1 b2")
    printed = (1 - b1) ** 2 / (1 - b2)
    assert sympy.cancel(printed / ratio(b1, b2) - (b2 - b1**2) / b2) == 0
    stated("It is sqrt((b2 - b1**2)/b2) times the sharp bound")


def test_the_run_that_passes_the_first_bound() -> None:
    found = run(DEFAULT, growing("1.11", 330))
    assert f"{sqrt(10):.6f}" == "3.162278"
    assert [square > 10 for square, _ in found[208:210]] == [False, True]
    assert (f"{found[209][1]:.6f}", f"{found[329][1]:.6f}") == ("3.164882", "3.855277")
    stated("pass it at step 210 (3.164882*alpha) and reach 3.855277*alpha at step 330")


@pytest.mark.parametrize(
    ("betas", "quiet", "factor", "eps", "step"),
    [
        (DEFAULT, 4000, "1.1", Fraction("1e-8"), "6.904843"),
        (ONE_SMALLER, 300, "1.09", Fraction("1e-8"), "1.607668"),
    ],
)
def test_the_runs_after_a_quiet_time(
    betas: tuple[Fraction, Fraction], quiet: int, factor: str, eps: Fraction, step: str
) -> None:
    # states that are 0 stay 0 under gradient 0, so the run may begin where the gradients do
    (_, moved), *_ = run(betas, [Fraction(1)], eps=eps, first=quiet + 1)
    assert moved > 0
    assert f"{run(betas, growing(factor, 12), eps=eps, first=quiet + 1)[-1][1]:.6f}" == step
    stated(f"{step}*alpha")
    stated(f"{quiet} gradients 0 and then 12 that grow by")


def test_the_code_of_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert "assert" in block
        exec(compile(block, "docs/step_bound.md", "exec"), {})
