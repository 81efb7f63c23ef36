"""Comparisons of rules: verdicts, witnesses, what they say, and bad input."""

from __future__ import annotations

import json
import re
import time
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
import sympy

from optgen.errors import UsageError
from optgen.loader import Catalogue, load_catalogue
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import Max, exp_avg, grad, lr, momentum, momentum_buffer, param, sqrt, symbol
from optgen.verify import compare, explain
from optgen.verify.runs.replay import differ_at

CLAIM_SPECS = Path(__file__).parents[1] / "claims" / "specs"
KEYS = [
    "left",
    "right",
    "given",
    "steps",
    "verdict",
    "as_one_step",
    "witness",
    "left_value",
    "right_value",
    "matching",
    "dropped",
    "reachable",
    "evidence",
    "reason",
    "constant",
]


@pytest.fixture(scope="module")
def rules() -> Catalogue:
    return load_catalogue([CLAIM_SPECS])


OWN = load_catalogue()


@pytest.mark.parametrize("name", OWN)
def test_every_rule_equals_itself(name: str) -> None:
    found = compare(OWN[name], OWN[name])
    assert found.verdict == "equal", found.reason
    assert found.certificate is not None


@pytest.mark.parametrize("name", OWN)
def test_every_rule_differs_from_every_other(name: str) -> None:
    others = [other for first, other in combinations(OWN, 2) if first == name]
    for other in others:
        found = compare(OWN[name], OWN[other])
        assert (found.verdict, found.reachable) == ("different", True), other
        witness = {key: Fraction(value) for key, value in (found.witness or {}).items()}
        assert differ_at(OWN[name], OWN[other], (), witness)
        assert max(abs(v.numerator) + v.denominator for v in witness.values()) <= 4, witness
        assert sum(v != 0 for v in witness.values()) <= 6, witness


def test_witness_of_adamw_against_adam_l2(rules: Catalogue) -> None:
    started = time.monotonic()
    found = compare(rules["adamw"], rules["adam_l2"])
    assert time.monotonic() - started < 2
    assert found.to_json() == {
        "left": "adamw",
        "right": "adam_l2",
        "given": [],
        "steps": 3,
        "verdict": "different",
        "as_one_step": False,
        "witness": {
            "lr": "1",
            "beta1": "0",
            "beta2": "0",
            "eps": "0",
            "weight_decay": "1",
            "param": "1",
            "grad_1": "1",
        },
        "left_value": "-1",
        "right_value": "0",
        "matching": {},
        "dropped": {},
        "reachable": True,
        "evidence": [
            "a run of 1 step from the initial states",
            "evaluated again by the independent evaluator",
        ],
        "reason": "",
        "constant": [],
    }


def test_json_of_an_equality(rules: Catalogue) -> None:
    found = compare(rules["adam"], rules["rmsprop_bc"], given=["beta1=0"])
    document = json.loads(json.dumps(found.to_json()))
    assert list(document) == KEYS
    assert document["verdict"] == "equal"
    assert document["matching"] == {"exp_avg_sq": "square_avg"}
    assert document["dropped"] == {"left": ["exp_avg"], "right": []}
    assert (document["witness"], document["reachable"]) == (None, None)


def test_lion_and_signum_part_in_the_second_step(rules: Catalogue) -> None:
    found = compare(rules["lion"], rules["signum"])
    assert {"grad_1", "grad_2"} <= set(found.witness or {})
    assert "grad_3" not in (found.witness or {})
    assert compare(rules["lion"], rules["signum"], steps=1).verdict != "equal"


def test_vectors_where_elements_are_added_up(rules: Catalogue) -> None:
    found = compare(rules["lamb"], rules["lamb_decay_outside"])
    assert found.verdict == "different"
    assert compare(rules["lamb"], rules["lamb_factored"]).verdict == "equal"


def test_explanation_shows_every_value(rules: Catalogue) -> None:
    text = explain(compare(rules["adamw"], rules["adam_l2"]))
    lines = text.splitlines()
    assert lines[0] == "DIFFERENT: adamw differs from adam_l2"
    assert "weight_decay = 1" in lines[1]
    assert lines[2] == "left gives -1, right gives 0"
    assert any(re.fullmatch(r"  exp_avg +1 +2 +<- first difference", line) for line in lines)
    assert text.count("<-") == 1


