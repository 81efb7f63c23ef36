"""The inputs of the checks: mixed, special where asked, the same every time, inside domains."""

from __future__ import annotations

import numpy as np
import pytest

from optgen.crosscheck import inputs
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

RULES = load_catalogue()


@pytest.mark.parametrize("name", RULES)
def test_hyperparameters_lie_in_their_domains_and_show_every_term(name):
    spec = RULES[name]
    chosen = inputs.hyperparameters(spec)
    own = [h.name for h in spec.hyperparameters]
    assert [*chosen] == [*own, "grad_scale", "clip_coef", "maximize"]
    for hyperparameter in spec.hyperparameters:
        assert chosen[hyperparameter.name] in spec.domains[hyperparameter.symbol]
        assert chosen[hyperparameter.name] != 0
    assert len(set(chosen.values())) >= len(chosen) - 1


@pytest.mark.parametrize("name", RULES)
def test_arrays_are_mixed_repeatable_and_inside_the_domains(name):
    spec = RULES[name]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    case = inputs.Case(1000, step=3)
    first, second = (inputs.arrays(kernel, spec, case) for _ in range(2))
    domains = {b.name: b.domain for b in spec.state}
    for buffer in kernel.buffers:
        array = first[buffer.name]
        assert array.dtype == np.float32
        assert array.tobytes() == second[buffer.name].tobytes()
        assert np.any(array == 0)
        sizes = np.abs(array[array != 0])
        assert sizes.max() / sizes.min() > 1e5
        if getattr(domains.get(buffer.name), "nonnegative", False):
            assert array.min() >= 0
    other = inputs.arrays(kernel, spec, case, seed=1)["grad"]
    assert not np.array_equal(other, first["grad"])


def test_special_values_are_all_there():
    kernel = run_passes(lower(RULES["adamw"], DType.FLOAT32))
    grad = inputs.arrays(kernel, RULES["adamw"], inputs.Case(1000, special=True))["grad"]
    tiny = np.finfo(np.float32).tiny
    assert np.isnan(grad).any()
    assert np.isposinf(grad).any()
    assert np.isneginf(grad).any()
    assert np.any((grad == 0) & np.signbit(grad))
    assert np.any((grad != 0) & (np.abs(grad) < tiny))
    assert np.any(np.abs(grad) == np.finfo(np.float32).max)


def test_cases_cover_edges():
    kernel = run_passes(lower(RULES["lamb"], DType.FLOAT32))
    cases = inputs.cases(kernel)
    assert {0, 1, 3} <= {c.n for c in cases}
    assert {1, 2, 3} <= {c.grid for c in cases}
    assert any(c.misaligned and c.special for c in cases)
    assert {c.alone for c in cases} >= {None, *range(len(kernel.buffers))}
    several = [c for c in cases if c.n > 2 * 16384]
    assert any(c.grid > 1 for c in several)
    assert any(c.grid == 1 for c in several)
    assert len({str(c) for c in cases}) == len(cases)


def test_bits_are_compared_with_one_nan():
    nans = np.array([0x7FC00000, 0xFFC00001], np.uint32).view(np.float32)
    assert inputs.same_bits(nans, nans[::-1]).all()
    zeros = np.array([0.0, -0.0])
    assert not inputs.same_bits(zeros, -zeros).any()
    assert inputs.first_difference({"param": zeros}, {"param": zeros.copy()}) == ""
    words = inputs.first_difference({"param": zeros}, {"param": np.array([0.0, 0.0])})
    assert words.startswith("param[1] is np.float64(0.0) instead of np.float64(-0.0)")
    assert words.endswith("(1 of 2 elements differ)")
