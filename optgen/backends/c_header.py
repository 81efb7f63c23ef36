"""C: the header of one rule, which says how its file is called and declares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optgen.backends.abi import abi
from optgen.backends.base import Heading, SourceFile
from optgen.backends.expressions import C_TYPES
from optgen.backends.layout import comment
from optgen.backends.scalars import ScalarPrinter
from optgen.ir import Argument, Kernel
from optgen.notation.text import number
from optgen.render import render

WORDS = ("seed", "step_low", "step_high")
"""What the argument struct holds besides, where random numbers are used."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What templates/c/header.h.jinja reads: ready strings."""

    heading: Heading
    base: str
    states_argument: str
    hyperparameters: tuple[str, ...]
    scalar_states: str
    buffers: str
    guard: str
    declarations: tuple[str, ...]


def struct_lines(kernel: Kernel, notes: Sequence[str]) -> tuple[str, ...]:
    """Return the argument struct of a kernel.

    Args:
        kernel: The kernel.
        notes: What is said of each field, or nothing.
    """
    called, ctype = abi(kernel), C_TYPES[kernel.arithmetic]
    rows = [f"struct {called.struct} {{"]
    rows += [
        f"  {ctype} {name};" + (f" /* {note} */" if note else "")
        for name, note in zip(called.fields, notes, strict=True)
    ]
    rows += [f"  uint32_t {name};" for name in WORDS if kernel.random]
    if not called.fields and not kernel.random:  # C knows no empty struct
        rows.append(f"  {ctype} unused;")
    return (*rows, "};")


def call_structs(kernel: Kernel, base: str) -> str:
    """Return the argument struct of a kernel, and that of what its parts share."""
    called, host = abi(kernel), ScalarPrinter(repr)
    ctype = C_TYPES[kernel.arithmetic]
    values = {a.target: a.formula or host.assign(a)[0] for a in kernel.host}
    rows = [
        *struct_lines(kernel, [values.get(name, "") for name in called.fields]),
        "",
        f"struct {base}_call {{",
        "  uint64_t tensors;",
        "  const uint64_t *n;",
        "  void *const *pointers;",
        f"  const struct {called.struct} *args;",
        f"  {ctype} *partials, *scalars;",
        "  uint64_t total, chunks;",
        "};",
        "",
    ]
    return "\n".join(rows)


def kept_in_words(kernel: Kernel, name: str) -> str:
    """Return the name of an array, and its type where that is not the type of the call."""
    return f"{name} ({kernel.buffer(name).dtype.value})" if kernel.mixed else name


def c_header(heading: Heading, kernels: Sequence[Kernel], bases: Sequence[str]) -> SourceFile:
    """Return the header of one rule.

    Args:
        heading: What the rule is.
        kernels: Its kernels, one per type.
        bases: What the names of each kernel's functions begin with.
    """
    first = kernels[0]
    declarations: list[str] = []
    for kernel, base in zip(kernels, bases, strict=True):
        ctype, struct = C_TYPES[kernel.arithmetic], f"struct {abi(kernel).struct}"
        declarations += [
            *struct_lines(kernel, ["" for _ in abi(kernel).fields]),
            f"int {base}_host(",
            "    const double *hyperparameters, double step, double numel, double *scalar_states,",
            f"    {struct} *args);",
            f"void {base}(",
            "    uint64_t tensors, const uint64_t *n, void *const *pointers,",
            f"    const {struct} *args, {ctype} *work, int threads);",
            "",
        ]
    scratch = f"uint64_t optgen_{heading.identifier}_scratch(uint64_t tensors, const uint64_t *n);"
    names = [s.name for s in first.scalar_states]
    header = _Header(
        heading=heading,
        base=bases[0],
        states_argument="scalar_states[tensor]" if names else "NULL",
        hyperparameters=tuple(line for a in first.arguments for line in _described(a)),
        scalar_states=", ".join(
            f"{s.name} (starts at {number(s.initial)})" for s in first.scalar_states
        )
        or "none",
        buffers=", ".join(kept_in_words(first, b.name) for b in first.buffers),
        guard=f"OPTGEN_{heading.identifier.upper()}_C_H",
        declarations=(*declarations, scratch, ""),
    )
    return SourceFile(f"c/{heading.identifier}.h", render("c/header.h.jinja", header))


def _described(argument: Argument) -> tuple[str, ...]:
    default = float(argument.default)
    inside = "0 or 1" if argument.flag else f"in {argument.domain}"
    text = f"{argument.doc}; {inside}, by default {default!r}"
    return comment(text, f"{argument.name}:")
