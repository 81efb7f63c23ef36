"""The IR's side of a comparison: stages as terms."""

from __future__ import annotations

from collections.abc import Mapping

from optgen.ir import Assign, Elementwise, Expr, Kernel, Literal, Operation, Ref
from optgen.translation import expand
from optgen.translation.ptx_operands import rounded
from optgen.translation.terms import Term, Terms, TermType


def stage_terms(kernel: Kernel, stage: Elementwise, store: Terms) -> dict[str, Term]:
    """Return what one pass over the elements leaves in each array it stores."""
    kind: TermType = kernel.arithmetic.value
    values = {name: store.element(name, kind) for name in stage.loads}
    run(kernel, stage.body, values, store)
    return {name: values[name] for name in stage.stores}


def run(kernel: Kernel, body: tuple[Assign, ...], values: dict[str, Term], store: Terms) -> None:
    """Run assignments in order; a name without a value is a value that all elements share."""
    for assign in body:
        values[assign.target] = term(kernel, assign.value, values, store)


def term(kernel: Kernel, expr: Expr, values: Mapping[str, Term], store: Terms) -> Term:
    """Return the value of an expression of a stage."""
    match expr:
        case Ref(name):
            return values.get(name) or store.scalar(name, kernel.arithmetic.value)
        case Literal(value):
            return rounded(store, float(value), kernel.arithmetic.value)
        case Operation(name, operands):
            parts = (term(kernel, operand, values, store) for operand in operands)
            return expand.operation(store, name, *parts)
