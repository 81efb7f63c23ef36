"""Maps that papers print are found, proved and run; where there is none, that is proved."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import sympy

import optgen
from optgen.errors import UsageError
from optgen.loader import load_catalogue
from optgen.relations import Relation, check_document, explain, relate
from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, symbol
from optgen.verify.mutants import mutants

Rules = Callable[[str], OptimizerSpec]

FOUND: dict[tuple[str, str], tuple[dict[str, str], dict[str, str], tuple[str, ...]]] = {
    # (left, right): hyperparameters, states, hyperparameters that must stay
    ("momentum_ema", "heavy_ball"): (
        {"lr": "lr*(1 - momentum)", "momentum": "momentum"},
        {"param": "param", "momentum_buffer": "momentum_buffer/(1 - momentum)"},
        ("momentum",),
    ),
    ("heavy_ball", "momentum_ema"): (
        {"lr": "lr/(1 - momentum)", "momentum": "momentum"},
        {"param": "param", "momentum_buffer": "momentum_buffer*(1 - momentum)"},
        ("momentum",),
    ),
    ("heavy_ball", "sutskever"): (
        {"lr": "lr", "momentum": "momentum"},
        {"param": "param", "velocity": "-lr*momentum_buffer"},
        ("lr",),
    ),
    ("heavy_ball", "polyak"): (
        {"lr": "lr", "momentum": "momentum"},
        {"param": "param", "previous": "lr*momentum_buffer + param"},
        ("lr",),
    ),
    ("polyak", "heavy_ball"): (
        {"lr": "lr", "momentum": "momentum"},
        {"param": "param", "momentum_buffer": "-param/lr + previous/lr"},
        ("lr",),
    ),
    ("nesterov", "sutskever_nesterov"): (
        {"lr": "lr", "momentum": "momentum"},
        {"param": "lr*momentum*momentum_buffer + param", "velocity": "-lr*momentum_buffer"},
        ("lr", "momentum"),
    ),
    ("sutskever_nesterov", "nesterov"): (
        {"lr": "lr", "momentum": "momentum"},
        {"param": "momentum*velocity + param", "momentum_buffer": "-velocity/lr"},
        ("lr", "momentum"),
    ),
    ("sgd_l2", "raw_sgdw"): (
        {"lr": "lr", "weight_decay": "lr*weight_decay"},
        {"param": "param"},
        (),
    ),
    ("raw_sgdw", "sgd_l2"): (
        {"lr": "lr", "weight_decay": "weight_decay/lr"},
        {"param": "param"},
        (),
    ),
    ("sgd_l2", "sgdw"): (  # the catalogue's sgdw multiplies the decay by lr
        {"lr": "lr", "momentum": "0", "weight_decay": "weight_decay"},
        {"param": "param"},
        (),
    ),
    ("average_moments", "sum_moments"): (
        {
            "lr": "lr*(1 - beta1)/sqrt(1 - beta2)",
            "beta1": "beta1",
            "beta2": "beta2",
            "eps": "eps/sqrt(1 - beta2)",
        },
        {
            "param": "param",
            "exp_avg": "exp_avg/(1 - beta1)",
            "exp_avg_sq": "exp_avg_sq/(1 - beta2)",
        },
        ("beta1", "beta2"),
    ),
    ("sum_moments", "average_moments"): (
        {
            "lr": "lr*sqrt(1 - beta2)/(1 - beta1)",
            "beta1": "beta1",
            "beta2": "beta2",
            "eps": "eps*sqrt(1 - beta2)",
        },
        {
            "param": "param",
            "exp_avg": "exp_avg*(1 - beta1)",
            "exp_avg_sq": "exp_avg_sq*(1 - beta2)",
        },
        ("beta1", "beta2"),
    ),
    ("corrected_average", "heavy_ball"): (  # under a schedule
        {"lr": "lr*(1 - beta1)/(1 - beta1**step)", "momentum": "beta1"},
        {"param": "param", "momentum_buffer": "momentum_buffer/(1 - beta1)"},
        ("beta1",),
    ),
    ("rmsprop", "rmsprop:momentum"): (
        {"lr": "lr", "alpha": "alpha", "eps": "eps", "momentum": "0"},
        {"param": "param", "square_avg": "square_avg"},
        (),
    ),
}


@pytest.mark.parametrize("pair", FOUND, ids=" to ".join)
def test_a_map_is_found(rule: Rules, pair: tuple[str, str]) -> None:
    found = relate(rule(pair[0]), rule(pair[1]))
    hyperparameters, states, constant = FOUND[pair]
    assert found.verdict == "related", found.reason
    assert found.hyperparameters == hyperparameters
    assert found.states == states
    assert found.constant == constant
    assert {*found.changing, *found.constant} == {h.name for h in rule(pair[0]).hyperparameters}
    for name in constant:  # with an exact run in which the map fails
        assert any(fact.startswith(f"fails while {name} changes: at ") for fact in found.evidence)


def test_a_map_with_a_denominator_says_where_it_holds(rule: Rules) -> None:
    assert relate(rule("raw_sgdw"), rule("sgd_l2")).where == ("lr != 0",)
    polyak = relate(rule("polyak"), rule("heavy_ball"))
    assert polyak.where == ("lr != 0",)
    assert explain(polyak).startswith(
        "RELATED: every run of polyak is a run of heavy_ball, where lr != 0\n"
    )
    assert relate(rule("sgd_l2"), rule("raw_sgdw")).where == ()


def test_a_map_that_leaves_the_domain_is_no_relation(rule: Rules) -> None:
    """The same rule with step sizes up to 1 does not follow those above 1."""
    small = replace(
        rule("sgd"), name="small", hyperparameters=(Hyperparameter(lr, "1e-3", "[0, 1]"),)
    )
    assert relate(small, rule("sgd")).verdict == "related"
    found = relate(rule("sgd"), small)
    assert (found.verdict, found.reason) == ("unknown", "lr = lr may lie outside [0, 1]")
    above = replace(
        rule("sgd"), name="above", hyperparameters=(Hyperparameter(lr, "1e-3", "(0, oo)"),)
    )
    assert relate(rule("sgd"), above).where == ("lr = lr lies in (0, oo)",)


def test_nothing_unknown_is_left_to_solve_for(rule: Rules) -> None:
    found = relate(rule("sgd"), rule("sgd"), ["right.lr=2*left.lr"])
    document = certified(found)
    assert document["unknowns"] == []
    assert relate(rule("sgd"), rule("sgd"), ["right.lr=left.lr"]).verdict == "related"


def test_polyaks_second_point_corresponds_from_the_first_step_on(rule: Rules) -> None:
    found = relate(rule("heavy_ball"), rule("polyak"))
    assert found.initial == "correspond from the end of the first step on"
    assert relate(rule("heavy_ball"), rule("sutskever")).initial == "correspond"


def test_the_witness_of_a_schedule_is_right(rule: Rules) -> None:
    """Runs heavy ball and Sutskever's form by hand, at the numbers of the witness."""
    (fact,) = (
        f
        for f in relate(rule("heavy_ball"), rule("sutskever")).evidence
        if f.startswith("fails while lr")
    )
    at, values = fact.removeprefix("fails while lr changes: at ").split(" the query point of ")
    point = {n: Fraction(v) for n, v in (item.split(" = ") for item in at.split(", "))}
    step = int(values.split()[1])
    params = [point["param"], point["param"]]
    buffer, velocity = Fraction(0), Fraction(0)
    for k in range(1, step):
        lr, grad = point.get(f"lr_{k}", point.get("lr", Fraction(0))), point[f"grad_{k}"]
        buffer = point["momentum"] * buffer + grad
        velocity = point["momentum"] * velocity - lr * grad
        params = [params[0] - lr * buffer, params[1] + velocity]
    assert params[0] != params[1]
    assert f"is {params[0]} on the left and {params[1]} on the right" in values


