"""What the reader says a kernel computes is what the bit-exact executor computes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from optgen.crosscheck.ptx import Memory, launch, parse
from optgen.loader import load_catalogue
from optgen.translation.ptx_bind import read_binds
from optgen.translation.ptx_reading import read_ptx
from optgen.translation.terms import Terms

DATA = Path(__file__).parents[1] / "data" / "ptx"
RULES = load_catalogue()
SPECIAL = (0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e-40, 3e38)

# file, rule, binds, type, arguments behind the arrays, threads
CASES = [
    ("sgd_rest", "sgd", "param=0,grad=1,lr=2,n=3", np.float32, [np.float32(0.1)], 32),
    (
        "momentum_functor",
        "momentum",
        "param=0,grad=1,momentum_buffer=2,3.0=lr,3.4=momentum,n=4",
        np.float32,
        [np.array([0.1, 0.9], np.float32).tobytes()],
        32,
    ),
    (
        "lion_triton",
        "lion",
        "param=0,grad=1,exp_avg=2,lr=3,beta1=4,beta2=5,weight_decay=6,n=7",
        np.float32,
        [np.float32(v) for v in (0.1, 0.9, 0.99, 0.3)],
        128,
    ),
]


def evaluate(term, env, known):
    """Evaluate a term on arrays, each operation rounded as NumPy rounds it."""
    if id(term) in known:
        return known[id(term)]
    dtype = bool if term.type == "mask" else np.dtype(term.type)
    operands = [evaluate(o, env, known) for o in term.operands]
    match term.operation:
        case "element" | "scalar":
            found = env[term.payload]
        case "constant":
            found = np.array(float(term.payload), dtype)
        case "select":
            found = np.where(*operands)
        case "fma":
            a, b, c = (np.asarray(o, np.longdouble) for o in operands)
            found = (a * b + c).astype(dtype)
        case name:
            function = {"sub": "subtract", "mul": "multiply", "div": "divide"}.get(name, name)
            function = {"lt": "less", "eq": "equal", "neg": "negative"}.get(function, function)
            found = getattr(np, function)(*operands)
    assert np.asarray(found).dtype == dtype
    known[id(term)] = found
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("n", [1, 5, 130])
def test_values_agree(case, n):
    file, rule, binds, dtype, arguments, threads = case
    text = (DATA / f"{file}.ptx").read_text()
    entry = parse(text).entries[file]
    binding = read_binds(binds, entry, RULES[rule])
    reading = read_ptx(text, file, binding.signature, Terms())
    rng = np.random.default_rng(n)
    names = [array.name for _, array in sorted(binding.signature.arrays.items())]
    arrays = {}
    for name in names:
        arrays[name] = rng.standard_normal(n).astype(dtype)
        arrays[name][rng.random(n) < 0.3] = dtype(rng.choice(SPECIAL))
    memory = Memory()
    held = [memory.alloc(arrays[name], name) for name in names]
    extra = [None] * max(0, len(entry.parameters) - len(names) - len(arguments) - 1)
    given = [*held, *arguments, n]
    if extra:  # Triton's two pointers to scratch memory, which are not read
        given += [memory.alloc(np.zeros(1, dtype), f"scratch{i}") for i in range(len(extra))]
    launch(entry, grid=8, block=threads, args=given, memory=memory)

    env = dict(arrays)
    values = np.frombuffer(b"".join(bytes(a) for a in arguments), dtype)
    scalars = [s.name for _, s in sorted(binding.signature.scalars.items())]
    env |= dict(zip(scalars, values, strict=True))
    for path in reading.paths:
        with np.errstate(all="ignore"):
            wanted = {name: evaluate(t, env, {}) for name, t in path.outputs.items()}
        for name, buffer in zip(names, held, strict=True):
            np.testing.assert_array_equal(buffer.read(), wanted.get(name, arrays[name]))
            found = np.nan_to_num(np.asarray(buffer.read()), nan=1.0)
            other = np.nan_to_num(np.asarray(wanted.get(name, arrays[name])), nan=1.0)
            assert found.tobytes() == other.tobytes()
