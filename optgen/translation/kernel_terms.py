"""A kernel of the IR as terms: what each output is, host program and stages together.

The host program's values are terms in float64; each that a stage reads is converted once
to the arithmetic type. A sum over all elements is one opaque value of the term summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from optgen.ir import Assign, Elementwise, Expr, Kernel, Literal, Operation, Ref
from optgen.translation import expand
from optgen.translation.terms import Term, Terms, TermType

WIDE: TermType = "float64"


def convert(store: Terms, value: Term, to: TermType) -> Term:
    """Return a value rounded to a type; of the type itself it is the value."""
    if value.type == to:
        return value
    if value.operation == "constant" and isinstance(value.payload, Fraction):
        return constant(store, float(value.payload), to)
    return store.make("convert", to, (value,), rounding="nearest")


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
    memory = {b.name: store.element(b.name, kind) for b in kernel.buffers}
    stored: dict[str, Term] = {}
    for stage in kernel.stages:
        values = {**shared}
        if isinstance(stage, Elementwise):
            values |= {name: memory[name] for name in stage.loads}
            run(store, stage.body, values, kind)
            for reduction in stage.reductions:
                shared[reduction.target] = total(store, term(store, reduction.value, values, kind))
            stored |= {name: values[name] for name in stage.stores}
            memory |= stored
        else:
            run(store, stage.body, values, kind)
            shared |= {name: values[name] for name in stage.exports}
    return stored | {s.name: host[s.name] for s in kernel.scalar_states}


def stage_terms(
    kernel: Kernel, stage: Elementwise, store: Terms, lane: int | None = None
) -> dict[str, Term]:
    """Return what one pass over the elements leaves in each array it stores.

    A name that the pass does not set is a value that all elements share. With a lane,
    elements are those at that place of a pass over several.
    """
    kind: TermType = kernel.arithmetic.value
    values = {
        name: store.make("element", kind, payload=name if lane is None else (name, lane))
        for name in stage.loads
    }
    run(store, stage.body, values, kind)
    return {name: values[name] for name in stage.stores}


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
        case Operation(name, operands):
            parts = (term(store, o, values, kind) for o in operands)
            return expand.operation(store, name, *parts)