NONE: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {
    # (left, right, given...): steps, what must not be 0
    ("heavy_ball", "nesterov"): (3, ("lr", "momentum")),
    ("nesterov", "heavy_ball"): (3, ("lr", "momentum")),
    ("heavy_ball_l2", "heavy_ball_decoupled"): (2, ("lr", "momentum", "weight_decay")),
    ("adam_l2", "adamw"): (1, ("eps", "lr", "weight_decay")),
    ("adam_l2", "adamw", "left.eps=0"): (1, ("lr", "weight_decay")),
    ("adam_l2", "adamw", "left.eps=0", "right.eps=0"): (1, ("lr", "weight_decay")),
}


def certified(found: Relation) -> dict[str, Any]:
    """Return the certificate of a "none" after a journey through JSON."""
    assert found.verdict == "none", found.reason
    assert found.certificate is not None
    document = json.loads(json.dumps(found.to_json()["certificate"]))
    assert check_document(document)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("case", NONE, ids=" ".join)
def test_that_there_is_no_map_is_proved(rule: Rules, case: tuple[str, ...]) -> None:
    left, right, *given = case
    found = relate(rule(left), rule(right), given)
    document = certified(found)
    steps, nonzero = NONE[case]
    assert document["steps"] == steps
    assert set(document["nonzero"]) <= {*nonzero, "momentum - 1", "momentum + 1"}
    assert not document["at"], "for all hyperparameters, not for one choice"
    assert found.hyperparameters is None


