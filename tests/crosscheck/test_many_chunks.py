"""Sums over more chunks than a block has threads: the launch that finishes them, by itself."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading
from optgen.crosscheck import inputs
from optgen.crosscheck.cuda_run import MANY_CHUNKS, finish_sums
from optgen.crosscheck.interpret import chunk_tree, host_values, kernel_scalars
from optgen.crosscheck.ptx import PtxFault, parse
from optgen.errors import BackendUnavailable
from optgen.ir import CHUNK, DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import find_nvrtc

RULES = load_catalogue()
SUMMING = [n for n, spec in RULES.items() if lower(spec, DType.FLOAT32).reductions]


@functools.cache
def kernel_of(name, dtype):
    return run_passes(lower(RULES[name], dtype))


def compiled(name, dtype, *changes):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    text = BACKENDS["cuda"].render(Heading.of(RULES[name]), [kernel_of(name, dtype)])[0].text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(compile_cached(nvrtc, text, "sums.cu", "sm_90").ptx)


def totals(name, dtype, chunks, module):
    """Return the totals that a module gives and those of the fixed tree."""
    kernel = kernel_of(name, dtype)
    rng = np.random.default_rng(chunks)
    sums = rng.standard_normal((len(kernel.reductions), chunks)) ** 2
    sums = (sums * 10.0 ** rng.integers(-3, 3, sums.shape)).astype(dtype.value)
    states = inputs.scalar_states(kernel)
    values = inputs.hyperparameters(RULES[name])
    scalars = kernel_scalars(kernel, host_values(kernel, values, 1, states, chunks * CHUNK))
    found = finish_sums(module, kernel, abi(kernel), sums, scalars)
    return found, np.array([chunk_tree(row) for row in sums])


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("name", SUMMING)
def test_any_number_of_chunks(name, dtype):
    module = compiled(name, dtype)
    for chunks in MANY_CHUNKS:
        found, wanted = totals(name, dtype, chunks, module)
        assert found.tobytes() == wanted.tobytes(), f"{chunks} chunks"


@pytest.mark.parametrize(
    "change",
    [
        ("at < chunks; at += 256", "at < chunks; at -= 256"),
        ("at < chunks; at += 256", "at < chunks; at += chunks"),
        ("half > 0; half /= 2", "half > 1; half /= 2"),
        ("while (width < chunks) width *= 2;", "width = chunks;"),
    ],
)
def test_a_wrong_loop_shows_beyond_one_block(change):
    module = compiled("lamb", DType.FLOAT32, change)

    def right(chunks):
        try:
            found, wanted = totals("lamb", DType.FLOAT32, chunks, module)
        except PtxFault:
            return False
        return found.tobytes() == wanted.tobytes()

    assert not all(right(chunks) for chunks in MANY_CHUNKS)
