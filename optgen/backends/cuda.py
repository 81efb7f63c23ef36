"""CUDA: one header-free file per rule, 128-bit accesses, tails, 64-bit indices, grid strides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from optgen.backends.abi import BLOCK, Abi, Launch, abi, reads_tensor_scalars, stage_buffers
from optgen.backends.base import Heading, SourceFile
from optgen.backends.conversions import conversions
from optgen.backends.cuda_description import cuda_description
from optgen.backends.intrinsics import C_TYPES, CudaPrinter, helper, helpers_in, intrinsic, literal
from optgen.backends.layout import comment
from optgen.backends.scalars import ScalarPrinter
from optgen.backends.statements import statements
from optgen.backends.storing import (
    ELEMENT,
    is_converted,
    kept_type,
    loaded,
    random_lines,
    stored,
    storing,
    vector_type,
)
from optgen.ir import (
    CHUNK,
    LANES,
    Assign,
    DType,
    Elementwise,
    Kernel,
    Scalars,
    stage_expressions,
)
from optgen.render import render


@dataclass(frozen=True, slots=True)
class _Pass:
    """What the templates of an element-wise stage read: ready strings."""

    launch: Launch
    signature: str
    update: str
    update_signature: str
    body: tuple[str, ...]
    tensor_scalars: tuple[str, ...]
    aligned: str
    vector_loads: tuple[str, ...]
    vector_calls: tuple[str, ...]
    vector_stores: tuple[str, ...]
    element_loads: tuple[str, ...]
    element_call: str
    element_stores: tuple[str, ...]
    sums: tuple[str, ...]
    first_sum: int
    type: str
    width: int
    parts: int
    lanes: int
    chunk_size: int
    block: int
    zero: str
    add: str


@dataclass(frozen=True, slots=True)
class _Finish:
    """What templates/cuda/scalars.cu.jinja reads: ready strings."""

    launch: Launch
    signature: str
    loads: tuple[str, ...]
    body: tuple[str, ...]
    first_sum: int
    end_sum: int
    type: str
    chunk_size: int
    block: int
    zero: str
    add: str


@dataclass(frozen=True, slots=True)
class _File:
    """What templates/cuda/file.cu.jinja reads."""

    heading: Heading
    comments: tuple[str, ...]
    launches: tuple[str, ...]
    structs: str
    helpers: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    """What templates/cuda/file.h.jinja reads."""

    heading: Heading
    guard: str
    structs: str
    launches: tuple[str, ...]
    prototypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CudaBackend:
    """Prints a `.cu`, a `.h` and a `.json` per rule, each type in turn."""

    name: str = "cuda"
    dtypes: frozenset[DType] = frozenset(DType)

    def render(self, heading: Heading, kernels: Iterable[Kernel]) -> tuple[SourceFile, ...]:
        """Return the kernels of one rule, their header, and how they are called."""
        kernels = tuple(kernels)
        structs = "\n\n".join(_struct(k, abi(k)) for k in kernels)
        launches = tuple(line for k in kernels for line in _launch_rules(abi(k)))
        comments = [*(line for rule in heading.rule for line in comment(rule, "    ")), ""]
        comments += [x for name, doc in heading.docs for x in comment(doc, f"{name}:")] + [""]
        comments += [x for source in heading.sources for x in comment(source, "Source:")]
        source = _File(
            heading=heading,
            comments=tuple(comments),
            launches=launches,
            structs=structs,
            helpers=(
                *conversions(kernels[0], "cuda"),
                *(
                    helper(name, k.arithmetic)
                    for k in kernels
                    for name in helpers_in(e for s in k.stages for e in stage_expressions(s))
                ),
            ),
            stages=tuple(_render_stage(k, i) for k in kernels for i in range(len(k.stages))),
        )
        header = _Header(
            heading=heading,
            guard=f"OPTGEN_{heading.identifier.upper()}_H",
            structs=structs,
            launches=launches,
            prototypes=tuple(
                f"__global__ void {launch.entry}({_signature(k, launch)});"
                for k in kernels
                for launch in abi(k).launches
            ),
        )
        return (
            SourceFile(f"cuda/{heading.identifier}.cu", render("cuda/file.cu.jinja", source)),
            SourceFile(f"cuda/{heading.identifier}.h", render("cuda/file.h.jinja", header)),
            cuda_description(heading, kernels),
        )


def _struct(kernel: Kernel, called: Abi) -> str:
    host = ScalarPrinter(repr)
    values = {a.target: a.formula or host.assign(a)[0] for a in kernel.host}
    rows = [f"struct {called.struct} {{"]
    for name in called.fields:
        note = f"  /* {values[name]} */" if values.get(name) else ""
        rows.append(f"  {C_TYPES[called.dtype]} {name};{note}")
    rows += [f"  unsigned int {name};" for name in called.words]
    return "\n".join((*rows, "};"))


def _launch_rules(called: Abi) -> tuple[str, ...]:
    grids = {
        "elements": "any number of blocks",
        "chunks": "any number of blocks",
        "one": "exactly one block",
    }
    lines = [f"{x.entry}: {BLOCK} threads, {grids[x.grid]}" for x in called.launches]
    if called.partials:
        ctype = C_TYPES[called.dtype]
        lines.append(f"  partials: {called.partials}*ceil(n/{CHUNK}) {ctype}s of scratch memory")
        lines.append(f"  scalars: {called.scalars} {ctype}s of scratch memory")
    words = "  args: step_low and step_high are the step; tensor numbers the tensors"
    return (*lines, words) if called.words else tuple(lines)


def _pointer(kernel: Kernel, name: str, store: bool) -> str:
    constant = "" if store else "const "
    return f"{constant}{kept_type(kernel, name, 'cuda')}* __restrict__ {name}"


def _signature(kernel: Kernel, launch: Launch) -> str:
    called = abi(kernel)
    index = called.launches.index(launch)
    stage = kernel.stages[index]
    ctype = C_TYPES[called.dtype]
    stores = stage.stores if isinstance(stage, Elementwise) else ()
    spelled = {
        "partials": f"{ctype}* __restrict__ partials",
        "scalars": f"{ctype}* __restrict__ scalars"
        if isinstance(stage, Scalars)
        else f"const {ctype}* __restrict__ scalars",
        "args": f"const {called.struct} args",
        "n": "const unsigned long long n",
    }
    return ", ".join(
        spelled[p] if p in spelled else _pointer(kernel, p, p in stores) for p in launch.parameters
    )


def _statements(
    kernel: Kernel,
    body: Iterable[Assign],
    known: set[str],
    rounded: Mapping[str, tuple[Assign, str]] | None = None,
) -> tuple[str, ...]:
    return statements(kernel, body, known, partial(CudaPrinter, kernel.arithmetic), 2, rounded)


def _render_stage(kernel: Kernel, index: int) -> str:
    stage = kernel.stages[index]
    if isinstance(stage, Scalars):
        return render("cuda/scalars.cu.jinja", _finish(kernel, index, stage))
    template = "chunks" if stage.reductions else "elements"
    return render(f"cuda/{template}.cu.jinja", _pass(kernel, index, stage))


def _pass(kernel: Kernel, index: int, stage: Elementwise) -> _Pass:
    dtype = kernel.arithmetic
    called, names = abi(kernel), stage_buffers(kernel, stage)
    ctype, width = C_TYPES[dtype], 16 // dtype.size
    tensor_scalars = reads_tensor_scalars(kernel, stage)
    sums = tuple(r.target for r in stage.reductions)
    update = f"{called.launches[index].entry}_update"
    parted = storing(kernel, stage)
    inside = {n: f"{n}_stored" if is_converted(kernel, n) else n for n in names}
    const = {n: "" if n in stage.stores else "const " for n in names}
    elements = [
        f"{const[n]}{kept_type(kernel, n, 'cuda')}{'&' if n in stage.stores else ''} {inside[n]}"
        for n in names
    ]
    converted = [n for n in names if is_converted(kernel, n)]
    before = [
        f"{const[n]}{ctype} {n} = {loaded(kernel, n, inside[n])};"
        for n in converted
        if n in stage.loads
    ]
    before += random_lines("cuda", parted.random)
    after = [
        f"{inside[s.name]} = {stored(kernel, s, '__double2float_rn')};"
        for s in parted.stores
        if s.name in converted and not s.rounded
    ]
    rounded = {s.name: (s.rounded, inside[s.name]) for s in parted.stores if s.rounded}
    numbered = ELEMENT if parted.random else ()
    totals = [f"{ctype}& {name}" for name in sums]
    shared = [f"const {ctype} {name}" for name in tensor_scalars]
    unread = {n for n in converted if n not in stage.loads}
    known = {*names, *sums, *tensor_scalars, *parted.random} - unread
    results = [Assign(r.target, r.value, f"one term of {r.target}") for r in stage.reductions]

    def invoke(values: Iterable[str], lane: str, *element: str) -> str:
        last = ("args", *element) if numbered else ("args",)
        given = (*values, *(f"{s}[{lane}]" for s in sums), *tensor_scalars, *last)
        return f"{update}({', '.join(given)});"

    return _Pass(
        launch=called.launches[index],
        signature=_signature(kernel, called.launches[index]),
        update=update,
        update_signature=", ".join(
            (*elements, *totals, *shared, f"const {called.struct}& args", *numbered)
        ),
        body=(
            *before,
            *_statements(kernel, (*parted.body, *results), known, rounded),
            *after,
        ),
        tensor_scalars=tuple(
            f"const {ctype} {name} = scalars[{kernel.tensor_scalars.index(name)}];"
            for name in tensor_scalars
        ),
        aligned=" | ".join(f"(unsigned long long){name}" for name in names),
        vector_loads=tuple(
            f"{const[n]}{vector_type(kernel, n, width)} {n}_v"
            + (
                f" = reinterpret_cast<{const[n]}{vector_type(kernel, n, width)}*>({n})[index];"
                if n in stage.loads or not kernel.mixed
                else ";"
            )
            for n in names
        ),
        vector_calls=tuple(
            invoke((f"{n}_v.{part}" for n in names), str(lane), f"index * {width}", str(lane))
            for lane, part in enumerate("xyzw"[:width])
        ),
        vector_stores=tuple(
            f"reinterpret_cast<{vector_type(kernel, n, width)}*>({n})[index] = {n}_v;"
            for n in stage.stores
        ),
        element_loads=tuple(
            f"{const[n]}{kept_type(kernel, n, 'cuda')} {n}_e"
            f"{f' = {n}[index]' if n in stage.loads or not kernel.mixed else ''};"
            for n in names
        ),
        element_call=invoke((f"{n}_e" for n in names), "lane", "index", "0"),
        element_stores=tuple(f"{n}[index] = {n}_e;" for n in stage.stores),
        sums=sums,
        first_sum=kernel.reductions.index(stage.reductions[0]) if sums else 0,
        type=ctype,
        width=width,
        parts=LANES // (BLOCK * width),
        lanes=LANES,
        chunk_size=CHUNK,
        block=BLOCK,
        zero=literal(0.0, dtype),
        add=intrinsic("add", dtype),
    )


def _finish(kernel: Kernel, index: int, stage: Scalars) -> _Finish:
    launch = abi(kernel).launches[index]
    previous = kernel.stages[index - 1]
    assert isinstance(previous, Elementwise)
    first = kernel.reductions.index(previous.reductions[0])
    sums = tuple(r.target for r in previous.reductions)
    ctype, zero = C_TYPES[kernel.arithmetic], literal(0.0, kernel.arithmetic)
    earlier = [n for n in reads_tensor_scalars(kernel, stage) if n not in stage.exports]
    exports = [(kernel.tensor_scalars.index(name), name) for name in stage.exports]
    return _Finish(
        launch=launch,
        signature=_signature(kernel, launch),
        loads=(
            *(
                f"const {ctype} {name} = scalars[{kernel.tensor_scalars.index(name)}];"
                for name in earlier
            ),
            *(
                f"const {ctype} {name} = chunks ? partials[{first + i} * chunks] : {zero};"
                for i, name in enumerate(sums)
            ),
        ),
        body=(
            *_statements(kernel, stage.body, {*sums, *earlier}),
            *(f"scalars[{slot}] = {name};" for slot, name in exports),
        ),
        first_sum=first,
        end_sum=first + len(sums),
        type=ctype,
        chunk_size=CHUNK,
        block=BLOCK,
        zero=zero,
        add=intrinsic("add", kernel.arithmetic),
    )
