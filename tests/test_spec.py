"""Specs as data: what is filled in, what is refused, versions of a name."""

import dataclasses
import pickle
from fractions import Fraction
from pathlib import Path

import pytest

from optgen.checks import reserved
from optgen.domains import REAL, STEP, UNIT, Domain
from optgen.errors import Location, SpecError
from optgen.loader import Catalogue, load_catalogue
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import beta1, exp_avg, grad, lr, param, sqrt, step, symbol, update

HERE = str(Path(__file__))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def make(**changes: object) -> OptimizerSpec:
    given: dict[str, object] = {
        "name": "averaged",
        "summary": "Step along the moving mean of gradients.",
        "hyperparameters": (Hyperparameter(lr, "1e-3"), Hyperparameter(beta1, "0.9", "[0, 1)")),
        "state": (StateBuffer(exp_avg),),
        "rule": (
            Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
            Let(update, lr * exp_avg),
            Set(param, param - update),
        ),
    }
    return OptimizerSpec(**(given | changes))  # type: ignore[arg-type]


def test_defaults_are_exact() -> None:
    assert Hyperparameter(lr, "1e-3").default == Fraction(1, 1000)
    assert Hyperparameter(lr, "0.1").default == Fraction(1, 10)
    assert Hyperparameter(lr, 0.1).default == Fraction(1, 10)  # type: ignore[arg-type]
    assert StateBuffer(exp_avg, initial="0.1").initial == Fraction(1, 10)
    assert StateBuffer(exp_avg, initial=0.1).initial == Fraction(1, 10)  # type: ignore[arg-type]
    assert StateBuffer(exp_avg, initial=Fraction(1, 3)).initial == Fraction(1, 3)


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1/0", "0x10", "1e-3 ", None, True])
def test_what_is_no_number_is_refused(text: object) -> None:
    accepted = text == "1e-3 "  # Fraction allows space around a number
    if accepted:
        assert Hyperparameter(lr, text).default == Fraction(1, 1000)  # type: ignore[arg-type]
        return
    with pytest.raises(SpecError, match="is not a decimal number") as caught:
        Hyperparameter(lr, text)  # type: ignore[arg-type]
    assert str(caught.value.where).startswith(HERE)


def test_domains_may_be_text_or_data() -> None:
    assert Hyperparameter(beta1, "0.9", "[0, 1)").domain == UNIT
    assert Hyperparameter(beta1, "0.9", UNIT).domain == UNIT
    assert make().domains == {
        step: STEP,
        param: REAL,
        grad: REAL,
        lr: Domain.parse("[0, oo)"),
        beta1: UNIT,
        exp_avg: REAL,
    }


def test_places_are_where_the_author_wrote() -> None:
    line = make.__code__.co_firstlineno
    spec = make()
    assert isinstance(spec.location, Location)
    assert spec.location.file == HERE
    assert spec.hyperparameters[0].location == Location(HERE, line + 4)
    assert [a.location.line for a in spec.rule if a.location] == [line + 7, line + 8, line + 9]
    changed = dataclasses.replace(spec, name="other")
    assert changed.location is not None
    assert changed.location.file == HERE
    assert changed.rule[0].location == spec.rule[0].location


def test_names() -> None:
    spec = make(name="averaged:slow+l2")
    assert (spec.identifier, spec.family) == ("averaged_slow_l2", "averaged")
    assert make().full_name == "averaged"
    assert make(full_name="sgd:averaged").family == "sgd"
    assert make(family="means").family == "means"


@pytest.mark.parametrize(
    "name", ["", "Adam", "adam-w", "adam::w", "+l2", "adam+", "2adam", "_adam", "adam w", "adäm"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(SpecError, match="is not a name for a rule"):
        make(name=name)


def test_specs_are_values(catalogue: Catalogue) -> None:
    assert make() == make()
    for spec in catalogue.values():
        copy = pickle.loads(pickle.dumps(spec))
        assert copy == spec
        assert hash(copy) == hash(spec)
        assert copy.location == spec.location
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().name = "other"  # type: ignore[misc]


def test_a_changed_spec_is_checked_again() -> None:
    with pytest.raises(SpecError, match="is not used by the rule"):
        dataclasses.replace(
            make(), hyperparameters=(*make().hyperparameters, Hyperparameter(symbol("extra"), "1"))
        )
    with pytest.raises(SpecError, match="reserved word of C"):
        make(name="register")


def test_the_query_counts_as_a_use() -> None:
    ahead = symbol("ahead")
    spec = make(
        hyperparameters=(*make().hyperparameters, Hyperparameter(ahead, "1")),
        query=param - ahead * exp_avg,
    )
    assert spec.query == param - ahead * exp_avg
    with pytest.raises(SpecError, match="the query reads 'update'"):
        make(query=param - update)
    with pytest.raises(SpecError, match="the query reads 'grad'"):
        make(query=param - grad)


def test_inputs_may_be_read() -> None:
    hessian = symbol("hessian")
    rule = (
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * hessian),
        Set(param, param - lr * grad / sqrt(exp_avg)),
    )
    spec = make(rule=rule, inputs=(hessian,))
    assert spec.domains[hessian] == REAL
    with pytest.raises(SpecError, match="'hessian' is read before it is set"):
        make(rule=rule)


def test_ssa_gives_each_write_a_name() -> None:
    spec = make(
        rule=(
            Set(param, param - lr * param),
            Let(update, lr * exp_avg),
            Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
            Set(param, param - update * exp_avg),
        )
    )
    steps = [(a.name, str(version), str(value)) for a, version, value in spec.ssa()]
    assert steps == [
        ("param", "param@1", "-lr*param + param"),
        ("update", "update@1", "exp_avg*lr"),
        ("exp_avg", "exp_avg@1", "beta1*exp_avg + grad*(1 - beta1)"),
        ("param", "param@2", "-exp_avg@1*update@1 + param@1"),
    ]


def test_references_are_links() -> None:
    assert Reference("A paper", "https://arxiv.org/abs/1412.6980", 2014).year == 2014
    with pytest.raises(SpecError, match="is not the address") as caught:
        Reference("A paper", "http://example.org", 2014)
    assert str(caught.value.where).startswith(HERE)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("lambda", "Python"),
        ("None", "Python"),
        ("register", "C"),
        ("float", "C"),
        ("threadIdx", "CUDA"),
        ("chunk", "generated code"),
        ("row0", "generated code"),
        ("mask12", "generated code"),
        ("sqrt", "mathematics"),
        ("lr", ""),
        ("update", ""),
        ("rowing", ""),
    ],
)
def test_reserved(name: str, language: str) -> None:
    assert reserved(name) == language


def test_every_rule_says_what_its_numbers_mean(catalogue: Catalogue) -> None:
    for spec in catalogue.values():
        assert spec.summary.endswith("."), spec.name
        assert spec.references, spec.name
        assert all(h.doc for h in spec.hyperparameters), spec.name
        assert all(b.doc for b in spec.state), spec.name
        axes = [axis for axis, _ in spec.choices]
        assert len(axes) == len(set(axes)), spec.name