def test_proposition_2_takes_no_two_seconds(rule: Rules) -> None:
    begun = time.process_time()
    found = relate(rule("adam_l2"), rule("adamw"))
    assert time.process_time() - begun < 2
    document = certified(found)
    assert {"lr'", "weight_decay'", "eps'"} <= set(document["unknowns"])
    assert set(document["for_all"]) == {"lr", "beta1", "beta2", "eps", "weight_decay"}
    (part,) = document["parts"]
    # every polynomial but that of the inverse is a coefficient of the first step's equation,
    # multiplied out here by hand for grad > 0 and param > 0
    lr, eps, wd, lr_, eps_, wd_, g, x = sympy.symbols("lr eps wd lr_ eps_ wd_ g x")
    with_l2 = lr * (g + wd * x) / (g + wd * x + eps)
    decoupled = lr_ * g / (g + eps_) + lr_ * wd_ * x
    numerator = sympy.Poly(sympy.expand(sympy.numer(sympy.together(with_l2 - decoupled))), g, x)
    coefficients = {sympy.expand(c) for c in numerator.coeffs()}
    names = {"lr": lr, "eps": eps, "weight_decay": wd, "lr'": lr_, "eps'": eps_}
    names["weight_decay'"] = wd_
    for line in part["lines"]:
        if line["from"].startswith("y is 1/("):
            continue
        value = sum(
            sympy.Rational(c) * sympy.prod(names[n] ** p for n, p in powers.items())
            for c, powers in line["terms"]
        )
        assert {sympy.expand(value), sympy.expand(-value)} & coefficients, line["polynomial"]


def test_with_eps_0_two_regions_of_signs_are_needed(rule: Rules) -> None:
    document = certified(relate(rule("adam_l2"), rule("adamw"), ["left.eps=0", "right.eps=0"]))
    origins = " ".join(line["from"] for line in document["parts"][0]["lines"])
    assert "gradient 2 from (param, grad1)" in origins
    assert "gradient 2 from (-param, grad1; param such that a sign is +)" in origins


