"""C: one self-contained file per rule; loops that compilers vectorise, OpenMP where there is some.

Many tensors go down in one call. Their chunks of `ir.CHUNK` elements, numbered through, are
cut into one contiguous part per thread; a sum is finished per tensor, in the tree of the IR.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from optgen.backends.abi import abi, reads_tensor_scalars, stage_buffers
from optgen.backends.base import Heading, SourceFile
from optgen.backends.c_header import c_header, call_structs, kept_in_words
from optgen.backends.c_host import helper_functions, host_function
from optgen.backends.conversions import conversions
from optgen.backends.expressions import C_TYPES, CPrinter, literal
from optgen.backends.layout import comment
from optgen.backends.statements import statements
from optgen.backends.storing import (
    HALF_TYPES,
    kept_type,
    loaded,
    random_fills,
    random_lines,
    stored,
    storing,
)
from optgen.ir import (
    CHUNK,
    LANES,
    Assign,
    DType,
    Elementwise,
    Kernel,
    Scalars,
)
from optgen.render import render

SMALLEST_PART = 2 * CHUNK
"""Elements below which a further thread costs more than it saves."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the templates of a stage read: ready strings."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[str, ...]
    type: str
    zero: str
    lanes: int
    chunk_size: int
    slots: int
    first_sum: int
    end_sum: int
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Walk:
    """What the templates of a walk over tensors read."""

    name: str
    call: str
    invocation: tuple[str, ...]
    counting: tuple[str, ...]
    counted: tuple[str, ...]
    chunk_size: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """What templates/c/entry.c.jinja reads."""

    entry: str
    struct: str
    call: str
    type: str
    chunk_size: int
    slots: int
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Threads:
    """What templates/c/threads.c.jinja reads."""

    smallest: int


@dataclass(frozen=True, slots=True)
class _Scratch:
    """What templates/c/scratch.c.jinja reads."""

    name: str
    sums: int
    exports: int
    chunk_size: int


@dataclass(frozen=True, slots=True)
class _File:
    """What templates/c/file.c.jinja reads."""

    heading: Heading
    comments: tuple[str, ...]
    calls: tuple[str, ...]
    buffers: str
    includes: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CBackend:
    """Prints a `.c` and a `.h` per rule, each type in turn."""

    name: str = "c"
    dtypes: frozenset[DType] = frozenset(DType)

    def render(self, heading: Heading, kernels: Iterable[Kernel]) -> tuple[SourceFile, ...]:
        """Return the files of one rule."""
        kernels = tuple(kernels)
        comments = [*(line for rule in heading.rule for line in comment(rule, "    ")), ""]
        comments += [line for name, doc in heading.docs for line in comment(doc, f"{name}:")]
        comments.append("")
        comments += [line for source in heading.sources for line in comment(source, "Source:")]
        parts = [render("c/threads.c.jinja", _Threads(SMALLEST_PART))]
        parts += helper_functions(kernels)
        parts += conversions(kernels[0], "c")
        for kernel in kernels:
            parts += _kernel(kernel)
        first = kernels[0]
        sums, exports = len(first.reductions), len(first.tensor_scalars)
        scratch = _Scratch(heading.identifier, sums, exports, CHUNK)
        parts.append(render("c/scratch.c.jinja", scratch))
        file = _File(
            heading=heading,
            comments=tuple(comments),
            calls=tuple(f"{_base(k)}(tensors, n, pointers, args, work, threads)" for k in kernels),
            buffers=", ".join(kept_in_words(first, b.name) for b in first.buffers),
            includes=("#include <string.h>",) if conversions(first, "c") else (),
            parts=tuple(parts),
        )
        text = render("c/file.c.jinja", file)
        header = c_header(heading, kernels, [_base(k) for k in kernels])
        return (SourceFile(f"c/{heading.identifier}.c", text), header)


def _base(kernel: Kernel) -> str:
    return f"optgen_{kernel.name}_{kernel.arithmetic.value}"


