"""Modifiers: what they add to a rule, and what they leave alone."""

from dataclasses import replace

import pytest
import sympy

from optgen.errors import SpecError
from optgen.loader import Catalogue, load_catalogue
from optgen.modifiers import amsgrad, decoupled_decay, l2, penalty_gradient
from optgen.notation.text import rule_lines
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    beta2,
    exp_avg_sq,
    grad,
    lr,
    max_exp_avg_sq,
    norm,
    param,
    sqrt,
    symbol,
    weight_decay,
)

PAPER = Reference("A paper", "https://arxiv.org/abs/1711.05101", 2017)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def scaled() -> OptimizerSpec:
    """A small rule in which the gradient is read twice, the second moment too."""
    return OptimizerSpec(
        name="scaled",
        summary="Divide by the root of a moving mean square.",
        hyperparameters=(
            Hyperparameter(lr, "1e-3"),
            Hyperparameter(beta2, "0.9", "[0, 1)"),
        ),
        state=(StateBuffer(exp_avg_sq, initial=1, domain="(0, oo)"),),
        rule=(
            Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
            Set(param, param - lr * grad / sqrt(exp_avg_sq)),
        ),
        choices=(("eps", "none"), ("decay", "none"), ("bias_correction", "none")),
        notes=("An example.",),
    )


def test_the_l2_term_is_derived_from_the_penalty() -> None:
    # the penalty is weight_decay/2 * sum of param_i**2; its derivative by one element:
    elements = [symbol(f"p{i}") for i in range(3)]
    penalty = weight_decay / 2 * sum(p**2 for p in elements)
    by_element = [sympy.diff(penalty, p) for p in elements]
    assert by_element == [penalty_gradient().subs(param, p) for p in elements]
    assert penalty_gradient() == weight_decay * param
    assert not penalty_gradient().has(norm)


def test_l2_reaches_every_read_of_the_gradient(scaled: OptimizerSpec) -> None:
    assert rule_lines(l2(scaled)) == (
        "grad_regularized = weight_decay*param + grad",
        "exp_avg_sq <- beta2*exp_avg_sq + (1 - beta2)*grad_regularized**2",
        "param <- param - lr*grad_regularized/sqrt(exp_avg_sq)",
    )


def test_decoupled_decay_leaves_the_gradient_alone(scaled: OptimizerSpec) -> None:
    decayed = decoupled_decay(scaled)
    assert rule_lines(decayed) == (
        "param <- param - lr*weight_decay*param",
        "exp_avg_sq <- beta2*exp_avg_sq + (1 - beta2)*grad**2",
        "param <- param - lr*grad/sqrt(exp_avg_sq)",
    )
    assert decayed.rule[1:] == scaled.rule


def test_amsgrad_divides_by_the_maximum(scaled: OptimizerSpec) -> None:
    largest = amsgrad(scaled)
    assert rule_lines(largest) == (
        "exp_avg_sq <- beta2*exp_avg_sq + (1 - beta2)*grad**2",
        "max_exp_avg_sq <- max(exp_avg_sq, max_exp_avg_sq)",
        "param <- param - lr*grad/sqrt(max_exp_avg_sq)",
    )
    added = largest.state[-1]
    assert (added.symbol, added.initial, str(added.domain)) == (max_exp_avg_sq, 0, "[0, oo)")


@pytest.mark.parametrize("modifier", [l2, decoupled_decay])
def test_no_decay_is_the_rule_itself(modifier: type, scaled: OptimizerSpec) -> None:
    """At weight_decay = 0 every value of one step is that of the plain rule."""
    modified = modifier(scaled)
    plain = [sympy.expand(v) for v in _step(scaled).values()]
    without = [sympy.expand(v.subs(weight_decay, 0)) for v in _step(modified).values()]
    assert without == plain