def test_explanation_of_an_equality(rules: Catalogue) -> None:
    text = explain(compare(rules["adam"], rules["rmsprop_bc"], given=["beta1=0"]))
    assert text.splitlines() == [
        "EQUAL: adam equals rmsprop_bc",
        "given beta1=0",
        "states matched: exp_avg_sq with square_avg",
        "",
        "- proved for every step from every state, in 1 region, by rational normal forms",
        "- the states start equal",
        "- left drops exp_avg: never reaches the parameter",
        *[line for line in text.splitlines() if line.startswith("- domains differ")],
    ]


def test_notebooks(rules: Catalogue) -> None:
    found = compare(rules["adamw"], rules["adam_l2"])
    assert found._repr_latex_() == "$$\n\\text{adamw} \\neq \\text{adam\\_l2}\n$$"
    html = found._repr_html_()
    assert html.startswith("<div><strong>DIFFERENT: adamw differs from adam_l2</strong></div>")
    assert html.count("<table>") == html.count("</table>") == 1
    equal = compare(rules["adam"], rules["adamw"], given=["weight_decay=0"])
    assert "<table>" not in equal._repr_html_()
    assert "weight\\_decay=0" in equal._repr_latex_()


def test_a_comparison_is_frozen(rules: Catalogue) -> None:
    found = compare(rules["sgd"], rules["sgd"])
    with pytest.raises(FrozenInstanceError):
        found.verdict = "different"  # type: ignore[misc]


def test_a_comparison_repeats(rules: Catalogue) -> None:
    assert compare(rules["nadam"], rules["adam"]) == compare(rules["nadam"], rules["adam"])


def test_no_time_is_unknown(rules: Catalogue) -> None:
    found = compare(rules["adam"], rules["adam"], timeout=1e-9)
    assert (found.verdict, found.reason) == ("unknown", "out of time")
    assert "out of time" in explain(found)


def growing(name: str, used: sympy.Expr) -> OptimizerSpec:
    """A rule with a state that starts at 1 and grows, which no declaration says."""
    size, square, larger = map(symbol, ("size", "square", "larger"))
    return descent(
        name=name,
        hyperparameters=(LR,),
        state=(StateBuffer(size, initial=1),),
        rule=(
            Let(square, size**2),
            Set(size, size + square),
            Let(larger, used),
            Set(param, param - lr * grad * larger),
        ),
    )


def test_states_that_no_run_reaches_are_said_to_be_so() -> None:
    size = symbol("size")
    found = compare(growing("one", size), growing("two", Max(size, 1)))
    assert (found.verdict, found.reachable) == ("different", None)
    assert Fraction((found.witness or {})["size"]) < 1
    assert "may not be reachable" in found.evidence[1]
    assert explain(found).startswith("DIFFERENT AS ONE STEP: one and two differ")
    assert found.to_json()["as_one_step"] is True
    assert "no run from the initial states is known to reach it" in explain(found)


def test_states_that_every_run_keeps_are_no_difference() -> None:
    """A state that stays 0 counts for nothing, from wherever else the rules would part."""
    still = symbol("still")
    rules = [
        descent(
            name=name,
            state=(StateBuffer(momentum_buffer), StateBuffer(still)),
            rule=(
                Set(still, momentum * still),
                Set(momentum_buffer, momentum * momentum_buffer + grad),
                Set(param, param - lr * (momentum_buffer + factor * still)),
            ),
        )
        for name, factor in (("one", 1), ("two", 2))
    ]
    found = compare(*rules)
    assert found.verdict == "equal"
    assert "left still = right still = 0, as in all runs" in found.evidence[0]


def test_first_step_may_need_its_own_proof(rules: Catalogue) -> None:
    found = compare(rules["momentum"], rules["cloned_buffer"])
    assert found.verdict == "equal"
    assert found.evidence[0].startswith("proved for the first step from the initial states")


LR = Hyperparameter(lr, "1e-3", "[0, oo)")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)")


