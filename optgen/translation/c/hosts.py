"""The function that computes host values, compared with the IR's host program.

A power of the step is opaque there, as it is in the IR; the function for whole powers is
compared by itself at many exponents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from optgen.backends.abi import abi
from optgen.ir import DType, Kernel
from optgen.translation import expand
from optgen.translation.bits.words import Bits, Word
from optgen.translation.c import bitwise
from optgen.translation.c.binding import base_name
from optgen.translation.c.calls import is_default_environment, known_call
from optgen.translation.c.code import Float, Program, Step
from optgen.translation.c.drawing import words
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

_MOST_PATHS = 500
"""Paths through the function after which it is given up."""

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
    given = {name: store.scalar(name, WIDE) for name in _names(kernel)}
    host = dict(given)
    run(store, kernel.host, host, WIDE)
    fields, states = abi(kernel).fields, [s.name for s in kernel.scalar_states]
    before = [store.scalar(f"{name} before", kind) for name in fields]
    before += [given[name] for name in states]
    after = [convert(store, host[name], kind) for name in fields] + [host[name] for name in states]
    settling, never = Settling(store), expand.truth(store, False)
    bits = Bits(store)
    inside = settling.settle(_inside(kernel, store, given))
    outside = expand.logic(store, "not", inside)
    try:
        for path, found, words_ in _paths(kernel, program, settling, bits, given, before):
            wanted = after
            leaves = expand.logic(store, "and", path, inside) is never
            both = not leaves and expand.logic(store, "and", path, outside) is not never
            if said := _words_differ(kernel, bits, given, words_, changed=not leaves):
                if both:
                    raise Unsupported(
                        f"{said} for hyperparameters inside their domains and outside"
                    )
                return f"{host_name(kernel)}: {said}"
            if leaves:
                wanted = before
            elif both:
                wanted = [expand.choose(store, inside, *p) for p in zip(after, before, strict=True)]
            for label, *pair in zip((*fields, *states), wanted, found, strict=True):
                one, other = map(settling.settle, pair)
                if one is not other:  # they may be the same on this path
                    zero = store.number(0.0, one.type)
                    here = (expand.choose(store, path, value, zero) for value in pair)
                    one, other = map(settling.settle, here)
                if one is not other:
                    return f"{host_name(kernel)}: {label}: {describe(one, other, {})}"
    except Fault as fault:
        return f"{host_name(kernel)}: {fault}"
    return ""


def _words_differ(
    kernel: Kernel,
    bits: Bits,
    given: Mapping[str, Term],
    found: Sequence[Word],
    *,
    changed: bool,
) -> str:
    """Compare the words behind the host values: the seed, and the step in two words."""
    for name, word in zip(words(kernel), found, strict=True):
        wanted = bits.of(bits.store.scalar(f"{name} before", "bits32"))
        if changed:
            source = given["seed" if name == "seed" else "step"]
            whole = bits.store.make("to_whole", "bits64", (source,), rounding="zero")
            wanted = bits.of(whole)
            if name == "step_high":
                wanted = bits.shifted("lshr", wanted, 32)
            wanted = bits.resized(wanted, 32)
        if not bits.same(word, wanted):
            return f"{name} is another"
    return ""


def _names(kernel: Kernel) -> tuple[str, ...]:
    """Return what the function is given, by name."""
    return (
        *("step", "numel"),
        *(argument.name for argument in kernel.arguments),
        *(state.name for state in kernel.scalar_states),
    )


def _paths(
    kernel: Kernel,
    program: Program,
    settling: Settling,
    bits: Bits,
    given: Mapping[str, Term],
    before: list[Term],
) -> Iterator[tuple[Term, list[Term], list[Word]]]:
    """Run the function on every path that its branches on floats allow.

    Yields:
        The mask of the values that take a path, the fields and scalar states after it, and
        the words behind the fields.

    Raises:
        Fault: The caller's environment is computed in, or not given back.
        Unsupported: The code is not followed, or there are too many paths.
    """
    store, width, fields = settling.store, kernel.arithmetic.size, len(abi(kernel).fields)
    open_paths: list[tuple[bool, ...]] = [()]
    for _ in range(_MOST_PATHS):
        path = _Path(settling, open_paths.pop(), open_paths)
        numbers = _row("hyperparameters", [given[a.name] for a in kernel.arguments], 8)
        numbers.writable = False
        kept = _row("scalar_states", before[fields:], 8)
        unused = [store.scalar("unused", kernel.arithmetic.value)]
        words_ = [store.scalar(f"{name} before", "bits32") for name in words(kernel)]
        args = _row("args", [*(before[:fields] or unused), *words_], width)
        environment = _Environment()
        machine = Machine(program, store, environment.hook, side=path.side)
        machine.bits = bits
        machine.watch = partial(environment.watch, machine)
        places = Pointer(numbers, 0), given["step"], given["numel"], Pointer(kept, 0)
        try:
            machine.call(host_name(kernel), (*places, Pointer(args, 0)))
        except _Never:
            continue
        else:
            if environment.now() != _CALLERS:
                raise Fault("the caller's environment is not given back")
            found = [args.cells[i * width][0] for i in range(fields)]
            found += [kept.cells[i * 8][0] for i in range(len(kernel.scalar_states))]
            if not all(isinstance(value, Term) for value in found):
                raise Unsupported("a host value is no float")
            behind = [args.cells[i * width][0] for i in range(fields, fields + len(words_))]
            yield (
                path.mask,
                [value for value in found if isinstance(value, Term)],
                [bitwise.word(machine, value, 32) for value in behind],
            )
        finally:
            done = not open_paths
        if done:
            return
    raise Unsupported(f"more than {_MOST_PATHS} paths")


class _Never(Exception):
    """No values take this path."""


class _Path:
    """One path: the sides that its first branches take are given, the others' are found.

    Attributes:
        mask: Holds for the values that take it.
    """

    def __init__(
        self, settling: Settling, sides: tuple[bool, ...], others: list[tuple[bool, ...]]
    ) -> None:
        self.mask = expand.truth(settling.store, True)
        self._settling, self._sides, self._others = settling, sides, others
        self._taken: list[bool] = []

    def side(self, mask: Term) -> bool:
        """Return which side of a branch is taken; the other side is left for another path."""
        at = len(self._taken)
        taken = self._sides[at] if at < len(self._sides) else True
        if at >= len(self._sides):
            self._others.append((*self._taken, False))
        self._taken.append(taken)
        store, mask = self._settling.store, self._settling.settle(mask)
        mask = mask if taken else expand.logic(store, "not", mask)
        self.mask = expand.logic(store, "and", self.mask, mask)
        if self.mask is expand.truth(store, False):
            raise _Never
        return taken


def _row(name: str, values: list[Term], width: int) -> Memory:
    cells: dict[Whole, tuple[Value, int]] = {
        i * width: (value, width) for i, value in enumerate(values)
    }
    return Memory(name, width * len(values), cells)


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
