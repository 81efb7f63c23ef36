"""A storage mix taken out of a kernel again leaves the kernel of the rule."""

from dataclasses import replace

import pytest

from optgen.errors import InternalError, UsageError
from optgen.ir import Assign, Operation, Ref
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import COMPENSATION, store_as
from optgen.passes.unstored import without_storage
from optgen.storage import parse_storage
from optgen.verify.lowered import prove_lowering

RULES = load_catalogue()
MIXES = """
    float32-float32-float64 bfloat16-bfloat16-float32 float16-float16-float32
    bfloat16-bfloat16-bfloat16-float32 bfloat16-bfloat16-bfloat16+kahan
    bfloat16-bfloat16-bfloat16+stochastic
""".split()


def kernels(rule, mix):
    storage = parse_storage(mix)
    plain = run_passes(lower(RULES[rule], storage.arithmetic))
    return plain, store_as(plain, storage)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("rule", RULES)
def test_what_is_left_is_the_kernel_before(rule, mix):
    try:
        plain, mixed = kernels(rule, mix)
    except UsageError:
        pytest.skip("no such mix for this rule")
    found = without_storage(mixed)
    assert found.stages == plain.stages
    assert found.buffers == plain.buffers
    assert found.arguments == plain.arguments
    assert found.host == plain.host


def test_a_kernel_without_a_mix_stays():
    plain, _ = kernels("adamw", MIXES[0])
    assert without_storage(plain) is plain


def changed(kernel, change):
    (stage,) = kernel.stages
    return replace(kernel, stages=(replace(stage, body=tuple(map(change, stage.body))),))


def test_a_compensation_of_something_else_is_none():
    _, mixed = kernels("sgd", "bfloat16-bfloat16-bfloat16+kahan")

    def spoilt(assign):
        if assign.target != COMPENSATION:
            return assign
        return replace(assign, value=Operation("add", (Ref("param"), Ref("param"))))

    with pytest.raises(InternalError, match="not what rounding takes off"):
        without_storage(changed(mixed, spoilt))


def test_a_wrong_kernel_of_a_mix_is_refuted():
    _, mixed = kernels("sgd", "bfloat16-bfloat16-bfloat16+kahan")

    def spoilt(assign):
        if assign.formula != "what rounding takes off now" and assign.target == "full_param":
            value = assign.value
            if isinstance(value, Operation) and value.name == "sub":
                return Assign(assign.target, Operation("add", value.operands), assign.formula)
        return assign

    assert prove_lowering(RULES["sgd"], without_storage(mixed)).outcome == "equal"
    found = prove_lowering(RULES["sgd"], without_storage(changed(mixed, spoilt)))
    assert found.outcome == "different"
