"""NumPy: a module per rule that needs NumPy alone, in place, in blocks that fit the cache."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optgen.backends.base import Heading, SourceFile
from optgen.backends.layout import WIDTH, call, comment
from optgen.backends.numpy_storing import (
    converted_arrays,
    load_lines,
    random_argument,
    store_lines,
    stored_apart,
)
from optgen.backends.scalars import ScalarPrinter
from optgen.backends.ufuncs import Printed, StagePrinter
from optgen.ir import (
    CHUNK,
    Argument,
    DType,
    Elementwise,
    Kernel,
    Scalars,
    reads,
)
from optgen.render import render

BLOCK = 4 * CHUNK
"""Elements per block at most in one thread: measured, a second level cache holds 2 MB."""

WIDE = 32 * CHUNK
"""Elements per block at most in several threads; each thread more doubles the block of one. Every
call to NumPy lets go of Python's lock and takes it again, which costs 5 to 25 us where others want
it, for all of them: as much as 30000 additions and more. Measured with one to four threads."""

SHARE = 8 * CHUNK
"""Elements per thread at least: waking a thread costs as much as it would save on fewer."""


@dataclass(frozen=True, slots=True)
class _Block:
    """One element-wise stage as a function of its own."""

    signature: tuple[str, ...]
    doc: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Update:
    """What templates/numpy/update.py.jinja and workspace.py.jinja read: ready strings."""

    names: str
    states: tuple[str, ...]
    scalar_states: tuple[str, ...]
    sized: tuple[str, ...]
    host_signature: tuple[str, ...]
    host: tuple[str, ...]
    returned: tuple[str, ...]
    host_call: tuple[str, ...]
    scalars: tuple[str, ...]
    run: tuple[str, ...]
    blocks: tuple[_Block, ...]
    rows: int
    masks: int
    padded: str
    kind: str
    computes: str
    numbered: str


@dataclass(frozen=True, slots=True)
class _Module:
    """What templates/numpy/module.py.jinja reads: ready strings."""

    heading: Heading
    docs: tuple[str, ...]
    states_literal: str
    scalar_states_literal: str
    hyperparameters_literal: str
    chunk: int
    init: str
    arrays: tuple[str, ...]
    signature: tuple[str, ...]
    numbers: tuple[str, ...]
    inside: tuple[str, ...]
    hyperparameters_tuple: str
    parts: str


@dataclass(frozen=True, slots=True)
class _Blocks:
    """What templates/numpy/blocks.py.jinja reads: numbers of elements."""

    block: int = BLOCK
    wide: int = WIDE
    share: int = SHARE


@dataclass(frozen=True, slots=True)
class _Types:
    """What templates/numpy/init.py.jinja, mixed.py.jinja and small.py.jinja read."""

    types: str
    arithmetic: str
    computes_single: str
    new_state: str


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The context of a template that has no holes."""


@dataclass(frozen=True, slots=True)
class NumpyBackend:
    """Prints one module that takes float32 and float64 arrays alike."""

    name: str = "numpy"
    dtypes: frozenset[DType] = frozenset(DType)

    def render(self, heading: Heading, kernels: Iterable[Kernel]) -> tuple[SourceFile, ...]:
        """Return the module; all kernels of a rule differ in their type only."""
        kernel = next(iter(kernels))
        text = render("numpy/module.py.jinja", _module(heading, kernel))
        return (SourceFile(f"numpy/{heading.identifier}.py", text),)