def descent(**changes: object) -> OptimizerSpec:
    fields: dict[str, object] = dict(
        name="descent",
        summary="Momentum.",
        hyperparameters=(LR, MOMENTUM),
        state=(StateBuffer(momentum_buffer),),
        rule=(
            Set(momentum_buffer, momentum * momentum_buffer + grad),
            Set(param, param - lr * momentum_buffer),
        ),
    )
    return OptimizerSpec(**{**fields, **changes})  # type: ignore[arg-type]


def test_initial_values_count() -> None:
    warm = descent(name="warm", state=(StateBuffer(momentum_buffer, initial=1),))
    assert compare(descent(), warm).verdict == "different"


def test_where_the_gradient_is_taken_counts() -> None:
    ahead = descent(name="ahead", query=param - lr * momentum * momentum_buffer)
    found = compare(descent(), ahead)
    assert (found.verdict, found.reachable) == ("different", True)
    assert compare(ahead, ahead).verdict == "equal"
    assert compare(ahead, descent(), given=["momentum=0"]).verdict == "equal"


def test_states_of_other_names_are_matched() -> None:
    renamed = descent(
        name="renamed",
        state=(StateBuffer(exp_avg),),
        rule=(
            Set(exp_avg, grad + momentum * exp_avg),
            Set(param, param - lr * exp_avg),
        ),
    )
    found = compare(descent(), renamed)
    assert (found.verdict, found.matching) == ("equal", {"momentum_buffer": "exp_avg"})


def test_a_state_may_be_called_like_a_hyperparameter_of_the_other_rule() -> None:
    other = OptimizerSpec(
        name="other",
        summary="Momentum kept under another name.",
        hyperparameters=(LR, Hyperparameter(symbol("share"), "0.9", "[0, 1)")),
        state=(StateBuffer(momentum),),
        rule=(
            Set(momentum, symbol("share") * momentum + grad),
            Set(param, param - lr * momentum),
        ),
    )
    assert compare(descent(), other, given=["right.share=left.momentum"]).verdict == "equal"
    assert compare(other, descent(), given=["left.share=right.momentum"]).verdict == "equal"


def test_an_input_may_be_called_like_a_state_of_the_other_rule() -> None:
    """`curvature` is an input of one rule and a state of the other: two different things."""
    curvature = symbol("curvature")
    given = OptimizerSpec(
        name="given",
        summary="Adds an input to the gradient.",
        hyperparameters=(LR,),
        inputs=(curvature,),
        state=(StateBuffer(momentum_buffer),),
        rule=(
            Set(momentum_buffer, momentum_buffer + grad),
            Set(param, param - lr * (momentum_buffer + curvature)),
        ),
    )
    kept = OptimizerSpec(
        name="kept",
        summary="Adds twice what it keeps.",
        hyperparameters=(LR,),
        state=(StateBuffer(curvature),),
        rule=(
            Set(curvature, curvature + grad),
            Let(symbol("twice"), 2 * curvature),
            Set(param, param - lr * symbol("twice")),
        ),
    )
    assert compare(given, given).verdict == "equal"
    assert compare(kept, kept).verdict == "equal"
    assert compare(given, kept).verdict == "different"
    assert compare(kept, given).verdict == "different"


