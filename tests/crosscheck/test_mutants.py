"""Deliberately broken kernels: each must make a check of the build fail, and the clean one none.

The checks are the build's own: the compiled PTX against the NumPy kernel, with
bounds, alignment and races (`_cuda_row`), and the NumPy kernel against the IR and
the oracle (`_numpy_row`). The broken texts stand in `tests/mutants/`.
"""

from __future__ import annotations

import functools
import runpy
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from optgen import passes
from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building import rule_build
from optgen.crosscheck.numpy_run import load_module
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import DType, Literal, Operation
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime import nvrtc as nvrtc_module
from optgen.runtime.nvrtc import find_nvrtc
from optgen.spec import Let, Set
from optgen.symbols import (
    beta1,
    beta2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    param,
    sqrt,
    symbol,
    weight_decay,
)

TESTS = Path(__file__).parents[1]
CUDA = runpy.run_path(str(TESTS / "mutants" / "cuda.py"))["MUTANTS"]
NUMPY = runpy.run_path(str(TESTS / "mutants" / "numpy_text.py"))["MUTANTS"]
RULES = load_catalogue()


@functools.cache
def clean(rule, dtype):
    """Return the kernel, the NumPy module's text and the CUDA text of a rule, for one type."""
    spec = RULES[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    heading = Heading.of(spec)
    text = BACKENDS["numpy"].render(heading, [kernel])[0].text
    return kernel, text, BACKENDS["cuda"].render(heading, [kernel])[0].text


def mutated(text, *changes):
    """Return a text with pieces replaced, each at its first place or where `count` says."""
    for old, new in changes:
        assert old in text, f"the kernel has no line with {old!r} any more"
        text = text.replace(old, new, 1)
    return text


def cuda_failures(rule, dtype, text, arch="sm_90"):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    kernel, module_text, _ = clean(rule, dtype)
    compiled = nvrtc.compile(text, "mutant.cu", arch)
    item = rule_build._Compiled(arch, compiled, parse(compiled.ptx))
    module = load_module(kernel.name, module_text)
    return rule_build._cuda_row(RULES[rule], kernel, module, (item,), "").failures


def numpy_failures(spec, kernel, text):
    return rule_build._numpy_row(spec, kernel, load_module("mutant", text)).failures


@pytest.mark.parametrize(("rule", "dtype"), sorted({(m.rule, m.dtype) for m in CUDA.values()}))
def test_clean_kernels_pass(rule, dtype):
    kernel, module_text, text = clean(rule, dtype)
    assert cuda_failures(rule, dtype, text) == ()
    assert numpy_failures(RULES[rule], kernel, module_text) == ()


@pytest.mark.parametrize("name", CUDA)
def test_cuda_mutant_is_caught(name):
    mutant = CUDA[name]
    text = mutated(clean(mutant.rule, mutant.dtype)[2], *mutant.changes)
    failures = cuda_failures(mutant.rule, mutant.dtype, text)
    assert any(mutant.says in failure for failure in failures), failures


def test_at_least_thirteen_mutants_of_cuda():
    assert len(CUDA) >= 13


def test_flushed_subnormals_are_caught(monkeypatch):
    options = (*nvrtc_module.OPTIONS, "--use_fast_math")
    monkeypatch.setattr(nvrtc_module, "OPTIONS", options)
    text = clean("momentum", "float32")[2]
    assert any("ftz" in failure for failure in cuda_failures("momentum", "float32", text))


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_mutant_is_caught(name):
    mutant = NUMPY[name]
    kernel, text, _ = clean(mutant.rule, mutant.dtype)
    failures = numpy_failures(RULES[mutant.rule], kernel, mutated(text, *mutant.changes))
    assert any(mutant.says in failure for failure in failures), failures


def test_a_nan_is_not_hidden_by_the_values_after_it():
    """The accuracy check alone: the kernel agrees with itself, so nothing else can see it."""
    kernel, text, _ = clean("sgd", "float64")
    text = mutated(text, ("    _each(part,", "    param[3:4] = np.nan\n    _each(part,"))
    accuracy = rule_build.measure(load_module("mutant", text), kernel, RULES["sgd"])
    assert accuracy.worst == np.inf
    assert accuracy.where == "param[3] at step 1"


# --- passes -------------------------------------------------------------------------


def map_operations(kernel, change):
    """Return a kernel with `change` applied to every operation of its stages, inside out."""

    def walk(expression):
        if not isinstance(expression, Operation):
            return expression
        operands = tuple(walk(o) for o in expression.operands)
        return change(Operation(expression.name, operands))

    stages = tuple(
        replace(stage, body=tuple(replace(a, value=walk(a.value)) for a in stage.body))
        for stage in kernel.stages
    )
    return replace(kernel, stages=stages)


def hoist_reordered(kernel):
    """Subtract the other way round."""
    swap = lambda o: Operation(o.name, o.operands[::-1]) if o.name == "sub" else o  # noqa: E731
    return map_operations(kernel, swap)


def drop_roots(kernel):
    return map_operations(kernel, lambda o: o.operands[0] if o.name == "sqrt" else o)


def divide_by_reciprocal(kernel):
    one = Literal(1)

    def change(o):
        if o.name != "div":
            return o
        return Operation("mul", (o.operands[0], Operation("div", (one, o.operands[1]))))

    return map_operations(kernel, change)


def lose_the_last_line(kernel):
    stage = kernel.stages[-1]
    body = (*stage.body[:-1], replace(stage.body[-1], value=stage.body[-1].value.operands[0]))
    return replace(kernel, stages=(*kernel.stages[:-1], replace(stage, body=body)))


@pytest.mark.parametrize(
    "broken", [hoist_reordered, drop_roots, lose_the_last_line], ids=lambda f: f.__name__
)
def test_a_pass_that_changes_the_value_is_caught(broken, monkeypatch):
    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, broken))
    spec = RULES["adamw"]
    kernel = passes.run_passes(lower(spec, DType.FLOAT64))
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    assert numpy_failures(spec, kernel, text)


