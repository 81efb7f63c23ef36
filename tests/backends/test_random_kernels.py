"""Random kernels, as no rule would have them: every backend must give the interpreter's bits."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading
from optgen.crosscheck.c_run import Tensor, run_c
from optgen.crosscheck.cuda_run import run_ptx
from optgen.crosscheck.inputs import Case, first_difference
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages, run_sums
from optgen.crosscheck.numpy_run import load_module, run_module
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import (
    Argument,
    Assign,
    Buffer,
    DType,
    Elementwise,
    Kernel,
    Literal,
    Operation,
    Reduction,
    Ref,
    Scalars,
)
from optgen.passes import run_passes
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.runtime.nvrtc import find_nvrtc

HEADING = Heading("random", "random", "A random kernel.", ("param <- any",), (), "0" * 16, ())
ARGUMENTS = tuple(
    Argument(name, Fraction(default), "(-oo, oo)", f"-np.inf < {name} < np.inf", "any")
    for name, default in (("lr", "0.1"), ("beta", "0.7"))
)
UNARY = ("sqrt", "neg", "abs", "sign")
BINARY = ("add", "sub", "mul", "div", "max", "min")
COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")
CONSTANTS = [Fraction(x) for x in (0, 1, 2, "1/3", "0.1", "-3/2", 5)]


class Builder:
    """Makes kernels of one to three element-wise passes over six buffers."""

    def __init__(self, seed, dtype):
        self.random, self.dtype = random.Random(seed), dtype

    def leaf(self, names):
        if self.random.random() < 0.15:
            return Literal(self.random.choice(CONSTANTS))
        return Ref(self.random.choice(names))

    def mask(self, names, depth):
        kind = self.random.random()
        if depth > 0 and kind < 0.3:
            both = (self.mask(names, depth - 1), self.mask(names, depth - 1))
            return Operation(self.random.choice(("and", "or")), both)
        if depth > 0 and kind < 0.4:
            return Operation("not", (self.mask(names, depth - 1),))
        both = (self.value(names, depth - 1), self.value(names, depth - 1))
        return Operation(self.random.choice(COMPARE), both)

    def value(self, names, depth):
        if depth <= 0:
            return self.leaf(names)
        kind = self.random.random()
        if kind < 0.2:
            return Operation(self.random.choice(UNARY), (self.value(names, depth - 1),))
        if kind < 0.35:
            branches = (self.value(names, depth - 1), self.value(names, depth - 1))
            return Operation("select", (self.mask(names, depth - 1), *branches))
        if kind < 0.4:
            exponent = Literal(Fraction(self.random.randint(2, 9)))
            return Operation("power", (self.value(names, depth - 1), exponent))
        name = self.random.choice(BINARY)
        # Python refuses to divide a constant by a constant 0; sympy has folded both in a rule.
        right = Ref(self.random.choice(names)) if name == "div" else self.value(names, depth - 1)
        return Operation(name, (self.value(names, depth - 1), right))

    def stage(self, names, states, known, reduce, number):
        body, local = [], [*names, *known]
        for index in range(self.random.randint(1, 4)):
            target = self.random.choice(states) if self.random.random() < 0.4 else ""
            target = target or f"let{number}{index}"
            body.append(Assign(target, self.value(local, self.random.randint(1, 4)), "a line"))
            local += [target]
        # Without an element-wise leaf a sum would be one of host values: none is lowered so.
        body.append(Assign(states[0], Operation("sub", (Ref(states[0]), self.value(local, 2)))))
        sums = ()
        if reduce:
            terms = [Operation("mul", (Ref(n), Ref(n))) for n in self.random.sample(names, 2)]
            sums = tuple(Reduction(f"sum{number}{i}", term) for i, term in enumerate(terms))
        stores = tuple(n for n in names if n in {a.target for a in body})
        return Elementwise(tuple(names), tuple(body), stores, sums)

    def kernel(self, passes):
        states = ["param", "one", "two", "three"]
        buffers = [Buffer("param", "param", self.dtype), Buffer("grad", "grad", self.dtype)]
        buffers += [Buffer(name, "state", self.dtype) for name in states[1:]]
        names = [b.name for b in buffers]
        lr, beta, scale, step = (Ref(name) for name in ("lr", "beta", "scale", "step"))
        host = [
            Assign("scale", Operation("sub", (beta, Operation("ipow", (lr, step))))),
            Assign("shift", Operation("max", (lr, Operation("mul", (scale, scale))))),
        ]
        known, stages = ["lr", "beta", "scale", "shift"], []
        for number in range(passes):
            last = number == passes - 1
            stage = self.stage(names, states, known, not last, number)
            stages.append(stage)
            if not last:
                sums = [r.target for r in stage.reductions]
                body = tuple(
                    Assign(f"whole{number}{i}", self.value([*sums, *known], 2)) for i in range(2)
                )
                stages.append(Scalars(body, tuple(a.target for a in body)))
                known += [a.target for a in body]
        return run_passes(
            Kernel("random", self.dtype, tuple(buffers), ARGUMENTS, (), tuple(host), tuple(stages))
        )


def arrays(kernel, n, seed):
    rng = np.random.default_rng(seed)
    values = {}
    for buffer in kernel.buffers:
        array = rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4, n)
        array[rng.random(n) < 0.2] = 0
        array[rng.random(n) < 0.05] = -0.0
        array[rng.random(n) < 0.03] = np.nan
        array[rng.random(n) < 0.03] = np.inf
        values[buffer.name] = array.astype(buffer.dtype.value)
    return values


CHOSEN = {"lr": 0.3, "beta": 0.8}


def tried(few, many):
    """Return parameters: some seeds in every run, the rest in a campaign."""
    campaign = pytest.param(range(few, many), marks=pytest.mark.slow, id="campaign")
    return pytest.mark.parametrize("seeds", [pytest.param(range(few), id="few"), campaign])


@tried(40, 1000)
@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_numpy_gives_the_bits_of_the_interpreter(passes, dtype, seeds):
    for seed in seeds:
        kernel = Builder(f"{seed} {passes}", dtype).kernel(passes)
        case = Case(700, step=3)
        given = arrays(kernel, case.n, seed)
        host = host_values(kernel, CHOSEN, case.step, {}, case.n)
        expected = run_stages(kernel, given, kernel_scalars(kernel, host))
        module = load_module("random", BACKENDS["numpy"].render(HEADING, [kernel])[0].text)
        found, _ = run_module(module, kernel, given, CHOSEN, {}, case)
        assert first_difference(expected, found) == "", f"seed {seed}: {kernel}"


@tried(2, 60)
@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_cuda_gives_the_bits_of_the_interpreter(passes, dtype, seeds):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    for seed in seeds:
        kernel = Builder(f"{seed} {passes}", dtype).kernel(passes)
        text = BACKENDS["cuda"].render(HEADING, [kernel])[0].text
        module = parse(nvrtc.compile(text, "random.cu", "sm_90").ptx)
        for case in (Case(700, step=3), Case(20001, step=2, grid=2)):
            given = arrays(kernel, case.n, seed)
            host = host_values(kernel, CHOSEN, case.step, {}, case.n)
            scalars = kernel_scalars(kernel, host)
            run = run_ptx(module, kernel, abi(kernel), given, scalars, case)
            expected = run_stages(kernel, given, scalars)
            assert first_difference(expected, run.arrays) == "", f"seed {seed}: {kernel}"
            sums = run_sums(kernel, given, scalars)
            assert first_difference(sums, run.sums) == "", f"seed {seed}: {kernel}"


@tried(3, 60)
@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_c_gives_the_bits_of_the_interpreter(passes, dtype, seeds, tmp_path):
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    for seed in seeds:
        kernel = Builder(f"{seed} {passes}", dtype).kernel(passes)
        file, _ = BACKENDS["c"].render(HEADING, [kernel])
        library = CLibrary(compiled_library(compiler, file.text, "random.c", tmp_path), "random")
        tensors, expected = [], []
        for case in (Case(700, step=3), Case(50001, step=2), Case(0), Case(1030, misaligned=True)):
            given = arrays(kernel, case.n, seed)
            host = host_values(kernel, CHOSEN, case.step, {}, case.n)
            scalars = kernel_scalars(kernel, host)
            tensors.append(Tensor(case, given, scalars))
            sums = run_sums(kernel, given, scalars) if case.n else {}
            expected.append((run_stages(kernel, given, scalars), sums))
        for threads in (1, 2):
            runs = run_c(library, kernel, tensors, threads)
            for (wanted, sums), run in zip(expected, runs, strict=True):
                assert first_difference(wanted, run.arrays) == "", f"seed {seed}: {kernel}"
                assert first_difference(sums, run.sums) == "", f"seed {seed}: {kernel}"
                assert run.beyond == ""