def _kernel(kernel: Kernel) -> list[str]:
    """Return the functions of one type, in order."""
    parts = [
        call_structs(kernel, _base(kernel)),
        host_function(kernel, _base(kernel), abi(kernel).struct),
    ]
    runs = []
    for index, stage in enumerate(kernel.stages):
        name = _stage_name(kernel, index)
        parts.append(_stage(kernel, index))
        per_tensor = isinstance(stage, Scalars)
        sums = isinstance(stage, Elementwise) and stage.reductions
        walk = _Walk(
            name=name,
            call=f"{_base(kernel)}_call",
            invocation=_invocation(kernel, index),
            counting=("uint64_t chunk = 0; /* and of its first chunk */",) if sums else (),
            counted=(f"chunk += (count + {CHUNK - 1}) / {CHUNK};",) if sums else (),
            chunk_size=CHUNK,
        )
        parts.append(render(f"c/{'each' if per_tensor else 'walk'}.c.jinja", walk))
        runs.append(f"  {name}_part(&call);" if per_tensor else _threaded(name))
    entry = _Entry(
        entry=_base(kernel),
        struct=abi(kernel).struct,
        call=f"{_base(kernel)}_call",
        type=C_TYPES[kernel.arithmetic],
        chunk_size=CHUNK,
        slots=len(kernel.reductions),
        runs=tuple(runs),
    )
    return [*parts, render("c/entry.c.jinja", entry)]


def _threaded(name: str) -> str:
    """Return the call of every part: in threads, or without so much as asking for one."""
    loop = f"for (int part = 0; part < parts; ++part) {name}_part(&call, part, parts);"
    return "\n".join(
        (
            "#ifdef _OPENMP",
            "  if (parts > 1) {",
            "#pragma omp parallel for num_threads(parts) schedule(static)",
            f"    {loop}",
            "  } else",
            "#endif",
            f"  {loop}",
        )
    )


def _stage_name(kernel: Kernel, index: int) -> str:
    return _base(kernel) + (f"_stage{index + 1}" if len(kernel.stages) > 1 else "_update")


def _extras(kernel: Kernel, index: int) -> tuple[str, ...]:
    """Return which of partials, stride, chunks and scalars a stage takes."""
    stage = kernel.stages[index]
    if isinstance(stage, Scalars):
        return ("chunks", "partials", "stride", "scalars")
    found: tuple[str, ...] = ("partials", "stride") if stage.reductions else ()
    found += ("first", "tensor") if storing(kernel, stage).random else ()
    return (*found, "scalars") if reads_tensor_scalars(kernel, stage) else found


def _parameters(kernel: Kernel, index: int) -> tuple[str, ...]:
    stage = kernel.stages[index]
    ctype = C_TYPES[kernel.arithmetic]
    spelled = {
        "chunks": "const uint64_t chunks",
        "partials": f"{ctype} *restrict partials",
        "stride": "const uint64_t stride",
        "first": "const uint64_t first",
        "tensor": "const uint32_t tensor",
        "scalars": f"{'' if isinstance(stage, Scalars) else 'const '}{ctype} *restrict scalars",
    }
    given = [f"const struct {abi(kernel).struct} args"]
    if isinstance(stage, Elementwise):
        given.insert(0, "const uint64_t n")
        for name in stage_buffers(kernel, stage):
            constant = "" if name in stage.stores else "const "
            given.append(f"{constant}{kept_type(kernel, name, 'c')} *restrict {name}_v")
    given += [spelled[name] for name in _extras(kernel, index)]
    return (*(f"{item}," for item in given[:-1]), f"{given[-1]}) {{")


def _invocation(kernel: Kernel, index: int) -> tuple[str, ...]:
    """Return the call of a stage, as lines."""
    stage = kernel.stages[index]
    exports = len(kernel.tensor_scalars)
    at = "" if isinstance(stage, Scalars) else " + at / " + str(CHUNK)
    spelled = {
        "chunks": "chunks",
        "partials": f"call->partials + chunk{at}",
        "stride": "call->chunks",
        "first": "at",
        "tensor": "(uint32_t)tensor",
        "scalars": f"call->scalars + {exports} * tensor",
    }
    given = ["call->args[tensor]"]
    if isinstance(stage, Elementwise):
        given.insert(0, "width")
        names = [b.name for b in kernel.buffers]
        for name in stage_buffers(kernel, stage):
            constant = "" if name in stage.stores else "const "
            ctype = kept_type(kernel, name, "c")
            place = f"call->pointers[{names.index(name)} * call->tensors + tensor]"
            given.append(f"({constant}{ctype} *){place} + at")
    given += [spelled[name] for name in _extras(kernel, index)]
    lines = [f"  {item}," for item in given[:-1]]
    return (f"{_stage_name(kernel, index)}(", *lines, f"  {given[-1]});")