def test_steps_may_correspond_where_no_run_does(rule: Rules) -> None:
    found = relate(rule("heavy_ball_l2"), rule("heavy_ball_decoupled"))
    assert any("takes no run from the initial states to one" in fact for fact in found.evidence)
    plain = relate(rule("heavy_ball"), rule("nesterov"))
    assert not any("without the initial states" in fact for fact in plain.evidence)


def test_what_none_covers_is_said(rule: Rules) -> None:
    found = relate(rule("momentum"), rule("momentum_ema"))
    assert found.evidence[:2] == (
        "no constant hyperparameters of momentum_ema follow the first 2 steps of momentum from "
        "the initial states: the gradients are taken at other points, whatever the map of the "
        "states",
        "proved for all lr, momentum, dampening of momentum inside their domains, ends left out",
    )
    assert "dampening = 0 is left out: ask for it with --given left.dampening=0" in found.evidence
    undamped = relate(rule("momentum"), rule("momentum_ema"), ["left.dampening=0"])
    assert undamped.verdict == "related"
    assert undamped.hyperparameters == {"lr": "lr/(1 - momentum)", "momentum": "momentum"}


def test_a_refutation_at_numbers_says_at_which(rule: Rules) -> None:
    found = relate(rule("adam"), rule("rmsprop"))
    document = certified(found)
    assert document["at"] == {"lr": "1/2", "beta1": "1/2", "beta2": "3/4", "eps": "1"}
    assert found.evidence[1] == (
        "proved at lr = 1/2, beta1 = 1/2, beta2 = 3/4, eps = 1: no map of hyperparameters holds "
        "for all of them"
    )


def test_bias_correction_is_a_schedule_of_lr_and_eps(rule: Rules) -> None:
    found = relate(rule("adam"), rule("average_moments"))
    assert found.verdict == "related", found.reason
    assert found.hyperparameters == {
        "lr": "lr*sqrt(1 - beta2**step)/(1 - beta1**step)",
        "beta1": "beta1",
        "beta2": "beta2",
        "eps": "eps*sqrt(1 - beta2**step)",
    }
    assert found.evidence[-1] == ("hyperparameters of average_moments follow the step, as given")


def test_a_given_value_on_the_right_is_kept(rule: Rules) -> None:
    same = relate(
        rule("sgd_l2"), rule("raw_sgdw"), ["right.weight_decay=left.lr*left.weight_decay"]
    )
    assert same.verdict == "related"
    other = relate(rule("sgd_l2"), rule("raw_sgdw"), ["right.weight_decay=left.weight_decay"])
    assert other.verdict == "none"
    certified(other)


@pytest.mark.parametrize("name", ["heavy_ball", "momentum_ema"])
def test_runs_that_begin_otherwise_are_not_related(rule: Rules, name: str) -> None:
    spec = rule(name)
    other = replace(spec, name="other", state=tuple(replace(b, initial="1/2") for b in spec.state))
    for left, right in ((spec, other), (other, spec)):
        found = relate(left, right, timeout=3)
        assert found.verdict != "related"
        if found.verdict == "none":
            certified(found)
    assert relate(other, other).verdict == "related"


CATALOGUE = load_catalogue()


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_rule_is_related_to_itself_by_the_identity(name: str) -> None:
    found = relate(CATALOGUE[name], CATALOGUE[name])
    assert found.verdict == "related"
    maps = {**(found.hyperparameters or {}), **(found.states or {})}
    assert all(value == key for key, value in maps.items())
    assert found.constant == ()
    assert found.changing == tuple(h.name for h in CATALOGUE[name].hyperparameters)