def _step(spec: OptimizerSpec) -> dict[str, sympy.Expr]:
    """Return the parameter and states after a step, in terms of those before."""
    values: dict[sympy.Symbol, sympy.Expr] = {}
    for _, version, value in spec.ssa():
        values[version] = value.xreplace(values)
    last = {v.name.split("@")[0]: value for v, value in values.items()}
    return {name: last[name] for name in ("param", *(b.name for b in spec.state))}


def test_coupled_and_decoupled_decay_differ(scaled: OptimizerSpec) -> None:
    difference = _step(l2(scaled))["param"] - _step(decoupled_decay(scaled))["param"]
    at = {lr: 1, beta2: 0, weight_decay: 1, param: 1, grad: 1, exp_avg_sq: 1}
    assert difference.subs(at) == 0 - (1 - 1 - 1)  # 1 - 2/sqrt(4) against 1 - 1 - 1/sqrt(1)


def test_for_plain_descent_the_two_are_one(catalogue: Catalogue) -> None:
    coupled = _step(catalogue["sgd_l2"])["param"]
    decoupled = _step(decoupled_decay(catalogue["sgd"]))["param"]
    assert sympy.expand(coupled - decoupled) == 0


def test_names_choices_and_sources_are_carried_on(scaled: OptimizerSpec) -> None:
    changed = l2(amsgrad(scaled), name="mine", references=(PAPER,), notes=("More.",))
    assert changed.name == "mine"
    assert changed.full_name == "scaled+amsgrad+l2"
    assert changed.family == "scaled"
    assert l2(scaled).name == "scaled+l2"
    assert changed.choices == (
        ("eps", "none"),
        ("decay", "l2"),
        ("bias_correction", "none"),
        ("max", "before bias correction"),
    )
    assert changed.references == (PAPER,)
    assert changed.notes == ("An example.", "More.")
    assert changed.summary.startswith("Divide by the root of a moving mean square, with ")


def test_the_original_is_not_changed(scaled: OptimizerSpec) -> None:
    before = replace(scaled)
    l2(scaled), decoupled_decay(scaled), amsgrad(scaled)
    assert scaled == before


def test_defaults_of_the_decay(scaled: OptimizerSpec) -> None:
    (decay,) = (h for h in l2(scaled, default="0.5").hyperparameters if h.symbol == weight_decay)
    assert str(decay.default) == "1/2"
    assert decay.domain == scaled.hyperparameters[0].domain
    with pytest.raises(SpecError, match="lies outside its domain"):
        l2(scaled, default="-1")


@pytest.mark.parametrize("first", [l2, decoupled_decay])
@pytest.mark.parametrize("second", [l2, decoupled_decay])
def test_decay_is_added_once(first: type, second: type, scaled: OptimizerSpec) -> None:
    once = first(scaled)
    with pytest.raises(SpecError, match="has a weight_decay already") as caught:
        second(once)
    assert __file__ in str(caught.value.where)


def test_what_a_modifier_needs(catalogue: Catalogue) -> None:
    with pytest.raises(SpecError, match="amsgrad needs a rule that writes exp_avg_sq"):
        amsgrad(catalogue["sgd"])
    plain = OptimizerSpec(name="unit", summary="X.", rule=(Set(param, param - grad),))
    with pytest.raises(SpecError, match="decoupled_decay needs a rule that uses 'lr'"):
        decoupled_decay(plain)
    with pytest.raises(SpecError, match="'max_exp_avg_sq' is declared twice"):
        amsgrad(catalogue["amsgrad"])


def test_a_name_that_a_modifier_adds_may_be_taken(scaled: OptimizerSpec) -> None:
    taken = symbol("grad_regularized")
    spec = replace(
        scaled, rule=(Let(taken, 2 * grad), Set(param, param - lr * taken), *scaled.rule)
    )
    with pytest.raises(SpecError, match="'grad_regularized' is set by two Lets") as caught:
        l2(spec)
    assert __file__ in str(caught.value.where)
