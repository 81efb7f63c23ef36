"""The function that computes host values, compared with the IR's host program.

A power of the step is opaque there, as it is in the IR; the function for whole powers is
compared by itself at many exponents.
"""

from __future__ import annotations

import re
from functools import partial

from optgen.backends.abi import abi
from optgen.ir import DType, Kernel
from optgen.translation import expand
from optgen.translation.c.binding import base_name
from optgen.translation.c.calls import is_default_environment, known_call
from optgen.translation.c.code import Float, Program, Step
from optgen.translation.c.floats import Settling
from optgen.translation.c.integers import Whole
from optgen.translation.c.machine import Hook, Machine
from optgen.translation.c.memory import Fault, Memory, Pointer, Value, read
from optgen.translation.kernel_terms import WIDE, convert, power, run
from optgen.translation.numpy_powers import power_term
from optgen.translation.ptx_difference import describe
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

EXPONENTS = (-3.0, 0.0, 1.0, 2.0, 3.0, 7.0, 10.0, 64.0, 1000.0, 12345.0, 2.0**31 - 1, 2.0**53)
"""Exponents at which the function for powers is read."""

_ROUNDS = frozenset(
    ("fadd", "fsub", "fmul", "fdiv", "fptrunc", "sitofp", "uitofp", "llvm.sqrt.f64")
)
"""Steps whose result depends on the environment. Comparisons with constants may come before."""

_ROUNDS_TO_ZERO = 2.0**-150
"""The largest number that is 0 in float32: half of the smallest, a tie that goes to even."""

_COMPARISONS = {"<": "lt", "<=": "le"}


def host_name(kernel: Kernel) -> str:
    """Return the function that computes host values."""
    return f"{base_name(kernel)}_host"


def compare_host(kernel: Kernel, program: Program) -> str:
    """Compare the function that fills the argument structure with the IR's host program.

    Inside the domains of the hyperparameters every field and every scalar state must be the
    IR's; outside them none may change. All arithmetic must run in IEEE's environment, and the
    caller's must be given back. The number that is returned is not looked at.

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
    environment = _Environment()
    machine = Machine(program, store, environment.hook)
    machine.watch = partial(environment.watch, machine)
    try:
        machine.call(
            host_name(kernel),
            (Pointer(given, 0), host["step"], host["numel"], Pointer(kept, 0), Pointer(args, 0)),
        )
    except Fault as fault:
        return f"{host_name(kernel)}: {fault}"
    if environment.now() != _CALLERS:
        return f"{host_name(kernel)}: the caller's environment is not given back"
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
    """Return the mask that all hyperparameters lie in their domains, and none rounds to 0."""
    parts = [expand.truth(store, True)]
    for argument in kernel.arguments:
        if argument.flag:
            one, zero = (store.number(x, WIDE) for x in (1.0, 0.0))
            either = [expand.compare(store, "eq", host[argument.name], x) for x in (zero, one)]
            parts.append(expand.logic(store, "or", *either))
            continue
        low, above, _, below, high = argument.condition.split(" ")
        ends = [store.number(float(end.replace("np.", "")), WIDE) for end in (low, high)]
        value = host[argument.name]
        if argument.name in kernel.scalars and kernel.arithmetic is DType.FLOAT32:
            zero = store.number(0.0, WIDE)
            size = expand.operation(store, "abs", value)
            rounds_to_zero = expand.compare(store, "le", size, store.number(_ROUNDS_TO_ZERO, WIDE))
            not_zero = expand.compare(store, "ne", value, zero)
            vanishes = expand.logic(store, "and", not_zero, rounds_to_zero)
            parts.append(expand.logic(store, "not", vanishes))
        parts.append(expand.compare(store, _COMPARISONS[above], ends[0], value))
        parts.append(expand.compare(store, _COMPARISONS[below], value, ends[1]))
    return expand.logic(store, "and", *parts)


_CALLERS, _IEEE = 0, 1


class _Environment:
    """The floating-point environment, in memory, so that branches take it back with the rest."""

    def __init__(self) -> None:
        self._now = Pointer(Memory("environment", 8, {0: (_CALLERS, 8)}), 0)
        self._saved: dict[int, tuple[Memory, Value]] = {}

    def now(self) -> Value:
        """Return which environment is set."""
        return read(self._now, 8)

    def hook(self, name: str) -> Hook | None:
        """Return what a call does that is not followed."""
        if name == "fegetenv":
            return self._get
        if name == "fesetenv":
            return self._set
        if name in ("pow", "llvm.pow.f64") or re.fullmatch(r"ipow_\w+", name):
            return _power
        return known_call(name)

    def watch(self, machine: Machine, step: Step) -> None:
        """Refuse arithmetic in an environment that may flush numbers or round another way."""
        name = step.words[0] if step.name == "call" else step.name
        if (name in _ROUNDS or self.hook(name) is _power) and self.now() != _IEEE:
            raise Fault(f"line {step.line}: {name} in the caller's environment")

    def _get(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        (place,) = operands
        if not isinstance(place, Pointer) or place.memory is None:
            raise Unsupported("where the environment is kept is not known")
        self._saved[id(place.memory)] = (place.memory, self.now())
        return 0

    def _set(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        (place,) = operands
        if is_default_environment(place):
            machine.memory.write(self._now, _IEEE, 8)
        elif isinstance(place, Pointer) and id(place.memory) in self._saved:
            machine.memory.write(self._now, self._saved[id(place.memory)][1], 8)
        else:
            raise Unsupported("an environment that is not known")
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
