"""Plain text and notebooks."""

from pathlib import Path

import pytest

from optgen.arithmetic import arrange
from optgen.loader import load_catalogue, load_file
from optgen.notation.notebook import as_html
from optgen.notation.page import page
from optgen.notation.text import expression, rule_lines
from optgen.order import Order
from optgen.spec import OptimizerSpec
from optgen.symbols import Piecewise, grad, param

CATALOGUE = load_catalogue()
(EVERYTHING,) = load_file(Path(__file__).parent / "everything.py")


def test_mixed_conditions_keep_their_parentheses() -> None:
    node = arrange(Piecewise((1, (grad > 0) & ((param > 1) | (param < -1))), (0, True)))
    text = expression(node, Order.of(CATALOGUE["sgd"]))
    namespace = {"grad": -1, "param": -2}
    assert eval(text, namespace) == 0
    assert eval(text, {"grad": 1, "param": -2}) == 1
    assert " or " in text
    assert " and " in text


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=lambda spec: spec.name)
def test_a_page_holds_all_there_is(spec: OptimizerSpec) -> None:
    text = page(spec)
    for line in (spec.summary, *rule_lines(spec), *spec.notes, *(r.url for r in spec.references)):
        assert line in text
    for item in (*spec.hyperparameters, *spec.state):
        assert f"  {item.name} = " in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_rule_shows_itself_in_a_notebook() -> None:
    spec = CATALOGUE["adamw"]
    assert spec._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert spec._repr_html_() == as_html(spec)


def test_html_is_escaped() -> None:
    html = as_html(EVERYTHING)
    assert "<paper>" not in html
    assert "&lt;paper&gt;" in html
    assert r"&amp;\leftarrow" in html
