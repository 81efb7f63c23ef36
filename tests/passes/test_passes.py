"""The passes: what each takes out, and that no bit changes but by the host's float64."""

from __future__ import annotations

from fractions import Fraction

import pytest

from optgen import passes
from optgen.crosscheck import inputs
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.errors import InternalError
from optgen.ir import (
    DType,
    Elementwise,
    Literal,
    Operation,
    Ref,
    Scalars,
    reads,
    stage_expressions,
)
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import PASSES, run_passes
from optgen.passes.hoist import hoist
from optgen.passes.powers import powers

RULES = load_catalogue()


def names_of(expression):
    if isinstance(expression, Operation):
        yield expression.name
        for operand in expression.operands:
            yield from names_of(operand)


def run(spec, kernel):
    case = inputs.Case(500, step=3, special=True)
    arrays = inputs.arrays(kernel, spec, case)
    states = inputs.scalar_states(kernel)
    host = host_values(kernel, inputs.hyperparameters(spec), case.step, states, case.n)
    return run_stages(kernel, arrays, kernel_scalars(kernel, host))


@pytest.mark.parametrize("name", RULES)
def test_hoisting_changes_no_bit_in_float64(name):
    """In float64 host and stage compute alike, so a pass that keeps the order keeps the bits."""
    spec = RULES[name]
    before = powers(lower(spec, DType.FLOAT64))
    after = hoist(before)
    assert inputs.first_difference(run(spec, before), run(spec, after)) == ""


def test_a_pass_that_reorders_is_seen():
    spec = RULES["adamw"]
    before = powers(lower(spec, DType.FLOAT64))

    def reorder(expression):
        if not isinstance(expression, Operation):
            return expression
        operands = tuple(reorder(o) for o in expression.operands)
        match operands:
            case (Operation("mul", (a, b)), c) if expression.name == "div":
                return Operation("mul", (a, Operation("div", (b, c))))
        return Operation(expression.name, operands)

    (stage,) = before.stages
    body = tuple(type(a)(a.target, reorder(a.value), a.formula) for a in stage.body)
    broken = hoist(
        type(before)(
            before.name, before.arithmetic, before.buffers, before.arguments,
            before.scalar_states, before.host,
            (Elementwise(stage.loads, body, stage.stores),),
        )
    )  # fmt: skip
    assert inputs.first_difference(run(spec, before), run(spec, broken)) != ""


@pytest.mark.parametrize("name", RULES)
def test_nothing_invariant_is_left_in_the_stages(name):
    kernel = run_passes(lower(RULES[name], DType.FLOAT32))
    per_tensor = {a.target for s in kernel.stages if isinstance(s, Scalars) for a in s.body}
    per_tensor |= {r.target for r in kernel.reductions}
    varying = {b.name for b in kernel.buffers}
    varying |= {a.target for s in kernel.stages if isinstance(s, Elementwise) for a in s.body}
    for stage in kernel.stages:
        alive = varying if isinstance(stage, Elementwise) else per_tensor
        for expression in stage_expressions(stage):
            assert not isinstance(expression, Operation) or set(reads(expression)) & alive
        for expression in stage_expressions(stage):
            for part in parts(expression):
                if set(names_of(part)) <= {"add", "sub", "mul", "div", "sqrt", "neg"}:
                    assert set(reads(part)) & alive, f"{part} could be hoisted"


def parts(expression):
    if isinstance(expression, Operation):
        yield expression
        for operand in expression.operands:
            yield from parts(operand)


@pytest.mark.parametrize("name", RULES)
def test_no_powers_are_left(name):
    kernel = run_passes(lower(RULES[name], DType.FLOAT32))
    everything = [e for s in kernel.stages for e in stage_expressions(s)]
    everything += [a.value for a in kernel.host]
    assert "power" not in {n for e in everything for n in names_of(e)}


@pytest.mark.parametrize("exponent", range(2, 20))
def test_powers_are_binary_exponentiation(exponent):
    from optgen.passes.powers import _Expand

    power = Operation("power", (Operation("neg", (Ref("x"),)), Literal(Fraction(exponent))))
    value, before = _Expand().expression(power)
    products = sum(n == "mul" for e in (value, *(a.value for a in before)) for n in names_of(e))
    assert products == exponent.bit_length() - 1 + exponent.bit_count() - 1

    def evaluate(expression, names):
        match expression:
            case Ref(name):
                return names[name]
            case Operation("neg", (a,)):
                return -evaluate(a, names)
            case Operation("mul", (a, b)):
                return evaluate(a, names) * evaluate(b, names)
        raise AssertionError(expression)

    names = {"x": 3}
    for assign in before:
        names[assign.target] = evaluate(assign.value, names)
    assert evaluate(value, names) == (-3) ** exponent


def test_equal_expressions_are_hoisted_once_and_named_for_what_they_are():
    kernel = run_passes(lower(RULES["adamw"], DType.FLOAT32))
    targets = [a.target for a in kernel.host]
    assert len(targets) == len(set(targets))
    assert {"one_minus_beta1", "one_minus_beta2", "lr_weight_decay"} <= set(targets)


def test_conditions_on_host_values_travel_as_numbers():
    spec = RULES["momentum"]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    for stage in kernel.stages:
        for expression in stage_expressions(stage):
            for part in parts(expression):
                if part.name in ("lt", "le", "gt", "ge", "eq", "ne"):
                    assert set(reads(part)) & {b.name for b in kernel.buffers}


def test_per_tensor_arithmetic_moves_to_the_scalars_before():
    kernel = run_passes(lower(RULES["lamb"], DType.FLOAT32))
    scalars = kernel.stages[1]
    assert isinstance(scalars, Scalars)
    assert scalars.exports == ("lr_trust_ratio",)
    assert kernel.tensor_scalars == ("lr_trust_ratio",)


def test_every_pass_is_validated(monkeypatch):
    def forgets_the_store(kernel):
        stage = kernel.stages[0]
        return type(kernel)(
            kernel.name, kernel.arithmetic, kernel.buffers, kernel.arguments,
            kernel.scalar_states, kernel.host, (Elementwise(stage.loads, stage.body, ()),),
        )  # fmt: skip

    monkeypatch.setattr(passes, "PASSES", (*PASSES, forgets_the_store))
    with pytest.raises(InternalError, match="malformed after forgets_the_store: param is never"):
        run_passes(lower(RULES["sgd"], DType.FLOAT32))


def test_passes_run_twice_change_nothing_more():
    for name in RULES:
        once = run_passes(lower(RULES[name], DType.FLOAT32))
        assert hoist(powers(once)) == once
