"""More elements than 32 bits can count, in one tensor; needs memory, so a campaign only."""

from pathlib import Path

import numpy as np
import pytest

import optgen

COUNT = 2**31 + 5
NEEDED = 13 << 30
"""Bytes: one float32 array that is written; a gradient of zeros takes none."""


def available():
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        pytest.skip("how much memory there is cannot be read here")
    return next(1024 * int(x.split()[1]) for x in lines if x.startswith("MemAvailable"))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["c", "numpy"])
def test_every_element_is_reached_once(target, compiler):
    if available() < NEEDED:
        pytest.skip(f"{NEEDED >> 30} GiB of memory are needed")
    kernel = optgen.load_kernel("sgd_l2", target=target)
    param, grad = np.zeros(COUNT, np.float32), np.zeros(COUNT, np.float32)
    places = [0, 16383, 2**30 - 1, 2**30, 2**31 - 1, 2**31, COUNT - 1]
    param[places] = np.arange(1, 8)
    grad[places] = np.arange(8, 1, -1)
    alone, given = param[places], grad[places]
    state, small = kernel.init(param), kernel.init(alone)
    for _ in range(2):  # checked in Python, then the short way
        kernel.step(param, grad, state, lr=0.5, weight_decay=0.25)
        kernel.step(alone, given, small, lr=0.5, weight_decay=0.25)
    assert param[places].tobytes() == alone.tobytes()
    param[places] = 0
    blocks = (param[at : at + 2**24] for at in range(0, COUNT, 2**24))
    assert not any(block.any() for block in blocks)