def _statements(
    kernel: Kernel,
    body: Iterable[Assign],
    known: set[str],
    rounded: Mapping[str, tuple[Assign, str]] | None = None,
) -> tuple[str, ...]:
    return statements(kernel, body, known, partial(CPrinter, kernel.arithmetic), 4, rounded)


def _stage(kernel: Kernel, index: int) -> str:
    stage = kernel.stages[index]
    if isinstance(stage, Scalars):
        previous = kernel.stages[index - 1]
        assert isinstance(previous, Elementwise)
        return render("c/finish.c.jinja", _finish(kernel, index, stage, previous))
    template = "sums" if stage.reductions else "stage"
    return render(f"c/{template}.c.jinja", _elements(kernel, index, stage))


def _described(kernel: Kernel, index: int, body: Iterable[str], sums: tuple[str, ...]) -> _Stage:
    names = tuple(r.target for r in kernel.reductions)
    first = names.index(sums[0]) if sums else 0
    return _Stage(
        name=_stage_name(kernel, index),
        parameters=_parameters(kernel, index),
        body=tuple(body),
        type=C_TYPES[kernel.arithmetic],
        zero=literal(0.0, kernel.arithmetic),
        lanes=LANES,
        chunk_size=CHUNK,
        slots=len(sums),
        first_sum=first,
        end_sum=first + len(sums),
    )


def _elements(kernel: Kernel, index: int, stage: Elementwise) -> _Stage:
    buffers = stage_buffers(kernel, stage)
    shared = reads_tensor_scalars(kernel, stage)
    sums = tuple(r.target for r in stage.reductions)
    ctype = C_TYPES[kernel.arithmetic]
    loads = [
        f"{'' if name in stage.stores else 'const '}{ctype} {name} = "
        f"{loaded(kernel, name, f'{name}_v[index]')};"
        for name in buffers
        if name in stage.loads or not kernel.mixed
    ]
    loads += [
        f"const {ctype} {name} = scalars[{kernel.tensor_scalars.index(name)}];" for name in shared
    ]
    terms = [Assign(r.target, r.value, f"one term of {r.target}") for r in stage.reductions]
    parted = storing(kernel, stage)
    known = {*shared, *parted.random, *(buffers if not kernel.mixed else stage.loads)}
    loads += random_lines("c", parted.random)
    kept = {
        s.name: (s.rounded, f"const {HALF_TYPES['c']} {s.name}_kept")
        for s in parted.stores
        if s.rounded
    }
    body = _statements(kernel, (*parted.body, *terms), known, kept)
    stores = [
        f"{s.name}_v[index] = {f'{s.name}_kept' if s.rounded else stored(kernel, s, '(float)')};"
        for s in parted.stores
    ]
    added = [f"lanes[{slot}][lane] += {name};" for slot, name in enumerate(sums)]
    described = _described(kernel, index, (*loads, *body, *stores, *added), sums)
    return replace(described, before=random_fills(parted.random))


def _finish(kernel: Kernel, index: int, stage: Scalars, previous: Elementwise) -> _Stage:
    sums = tuple(r.target for r in previous.reductions)
    names = [r.target for r in kernel.reductions]
    ctype, zero = C_TYPES[kernel.arithmetic], literal(0.0, kernel.arithmetic)
    slots = {name: kernel.tensor_scalars.index(name) for name in kernel.tensor_scalars}
    earlier = [n for n in reads_tensor_scalars(kernel, stage) if n not in stage.exports]
    body = [f"const {ctype} {name} = scalars[{slots[name]}];" for name in earlier]
    body += [
        f"const {ctype} {name} = chunks ? partials[{names.index(name)} * stride] : {zero};"
        for name in sums
    ]
    body += _statements(kernel, stage.body, {*sums, *earlier})
    body += [f"scalars[{slots[name]}] = {name};" for name in stage.exports]
    return _described(kernel, index, body, sums)