def test_a_pass_that_changes_only_roundings_needs_the_tests_of_passes():
    """Over the reals nothing is wrong, so the build passes: tests/passes compares the bits."""
    spec = RULES["adamw"]
    kernel = divide_by_reciprocal(run_passes(lower(spec, DType.FLOAT64)))
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    assert numpy_failures(spec, kernel, text) == ()


# --- rules --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    """The references written by hand, and how far rounding may take a kernel from them."""
    folder = TESTS / "reference"
    spec = spec_from_file_location(
        "hand_written", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["hand_written"] = module_from_spec(spec)
    from hand_written import rounding, scenario, table  # type: ignore[import-not-found]

    yield table.REFERENCES, scenario.scenario, rounding.trajectory
    for name in [n for n in sys.modules if n.partition(".")[0] == "hand_written"]:
        del sys.modules[name]


def follows_reference(spec, rule, reference):
    """Return whether the kernel of a rule stays within the bound of the reference of `rule`."""
    references, scenario, trajectory = reference
    kernel = run_passes(lower(spec, DType.FLOAT64))
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    module = load_module(spec.identifier, text)
    start, grads = scenario((7, 13))
    path = trajectory(references[rule], start, grads)
    value = start.copy()
    state = module.init(value)
    for t, gradient in enumerate(grads, 1):
        module.step(value, gradient, state, **references[rule].hyperparameters)
        allowed = path.bound(t, "param", np.float64)
        if not np.all(np.abs(value - path.values[t - 1]["param"]) <= allowed):
            return False
    return True


def change_rule(spec, **lines):
    """Return a rule with some right-hand sides replaced, by name; None drops a line."""
    rule = [
        replace(a, value=lines[a.name]) if a.name in lines and isinstance(a, Let | Set) else a
        for a in spec.rule
    ]
    return replace(spec, name="mutant", full_name="mutant", rule=tuple(rule))


exp_avg_hat, exp_avg_sq_hat = symbol("exp_avg_hat"), symbol("exp_avg_sq_hat")
ADAM_MUTANTS = {
    "eps_inside_the_root": {"denom": sqrt(exp_avg_sq_hat + eps)},
    "correction_counts_no_steps": {"bias_correction1": 1 - beta1},
    "betas_swapped": {"exp_avg": beta2 * exp_avg + (1 - beta2) * grad},
    "gradient_not_squared": {"exp_avg_sq": beta2 * exp_avg_sq + (1 - beta2) * grad},
    "ascent": {"param": param + lr * exp_avg_hat / denom},
    "undamped": {"exp_avg": beta1 * exp_avg + grad},
    "root_dropped": {"denom": exp_avg_sq_hat + eps},
}


def test_clean_rules_follow_their_references(reference):
    assert follows_reference(RULES["adam"], "adam", reference)
    assert follows_reference(RULES["adamw"], "adamw", reference)
    assert follows_reference(RULES["amsgrad"], "amsgrad", reference)


@pytest.mark.parametrize("name", ADAM_MUTANTS)
def test_mutant_of_a_rule_is_caught_by_the_reference(name, reference):
    spec, lines = RULES["adam"], ADAM_MUTANTS[name]
    assert not follows_reference(change_rule(spec, **lines), "adam", reference)


def test_decay_in_the_wrong_place_is_caught_by_the_reference(reference):
    spec = RULES["adamw"]
    first, *others = spec.rule
    assert first.name == "param"
    late = replace(spec, name="mutant", full_name="mutant", rule=(*others, first))
    assert not follows_reference(late, "adamw", reference)
    without_lr = Set(param, param - weight_decay * param)
    bare = replace(spec, name="mutant", full_name="mutant", rule=(without_lr, *others))
    assert not follows_reference(bare, "adamw", reference)
