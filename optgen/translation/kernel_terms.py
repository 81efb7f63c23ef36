"""A kernel of the IR as terms: what each output is, host program and stages together.

The host program's values are terms in float64; each that a stage reads is converted once
to the arithmetic type. A sum over all elements is one opaque value of the term summed.
An array holds terms of the type that it is kept in: a load converts one exactly, and a
store takes such a conversion back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial

import numpy as np

from optgen.ir import (
    RANDOM,
    ROUNDINGS,
    Assign,
    Elementwise,
    Expr,
    Half,
    Kernel,
    Literal,
    Operation,
    Ref,
)
from optgen.translation import expand
from optgen.translation.terms import Term, Terms, TermType

WIDE: TermType = "float64"
HALVES: tuple[TermType, ...] = tuple(half.value for half in Half)
"""Types of two bytes."""

_WIDER: Mapping[TermType, frozenset[TermType]] = {
    **dict.fromkeys(HALVES, frozenset(("float32", "float64"))),
    "float32": frozenset(("float64",)),
}
"""The types that hold every value of a type."""

_ROUNDED_TO: Mapping[str, TermType] = {
    "to_float32": "float32",
    "to_bfloat16": "bfloat16",
    "to_float16": "float16",
}


def convert(store: Terms, value: Term, to: TermType) -> Term:
    """Return a value rounded to a type; of the type itself it is the value."""
    if value.type == to:
        return value
    if value.operation == "convert" and not value.rounding and value.operands[0].type == to:
        return value.operands[0]  # an exact conversion, and back
    if value.operation == "constant" and isinstance(value.payload, Fraction) and to not in HALVES:
        return constant(store, float(value.payload), to)
    exact = to in _WIDER.get(value.type, ())
    return store.make("convert", to, (value,), rounding="" if exact else "nearest")


def rounded_at_random(store: Terms, value: Term, random: Term) -> Term:
    """Return a value rounded up or down to bfloat16, by 16 random bits."""
    return store.make("to_bfloat16_random", "bfloat16", (value, random), rounding="nearest")


def constant(store: Terms, value: float, to: TermType) -> Term:
    """Return a float64 number, rounded once to a type, as a constant."""
    with np.errstate(over="ignore"):
        return store.number(float(np.dtype(to).type(value)), to)


def power(store: Terms, name: str, base: Term, exponent: Term) -> Term:
    """Return a host power, which keeps the IR's name: no reader looks inside."""
    return store.make(name, WIDE, (base, exponent), rounding="nearest")


def total(store: Terms, term: Term) -> Term:
    """Return the sum of a value over all elements, in the fixed tree."""
    return store.make("sum", term.type, (term,), rounding="nearest")


def kernel_terms(kernel: Kernel, store: Terms) -> dict[str, Term]:
    """Return the value of every array that a step writes, and of every scalar state.

    Args:
        kernel: The kernel, after all passes.
        store: Where terms are built; readings to be compared need the same one.
    """
    kind: TermType = kernel.arithmetic.value
    host = {name: store.scalar(name, WIDE) for name in ("step", "numel")}
    host |= {a.name: store.scalar(a.name, WIDE) for a in kernel.arguments}
    host |= {s.name: store.scalar(s.name, WIDE) for s in kernel.scalar_states}
    run(store, kernel.host, host, WIDE)
    shared = {name: convert(store, host[name], kind) for name in kernel.scalars}
    memory = {b.name: store.element(b.name, b.dtype.value) for b in kernel.buffers}
    stored: dict[str, Term] = {}
    for stage in kernel.stages:
        values = {**shared}
        if isinstance(stage, Elementwise):
            values |= loaded(kernel, stage, store, partial(_held, store, dict(memory)))
            run(store, stage.body, values, kind)
            for reduction in stage.reductions:
                shared[reduction.target] = total(store, term(store, reduction.value, values, kind))
            stored |= kept(kernel, stage, store, values)
            memory |= stored
        else:
            run(store, stage.body, values, kind)
            shared |= {name: values[name] for name in stage.exports}
    return stored | {s.name: host[s.name] for s in kernel.scalar_states}


def _held(store: Terms, memory: Mapping[str, Term], name: str, kind: TermType) -> Term:
    return memory.get(name) or store.element(name, kind)


def loaded(
    kernel: Kernel,
    stage: Elementwise,
    store: Terms,
    element: Callable[[str, TermType], Term],
) -> dict[str, Term]:
    """Return what a stage has in hand when it begins.

    Args:
        kernel: The kernel.
        stage: The stage.
        store: Where terms are built.
        element: What an array holds, by its name and the type that it is kept in; random
            numbers are arrays, too.
    """
    kind: TermType = kernel.arithmetic.value
    arrays = {
        name: convert(store, element(name, kernel.buffer(name).dtype.value), kind)
        for name in stage.loads
    }
    if not kernel.random:
        return arrays
    return arrays | {name: element(name, "bits16") for name in RANDOM}


def kept(
    kernel: Kernel, stage: Elementwise, store: Terms, values: Mapping[str, Term]
) -> dict[str, Term]:
    """Return what a stage stores, in the types that arrays are kept in."""
    return {
        name: convert(store, values[name], kernel.buffer(name).dtype.value) for name in stage.stores
    }


def stage_terms(
    kernel: Kernel, stage: Elementwise, store: Terms, lane: int | None = None
) -> dict[str, Term]:
    """Return what one pass over the elements leaves in each array it stores.

    A name that the pass does not set is a value that all elements share. With a lane,
    elements are those at that place of a pass over several.
    """

    def element(name: str, kind: TermType) -> Term:
        return store.make("element", kind, payload=name if lane is None else (name, lane))

    values = loaded(kernel, stage, store, element)
    run(store, stage.body, values, kernel.arithmetic.value)
    return kept(kernel, stage, store, values)


def run(store: Terms, body: tuple[Assign, ...], values: dict[str, Term], kind: TermType) -> None:
    """Run assignments in order; `values` says what each name stands for."""
    for assign in body:
        values[assign.target] = term(store, assign.value, values, kind)


def term(store: Terms, expr: Expr, values: Mapping[str, Term], kind: TermType) -> Term:
    """Return the value of an expression; a name without a value is one that all share."""
    match expr:
        case Ref(name):
            return values.get(name) or store.scalar(name, kind)
        case Literal(value):
            return constant(store, float(value), kind)
        case Operation(("ipow" | "pow") as name, (base, exponent)):
            return power(store, name, *(term(store, o, values, kind) for o in (base, exponent)))
        case Operation("to_bfloat16_random", operands):
            rounded = rounded_at_random(store, *(term(store, o, values, kind) for o in operands))
            return convert(store, rounded, kind)
        case Operation(name, (operand,)) if name in ROUNDINGS:
            narrow = convert(store, term(store, operand, values, kind), _ROUNDED_TO[name])
            return convert(store, narrow, kind)
        case Operation(name, operands):
            parts = (term(store, o, values, kind) for o in operands)
            return expand.operation(store, name, *parts)
