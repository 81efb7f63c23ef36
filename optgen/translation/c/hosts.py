"""The function that computes host values, compared with the IR's host program.

A power of the step is opaque there, as it is in the IR; the function for whole powers is
compared by itself at many exponents.
"""

from __future__ import annotations

import re

from optgen.backends.abi import abi
from optgen.ir import Kernel
from optgen.translation import expand
from optgen.translation.c.binding import base_name
from optgen.translation.c.calls import known_call
from optgen.translation.c.code import Float, Program, Step
from optgen.translation.c.floats import Settling
from optgen.translation.c.integers import Whole
from optgen.translation.c.machine import Hook, Machine
from optgen.translation.c.memory import Memory, Pointer, Value
from optgen.translation.kernel_terms import WIDE, convert, power, run
from optgen.translation.numpy_powers import power_term
from optgen.translation.ptx_difference import describe
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

EXPONENTS = (-3.0, 0.0, 1.0, 2.0, 3.0, 7.0, 10.0, 64.0, 1000.0, 12345.0, 2.0**31 - 1, 2.0**53)
"""Exponents at which the function for powers is read."""

_COMPARISONS = {"<": "lt", "<=": "le"}


def host_name(kernel: Kernel) -> str:
    """Return the function that computes host values."""
    return f"{base_name(kernel)}_host"


def compare_host(kernel: Kernel, program: Program) -> str:
    """Compare the function that fills the argument structure with the IR's host program.

    Inside the domains of the hyperparameters every field and every scalar state must be the
    IR's; outside them none may change. The number that is returned is not looked at.

    Raises:
        Unsupported: The code is not followed.
    """
    for name in (*program.functions, *program.unread):
        if name.startswith("ipow_") and (said := _powers(program, name)):
            return said
    store = Terms()
    kind: TermType = kernel.arithmetic.value
    host = {name: store.scalar(name, WIDE) for name in ("step", "numel")}
    host |= {a.name: store.scalar(a.name, WIDE) for a in kernel.arguments}
    host |= {s.name: store.scalar(s.name, WIDE) for s in kernel.scalar_states}
    names = [a.name for a in kernel.arguments]
    states = [s.name for s in kernel.scalar_states]
    fields = abi(kernel).fields
    given = _row("hyperparameters", [host[name] for name in names], 8, writable=False)
    kept = _row("scalar_states", [host[name] for name in states], 8, writable=True)
    before = [store.scalar(f"{name} before", kind) for name in fields]
    width = kernel.arithmetic.size
    args = _row("args", before or [store.scalar("unused", kind)], width, writable=True)
    machine = Machine(program, store, _hook)
    machine.call(
        host_name(kernel),
        (Pointer(given, 0), host["step"], host["numel"], Pointer(kept, 0), Pointer(args, 0)),
    )
    inside = _inside(kernel, store, host)
    old = {name: host[name] for name in states}
    run(store, kernel.host, host, WIDE)
    settling = Settling(store)
    for memory, labels, size, olds, to in (
        (args, fields, width, before, kind),
        (kept, tuple(states), 8, [old[name] for name in states], WIDE),
    ):
        for index, (label, unchanged) in enumerate(zip(labels, olds, strict=True)):
            cell, _ = memory.cells[index * size]
            if not isinstance(cell, Term):
                raise Unsupported(f"{label} is no float")
            value = convert(store, host[label], to)
            wanted = settling.settle(expand.choose(store, inside, value, unchanged))
            found = settling.settle(cell)
            if wanted is not found:
                return f"{host_name(kernel)}: {label}: {describe(wanted, found, {})}"
    return ""


def _row(name: str, values: list[Term], width: int, *, writable: bool) -> Memory:
    cells: dict[Whole, tuple[Value, int]] = {
        i * width: (value, width) for i, value in enumerate(values)
    }
    return Memory(name, width * len(values), cells, writable=writable)


def _inside(kernel: Kernel, store: Terms, host: dict[str, Term]) -> Term:
    """Return the mask that all hyperparameters lie in their domains."""
    parts = [expand.truth(store, True)]
    for argument in kernel.arguments:
        low, above, _, below, high = argument.condition.split(" ")
        ends = [store.number(float(end.replace("np.", "")), WIDE) for end in (low, high)]
        value = host[argument.name]
        parts.append(expand.compare(store, _COMPARISONS[above], ends[0], value))
        parts.append(expand.compare(store, _COMPARISONS[below], value, ends[1]))
    return expand.logic(store, "and", *parts)


def _hook(name: str) -> Hook | None:
    if name in ("fegetenv", "fesetenv"):
        return _nothing
    if name in ("pow", "llvm.pow.f64") or re.fullmatch(r"ipow_\w+", name):
        return _power
    return known_call(name)


def _nothing(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    return 0


def _power(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    base, exponent = operands
    if not isinstance(base, Term) or not isinstance(exponent, Term) or step.kind != Float(WIDE):
        raise Unsupported("a power of what is no double")
    return power(machine.store, "ipow" if "ipow" in step.words[0] else "pow", base, exponent)


def _powers(program: Program, name: str) -> str:
    store = Terms()
    base = store.scalar("base", WIDE)
    settling = Settling(store)
    for exponent in EXPONENTS:
        found = Machine(program, store, known_call).call(name, (base, store.number(exponent, WIDE)))
        if not isinstance(found, Term):
            raise Unsupported(f"{name} returns no float")
        wanted = power_term(store, base, int(exponent))
        if settling.settle(found) is not settling.settle(wanted):
            return f"{name}: the power {exponent:g} is multiplied in another order"
    return ""