def _module(heading: Heading, kernel: Kernel) -> _Module:
    update = _update(kernel)
    parts = [render(f"numpy/{'run_random' if kernel.random else 'run'}.py.jinja", _Nothing())]
    parts += [render(f"numpy/{part}.py.jinja", update) for part in ("update", "workspace")]
    parts.append(render("numpy/blocks.py.jinja", _Blocks()))
    arrays = "mixed" if kernel.mixed else "arrays"
    helpers = [f"numpy/{part}.py.jinja" for part in ("threads", "checks", arrays, "keywords")]
    if _small(kernel):
        helpers.append("numpy/small.py.jinja")
    if kernel.random:
        helpers.insert(0, "numpy/random.py.jinja")
    lines = "\n".join(line for block in update.blocks for line in block.lines)
    if "_bfloat16(" in lines:
        helpers.insert(0, "numpy/bfloat16.py.jinja")
    if "_sign(" in lines:
        helpers.insert(0, "numpy/sign.py.jinja")
    if kernel.reductions:
        helpers.insert(0, "numpy/sums.py.jinja")
    if any("_ipow(" in line for line in update.host):
        helpers.insert(0, "numpy/powers.py.jinja")
    parts += [render(template, _types(kernel)) for template in helpers]
    defaults = tuple(f"{a.name}={_default(a)!r}" for a in kernel.arguments)
    names = [a.name for a in kernel.arguments]
    states = [(b.name, b.copies or float(b.initial)) for b in kernel.buffers if b.role == "state"]
    scalar_states = [(s.name, s.initial) for s in kernel.scalar_states]
    docs = [line for name, doc in heading.docs for line in comment(doc, f"{name}:")]
    docs.append("")
    docs += [line for source in heading.sources for line in comment(source, "Source:")]
    return _Module(
        heading=heading,
        docs=tuple(docs),
        states_literal=repr(dict(states)).replace("'", '"'),
        scalar_states_literal=repr({n: float(v) for n, v in scalar_states}).replace("'", '"'),
        hyperparameters_literal=repr(tuple(names)).replace("'", '"'),
        chunk=CHUNK,
        init=render("numpy/init.py.jinja", _types(kernel)),
        arrays=_arrays_in_words(kernel),
        signature=call(
            "def step(",
            ("param", "grad", "state", "*", *defaults, "found_inf=False", "**unknown"),
            "):",
        ),
        inside=(*_inside(kernel), *_small(kernel)),
        numbers=call("_check_numbers(", tuple(f"{n}={n}" for n in names), indent=4),
        hyperparameters_tuple=f"({', '.join(names)}{',' if len(names) == 1 else ''})",
        parts="\n\n".join(parts),
    )


def _default(argument: Argument) -> float | bool:
    if argument.name == "seed":
        return int(argument.default)
    return bool(argument.default) if argument.flag else float(argument.default)


def _update(kernel: Kernel) -> _Update:
    arrays = frozenset(b.name for b in kernel.buffers)
    printed = {
        index: StagePrinter(stored_apart(kernel, stage), arrays).print()
        for index, stage in enumerate(kernel.stages)
        if isinstance(stage, Elementwise)
    }
    host = ScalarPrinter(repr)
    hyperparameters = tuple(a.name for a in kernel.arguments)
    return _Update(
        names=", ".join(hyperparameters),
        states=tuple(b.name for b in kernel.buffers if b.role == "state"),
        scalar_states=tuple(s.name for s in kernel.scalar_states),
        sized=_sized(kernel),
        host_signature=call("def _host(", (*_sized(kernel), "state", *hyperparameters), "):"),
        host=tuple(line for a in kernel.host for line in host.assign(a)),
        returned=call("return (", _several(kernel.scalars), ")", indent=4),
        host_call=_host_call(kernel, hyperparameters),
        scalars=tuple(f"{name} = kind({name})" for name in kernel.scalars),
        run=tuple(f"    {line}" if line else "" for line in _run(kernel)),
        blocks=tuple(_block(kernel, index, printed[index]) for index in sorted(printed)),
        rows=max(p.rows + len(converted_arrays(kernel, i)) for i, p in printed.items()),
        masks=max(p.masks for p in printed.values()),
        padded="width + -width % _CHUNK" if kernel.reductions else "0",
        kind=f"np.{kernel.arithmetic.value}" if kernel.mixed else "param.dtype.type",
        computes=kernel.arithmetic.value if kernel.mixed else "the type of `param`",
        numbered=", number" if kernel.random else "",
    )


def _sized(kernel: Kernel) -> tuple[str, ...]:
    """Return `numel` if the host program reads it or hands it on."""
    used = {name for assign in kernel.host for name in reads(assign.value)} | {*kernel.scalars}
    return ("numel",) if "numel" in used else ()


def _host_call(kernel: Kernel, hyperparameters: tuple[str, ...]) -> tuple[str, ...]:
    size = ("param.size",) if _sized(kernel) else ()
    given = f"_host({', '.join((*size, 'state', *hyperparameters))})"
    if not kernel.scalars:
        return (given,)
    names = ", ".join(_several(kernel.scalars))
    flat = f"{f'({names})' if len(kernel.scalars) == 1 else names} = {given}"
    if len(flat) + 4 <= WIDTH:
        return (flat,)
    called = call("scalars = _host(", (*size, "state", *hyperparameters), indent=4)
    return (*called, *call("(", _several(kernel.scalars), ") = scalars", indent=4))