def test_a_domain_that_is_not_kept_is_not_relied_on() -> None:
    """sqrt(s**2) = s needs s >= 0, which this rule declares and breaks."""
    size, square, other = map(symbol, ("size", "square", "other"))
    liar = OptimizerSpec(
        name="liar",
        summary="Declares a state that is not negative, and makes it so.",
        hyperparameters=(LR,),
        state=(StateBuffer(size, domain="[0, oo)"),),
        rule=(Set(size, size + grad), Set(param, param - lr * size)),
    )
    honest = replace(
        liar,
        name="honest",
        full_name="honest",
        rule=(
            Set(size, size + grad),
            Let(square, size**2),
            Let(other, sqrt(square)),
            Set(param, param - lr * other),
        ),
    )
    assert compare(liar, honest).verdict == "different"
    found = compare(liar, liar)
    assert found.verdict == "equal"
    assert any("not proved to be kept" in line for line in found.evidence)


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        ("weight_dekay=0", "neither rule has a 'weight_dekay'", "did you mean 'weight_decay'?"),
        ("left.weight_decay=0", "the left rule has no hyperparameter 'weight_decay'", "lr"),
        ("right.weight_decay=lrr", "neither rule has a 'lrr'", "did you mean 'lr'?"),
        ("lr", "'lr' is not of the form", "beta2=beta1"),
        ("up.lr=1", "'up.lr=1' is not of the form", "beta2=beta1"),
        ("lr=1+", "'1+' cannot be read", "beta2=beta1"),
        ("lr=", "'' cannot be read", "beta2=beta1"),
        ("lr=__import__('os')", "is not allowed", "numbers, hyperparameters"),
        ("lr=(lambda: 1)()", "is not allowed", "numbers, hyperparameters"),
        ("lr=beta1**beta2", "is not allowed", "small integer powers"),
        ("lr=beta1**999", "is not allowed", "small integer powers"),
        ("lr=True", "is not allowed", "numbers"),
        ("lr='1'", "is not allowed", "numbers"),
        ("lr=left.lr.x", "is not allowed", "numbers"),
        ("lr=sqrt(1, 2)", "is not allowed", "numbers"),
        ("lr=step", "neither rule has a 'step'", "did you mean 'eps'?"),
        ("lr=2*lr", "'lr' is given by itself: left.lr -> left.lr", "right.lr"),
        ("right.lr=lr/2", "'lr' is given by itself: right.lr -> right.lr", "left.lr"),
        ("beta1=1", "1 lies outside [0, 1), the domain of left.beta1", "inside"),
        ("lr=-1e-3", "-1/1000 lies outside [0, oo)", "inside"),
        ("lr=1/0", "'1/0' has no real value", "mend"),
        ("lr=sqrt(-1)", "has no real value", "mend"),
    ],
)
def test_bad_substitutions(rules: Catalogue, given: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        compare(rules["adam"], rules["adamw"], given=[given])
    assert what in caught.value.what
    assert caught.value.where == given
    assert fix in caught.value.fix


def test_cycles_and_repetitions(rules: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"left\.beta1 -> left\.beta2 -> left\.beta1"):
        compare(rules["adam"], rules["adamw"], given=["beta1=beta2", "beta2=beta1"])
    with pytest.raises(UsageError, match=r"left\.lr is given twice"):
        compare(rules["adam"], rules["adamw"], given=["lr=1", "left.lr=2"])


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"timeout": 0}])
def test_comparisons_that_cannot_look_at_anything(
    rules: Catalogue, wrong: dict[str, float]
) -> None:
    with pytest.raises(UsageError, match="cannot look at anything"):
        compare(rules["adam"], rules["adam"], **wrong)  # type: ignore[arg-type]


def test_numbers_are_read_as_they_are_written(rules: Catalogue) -> None:
    found = compare(rules["sgd"], rules["sgd_l2"], given=["lr=0.1", "weight_decay=1e-1"])
    assert found.verdict == "different"
    assert found.witness is not None
    assert "lr" not in found.witness
    assert Fraction(found.left_value or 0) - Fraction(found.right_value or 0) == Fraction(1, 100)


def test_one_substitution_may_be_given_as_text(rules: Catalogue) -> None:
    assert compare(rules["adam"], rules["adamw"], given="weight_decay=0").verdict == "equal"


def test_substituted_values_stay_in_their_domain(rules: Catalogue) -> None:
    """beta1 = lr must not be sampled at lr >= 1, where Adam is not declared."""
    found = compare(rules["adam"], rules["adamw"], given=["beta1=lr"])
    assert found.witness is not None
    assert 0 <= Fraction(found.witness["lr"]) < 1


def test_rules_without_a_common_domain() -> None:
    high = descent(name="high", hyperparameters=(LR, Hyperparameter(momentum, "2", "(1, oo)")))
    with pytest.raises(UsageError, match="no value of 'momentum' lies in the domains of both"):
        compare(descent(), high)
    assert compare(descent(), high, given=["right.momentum=1+left.momentum+lr"]).verdict
