"""Lowering: roles, stages around reductions, the order of operations, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.rule_build import _Compiled, _cuda_row, _numpy_row
from optgen.crosscheck.numpy_run import load_module
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable, SpecError
from optgen.ir import DType, Elementwise, Literal, Operation, Ref, Scalars
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.nvrtc import find_nvrtc
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import Max, Min, grad, lr, mean, norm, param, sqrt, step, symbol

RULES = load_catalogue()
LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
REFERENCES = (Reference(title="none", url="https://example.org", year=2000),)
size, scaled, size2, moving = (symbol(n) for n in ("size", "scaled", "size_again", "moving"))


def rule(*lines, hyperparameters=(LR,), state=()):
    return OptimizerSpec(
        name="rule_of_tests",
        summary="A rule of the tests.",
        hyperparameters=hyperparameters,
        rule=lines,
        state=state,
        references=REFERENCES,
    )


def text(expression):
    """Return an expression as a call, `sub(param, mul(lr, grad))`."""
    match expression:
        case Ref(name):
            return name
        case Literal(value):
            return str(value)
        case Operation(name, operands):
            return f"{name}({', '.join(map(text, operands))})"


def only_line(*lines, **others):
    (stage,) = lower(rule(*lines, **others), DType.FLOAT32).stages
    return text(stage.body[-1].value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (param - lr * grad, "sub(param, mul(lr, grad))"),
        (param + grad / 2 * lr, "add(param, mul(mul(1/2, lr), grad))"),
        (param - lr * grad / 3, "sub(param, div(mul(lr, grad), 3))"),
        (param - lr * grad**2, "sub(param, mul(lr, power(grad, 2)))"),
        (param - lr * sqrt(abs(grad)), "sub(param, mul(lr, sqrt(abs(grad))))"),
        (param - lr * Max(Min(grad, 1), -1), "sub(param, mul(lr, max(min(grad, 1), -1)))"),
        (param - lr * sympy.sign(grad), "sub(param, mul(lr, sign(grad)))"),
        (param - lr * abs(grad), "sub(param, mul(lr, abs(grad)))"),
    ],
    ids=str,
)
def test_order_of_operations(value, wanted):
    assert only_line(Set(param, value)) == wanted


def test_steps_count_by_integer_powers_and_others_by_pow():
    kernel = lower(RULES["adam"], DType.FLOAT32)
    assert text(kernel.host[0].value) == "sub(1, ipow(beta1, step))"
    decay = rule(Let(size, step**lr), Set(param, param - size * grad))
    assert text(lower(decay, DType.FLOAT32).host[0].value) == "pow(step, lr)"


def test_loads_and_stores_are_what_the_lines_touch():
    kernel = lower(RULES["lamb"], DType.FLOAT32)
    first, scalars, last = kernel.stages
    assert isinstance(first, Elementwise)
    assert isinstance(scalars, Scalars)
    assert isinstance(last, Elementwise)
    assert first.loads == ("param", "grad", "exp_avg", "exp_avg_sq")
    assert first.stores == ("exp_avg", "exp_avg_sq")
    assert last.loads == ("param", "exp_avg", "exp_avg_sq")
    assert last.stores == ("param",)
    assert [text(r.value) for r in first.reductions] == ["mul(param, param)", "mul(update, update)"]


@pytest.mark.parametrize("name", RULES)
def test_each_type_is_lowered_to_the_same_operations(name):
    single, double = (lower(RULES[name], dtype) for dtype in DType)
    assert single.stages == double.stages
    assert single.host == double.host
    assert {b.dtype for b in single.buffers} == {DType.FLOAT32}


@pytest.mark.parametrize("name", RULES)
def test_arguments_are_the_hyperparameters(name):
    arguments = lower(RULES[name], DType.FLOAT32).arguments
    for argument, declared in zip(arguments, RULES[name].hyperparameters, strict=True):
        assert argument.name == declared.name
        assert argument.default == Fraction(declared.default)
        for value in (-1.0, 0.0, 0.5, 1.0, 2.0):
            holds = eval(argument.condition, {"np": np, argument.name: value})
            assert holds == (Fraction(value) in declared.domain)


# --- reductions in a row -----------------------------------------------------------------

CHAINS = {
    "norm_of_what_a_norm_scaled": (
        Let(size, norm(grad)),
        Let(scaled, grad / (1 + size)),
        Let(size2, norm(scaled)),
        Set(param, param - lr * scaled / (1 + size2)),
    ),
    "both_norms_in_the_last_line": (
        Let(size, norm(grad)),
        Let(scaled, grad / (1 + size)),
        Let(size2, norm(scaled)),
        Set(param, param - lr * scaled / ((1 + size) * (1 + size2))),
    ),
    "mean_and_norm": (
        Let(size, mean(grad)),
        Let(scaled, grad - size),
        Let(size2, norm(scaled)),
        Set(param, param - lr * scaled / (1 + size2)),
    ),
}


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("name", CHAINS)
def test_reductions_in_a_row_are_built_and_checked(name, dtype):
    spec = rule(*CHAINS[name])
    kernel = run_passes(lower(spec, dtype))
    assert [type(s).__name__ for s in kernel.stages] == [
        "Elementwise", "Scalars", "Elementwise", "Scalars", "Elementwise",
    ]  # fmt: skip
    heading = Heading.of(spec)
    module = load_module("chain", BACKENDS["numpy"].render(heading, [kernel])[0].text)
    assert _numpy_row(spec, kernel, module).failures == ()
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    source = BACKENDS["cuda"].render(heading, [kernel])[0].text
    compiled = nvrtc.compile(source, "chain.cu", "sm_90")
    item = _Compiled("sm_90", compiled, parse(compiled.ptx))
    assert _cuda_row(spec, kernel, module, (item,), "").failures == ()


# --- what cannot be lowered ----------------------------------------------------------------


def test_a_rule_without_hyperparameters_is_refused():
    with pytest.raises(SpecError, match="has no hyperparameter") as caught:
        lower(rule(Set(param, param - grad), hyperparameters=()), DType.FLOAT32)
    assert "declare the step size" in caught.value.fix


def test_a_value_whose_source_has_changed_cannot_be_computed_again():
    spec = rule(
        Let(scaled, grad * moving),
        Set(moving, moving / 2 + grad),
        Let(size, norm(moving)),
        Set(param, param - lr * scaled / (1 + size)),
        state=(StateBuffer(moving, doc="something"),),
    )
    with pytest.raises(SpecError, match="'scaled' is needed after a reduction, but 'moving'") as c:
        lower(spec, DType.FLOAT32)
    assert "write 'moving' after the last use of 'scaled'" in c.value.fix
