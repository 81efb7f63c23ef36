"""What is rounded to two bytes and read again is rounded once, and stored as it is."""

import re

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.storage import parse_storage

RULES = load_catalogue()


def text(rule, mix, target):
    storage, spec = parse_storage(mix), RULES[rule]
    kernel = store_as(run_passes(lower(spec, storage.arithmetic)), storage)
    return BACKENDS[target].render(Heading.of(spec, storage), [kernel])[0].text


def body(found):
    """Return the lines that convert, helper functions left out."""
    lines = (line.strip() for line in found.splitlines())
    return [
        line for line in lines if re.match(r"(const )?[\w ]*[\w\]] = .*(store|load)_|\w+_v\[", line)
    ]


def test_a_compensated_parameter_is_rounded_once_in_c():
    found = body(text("sgd", "float16-float16-float32+kahan", "c"))
    assert found[-4:] == [
        "const uint16_t param_kept = store_float16(full_param);",
        "param = load_float16(param_kept);",
        "param_v[index] = param_kept;",
        "kahan_comp_v[index] = store_float16(kahan_comp);",
    ]


def test_a_compensated_parameter_is_rounded_once_in_cuda():
    found = body(text("sgd", "float16-float16-float32+kahan", "cuda"))
    assert found[-3:] == [
        "param_stored = store_float16(full_param);",
        "param = load_float16(param_stored);",
        "kahan_comp_stored = store_float16(kahan_comp);",
    ]


@pytest.mark.parametrize("target", ["c", "cuda"])
def test_states_that_are_summed_are_rounded_once(target):
    found = text("lamb", "bfloat16-bfloat16-bfloat16+stochastic", target)
    assert len(re.findall(r"= store_bfloat16_stochastic\(exp_avg, ", found)) == 1
    assert "store_bfloat16(exp_avg)" not in found


@pytest.mark.parametrize("target", ["c", "cuda"])
def test_what_nothing_reads_is_rounded_by_its_store(target):
    assert "_kept" not in text("adamw", "bfloat16-bfloat16-float32", target)
