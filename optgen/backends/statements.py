"""Assignments of a stage as statements of C or CUDA."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from optgen.backends.expressions import C_TYPES
from optgen.backends.layout import comment
from optgen.ir import Assign, Expr, Kernel


class Printer(Protocol):
    """Prints expressions."""

    def expression(self, expr: Expr) -> str:
        """Return an expression as text."""
        ...


def statements(
    kernel: Kernel,
    body: Iterable[Assign],
    known: Iterable[str],
    printer: Callable[[Callable[[str], str]], Printer],
    indent: int,
    rounded: Mapping[str, tuple[Assign, str]] | None = None,
) -> tuple[str, ...]:
    """Return assignments as statements, the rule's own line above each.

    Args:
        kernel: The kernel.
        body: The assignments.
        known: Names that are declared already; others are fields of the arguments.
        printer: Makes what prints expressions, given how a name is written.
        indent: Columns of the statements, for comments.
        rounded: By the name that is assigned: the assignment that rounds to two bytes which are
            stored as they are, and what holds them, its declaration included.
    """
    ctype, body, local = C_TYPES[kernel.arithmetic], tuple(body), set(known)
    prints = printer(lambda name: name if name in local else f"args.{name}")
    lines: list[str] = []
    for assign in body:
        if assign.formula:
            lines += comment(assign.formula, "//", indent)
        again = sum(a.target == assign.target for a in body) > 1
        declare = "" if assign.target in local else f"{'' if again else 'const '}{ctype} "
        target, value = f"{declare}{assign.target}", prints.expression(assign.value)
        kept, stored = (rounded or {}).get(assign.target, (None, ""))
        if assign is kept:  # the value is a load of a store
            load, _, inner = value.partition("(")
            lines.append(f"{stored} = {inner.removesuffix(')')};")
            value = f"{load}({stored.split()[-1]})"
        lines.append(f"{target} = {value};")
        local.add(assign.target)
    return tuple(lines)