@pytest.mark.parametrize("name", ["heavy_ball", "sgd_l2", "sutskever_nesterov", "polyak"])
def test_no_mutant_is_related_by_the_identity_unless_it_is_equal(rule: Rules, name: str) -> None:
    spec = rule(name)
    verdicts = set()
    for mutant in list(mutants(spec))[:8]:
        found = relate(spec, mutant.spec, timeout=4)
        verdicts.add(found.verdict)
        if found.verdict == "none":
            certified(found)
        maps = {**(found.hyperparameters or {}), **(found.states or {})}
        own = {h.name for h in spec.hyperparameters}
        is_identity = all(v == k for k, v in maps.items()) and own == set(
            found.hyperparameters or ()
        )
        if found.verdict == "related" and is_identity:
            assert optgen.compare(spec, mutant.spec).verdict == "equal", mutant.change
    assert "none" in verdicts


def test_relate_is_a_public_name(rule: Rules) -> None:
    assert optgen.relate is relate


def test_time_that_runs_out_is_unknown(rule: Rules) -> None:
    found = relate(rule("adam"), rule("nadam"), timeout=0.001)
    assert (found.verdict, found.reason) == ("unknown", "out of time")


def test_a_crash_is_unknown(rule: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("by design")

    monkeypatch.setattr("optgen.relations.relating.by_name", crash)
    found = relate(rule("adam"), rule("adam"))
    assert found.verdict == "unknown"
    assert found.reason == "the search failed: RuntimeError: by design"


# bad input


def test_a_timeout_must_be_positive(rule: Rules) -> None:
    with pytest.raises(UsageError, match="timeout=0 cannot look at anything"):
        relate(rule("sgd"), rule("sgd"), timeout=0)


def test_a_value_may_not_be_over_what_is_sought(rule: Rules) -> None:
    with pytest.raises(UsageError) as caught:
        relate(rule("sgd"), rule("sgdw"), ["left.lr=right.momentum"])
    assert str(caught.value) == (
        "'lr' is given by momentum of sgdw, which is sought\n"
        "  at lr=momentum\n"
        "  Fix: use numbers and hyperparameters of sgd"
    )


def test_rules_must_be_given_the_same(rule: Rules) -> None:
    other = symbol("loss")
    strange = replace(
        rule("sgd"),
        name="strange",
        inputs=(other,),
        rule=(Set(param, param - lr * grad * other),),
    )
    with pytest.raises(UsageError) as caught:
        relate(rule("sgd"), strange)
    assert str(caught.value) == (
        "only one of sgd and strange is given loss at each step\n"
        "  at sgd and strange\n"
        "  Fix: relate rules whose steps are given the same"
    )


def test_where_the_second_rule_has_no_value_is_said(rule: Rules) -> None:
    """Sign descent is RMSProp with eps 0, but where all gradients were 0."""
    signs = replace(
        rule("sgd"), name="sign_descent", rule=(Set(param, param - lr * sympy.sign(grad)),)
    )
    found = relate(signs, rule("rmsprop"))
    assert (found.verdict, found.where) == ("related", ("rmsprop has a value",))
    assert explain(found).startswith(
        "RELATED: every run of sign_descent is a run of rmsprop, where rmsprop has a value\n"
    )
    assert found.evidence[-1].endswith("sign_descent has a value and rmsprop has none")
    assert "grad_1 = 0" in found.evidence[-1]


def test_a_step_that_divides_by_zero_is_no_step(rule: Rules) -> None:
    """With lr and 1 - share both 0 every equation holds once it is multiplied out."""
    share = symbol("share")
    heavy = rule("heavy_ball")
    divided = replace(
        heavy,
        name="divided",
        full_name="momenta:divided",
        hyperparameters=(*heavy.hyperparameters, Hyperparameter(share, "0.5", "[0, 1)")),
        rule=(heavy.rule[0], Set(param, param - lr * heavy.state[0].symbol / (1 - share))),
    )
    signs = replace(
        heavy,
        name="signs",
        full_name="momenta:signs",
        rule=(heavy.rule[0], Set(param, param - lr * sympy.sign(heavy.state[0].symbol))),
    )
    found = relate(signs, divided)
    assert found.verdict == "none"
    assert not any(fact.startswith("without the initial states") for fact in found.evidence)