def _several(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items of a tuple; one alone has a comma of its own."""
    return (f"{names[0]},",) if len(names) == 1 else names


def _arrays(kernel: Kernel, stage: Elementwise) -> tuple[str, ...]:
    """Return the arrays that a stage touches, in the order of the signature."""
    return tuple(b.name for b in kernel.buffers if b.name in {*stage.loads, *stage.stores})


def _scalars(kernel: Kernel, stage: Elementwise) -> tuple[str, ...]:
    """Return the scalars that a stage reads, in order of first use."""
    alone = Kernel(kernel.name, kernel.arithmetic, kernel.buffers, (), (), (), (stage,))
    return alone.scalars


def _block(kernel: Kernel, index: int, printed: Printed) -> _Block:
    stage = kernel.stages[index]
    assert isinstance(stage, Elementwise)
    text = "\n".join(printed.lines)
    converted = converted_arrays(kernel, index)
    arrays = tuple(f"{n}_stored" if n in converted else n for n in _arrays(kernel, stage))
    rows = [f"row{i}" for i in range(printed.rows) if f"row{i}" in text]
    masks = [f"mask{i}" for i in range(printed.masks) if f"mask{i}" in text]
    lines = [f"count = {arrays[0]}.size"] if rows or masks or converted else []
    lines += [f"{name} = work.rows[{name[3:]}, :count]" for name in rows]
    lines += [f"{name} = work.masks[{name[4:]}, :count]" for name in masks]
    lines += load_lines(kernel, stage, converted, printed.rows)
    lines += printed.lines
    lines += store_lines(kernel, stage)
    sums = [r.target for r in stage.reductions]
    if sums:
        lines.append(f"return {', '.join(_several(tuple(sums)))}")
    parameters = (*arrays, *_scalars(kernel, stage), *random_argument(kernel, stage), "work")
    return _Block(
        signature=call(f"def _stage{index + 1}(", parameters, "):"),
        doc="Update one block of elements" + (" and return its part of the sums" if sums else ""),
        lines=tuple(lines),
    )


def _types(kernel: Kernel) -> _Types:
    kept = {b.name: b.dtype.value for b in kernel.buffers}
    single = 'any(getattr(p, "dtype", None) == np.float32 for p in params)'
    return _Types(
        types=repr(kept).replace("'", '"'),
        arithmetic=kernel.arithmetic.value,
        computes_single="params" if kernel.mixed else single,
        new_state="_new(name, param, start)"
        if kernel.mixed
        else "np.full(param.shape, start, param.dtype)",
    )


def _inside(kernel: Kernel) -> Iterator[str]:
    """Yield the checks that every hyperparameter lies in its domain."""
    for argument in kernel.arguments:
        yield f"if not {argument.condition}:"
        yield f'    raise ValueError(f"{argument.rejection}")'


def _small(kernel: Kernel) -> tuple[str, ...]:
    """Return the check of what stages read just as it is given."""
    names = [a.name for a in kernel.arguments if a.name in kernel.scalars]
    given = ("param", *(f"{name}={name}" for name in names))
    wide = kernel.mixed and kernel.arithmetic is DType.FLOAT64
    return call("_check_small(", given, indent=4) if names and not wide else ()


def _arrays_in_words(kernel: Kernel) -> tuple[str, ...]:
    """Return what the docstring of `step` says of its arrays."""
    if not kernel.mixed:
        return (
            "param, grad: arrays of one shape, float32 or float64, contiguous; or lists of",
            "such arrays, `state` then a list too. All hyperparameters may change per call.",
        )
    kept = [f"{b.name} {b.dtype.value}" for b in kernel.buffers]
    text = (
        f"Arrays of one shape, contiguous, in their types: {', '.join(kept)}; or lists of such "
        "arrays, `state` then a list too. All hyperparameters may change per call."
    )
    return tuple(textwrap.wrap(text, 84))


def _run(kernel: Kernel) -> list[str]:
    """Return the statements that run the stages of one tensor, block by block."""
    lines: list[str] = ['steps, seed = int(state["step"]), int(seed)'] if kernel.random else []
    tensor = ScalarPrinter(lambda value: f"kind({value!r})")
    for index, stage in enumerate(kernel.stages):
        if isinstance(stage, Scalars):
            for assign in stage.body:
                lines += comment(assign.formula, "#", indent=4) if assign.formula else ()
                lines += tensor.assign(assign)
            continue
        blocks = tuple(f"{name}[block]" for name in _arrays(kernel, stage))
        random = random_argument(kernel, stage)
        arguments = (*blocks, *_scalars(kernel, stage), *random, "work")
        lines += ["", "def part(block, work):"]
        if random:
            lines.append("    first = block.start")
        called = call(f"return _stage{index + 1}(", arguments, indent=8)
        lines += [*(f"    {line}" for line in called), ""]
        sums = [r.target for r in stage.reductions]
        lines.append(f"{'partials = ' if sums else ''}_each(part, param.size, kind)")
        for place, name in enumerate(sums):
            lines.append(f"{name} = _tree_sum([block[{place}] for block in partials], kind)")
    return lines
