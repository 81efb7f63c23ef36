"""Random numbers in C: what `fill_random` leaves in an array, and whether it is the IR's stream.

Kernels are read with the numbers of an element as values of their own, which only a call with
the right place, step, seed and tensor gives. The function itself is run on whole numbers, at
places, steps and seeds of all sizes, against Philox as its paper has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from optgen.backends.storing import storing
from optgen.ir import CHUNK, RANDOM, Elementwise, Kernel
from optgen.philox import random_numbers
from optgen.translation.c import bitwise
from optgen.translation.c.calls import known_call
from optgen.translation.c.code import Program, Step
from optgen.translation.c.integers import Whole, minus
from optgen.translation.c.machine import EndlessLoop, Hook, Machine, Undecided
from optgen.translation.c.memory import Fault, Memory, Pointer, Value
from optgen.translation.terms import Terms, TermType
from optgen.verify.verdicts import Unsupported

FILL = "fill_random"
_WORD: TermType = "bits16"
_BYTES = 2

COUNTS = (20, 1, 24, 8, 17)
_PLACES = (0, 8 * 5_000_000_001, CHUNK + 24, 2**60 + 2**50 + 8)
_STEPS = (1, 2**32 - 1, 2**32 + 5, 2**53)
_SEEDS = (0, 1, 0x9E3779B9, 2**32 - 1)
_TENSORS = (0, 1, 2**32 - 1)


def words(kernel: Kernel) -> tuple[str, ...]:
    """Return the words that stand behind the host values, in order."""
    return ("seed", "step_low", "step_high") if kernel.random else ()


def draws(kernel: Kernel, index: int) -> bool:
    """Whether a stage draws random numbers."""
    stage = kernel.stages[index]
    return isinstance(stage, Elementwise) and bool(storing(kernel, stage).random)


@dataclass(slots=True)
class Drawing:
    """The random numbers of one call of a stage.

    Attributes:
        n: How many elements there are.
        first: The number of the first one in its tensor.
        tensor: The number of its tensor.
        fill: What puts the random numbers of a name into the memory of a function.
        filled: The pieces of memory that hold random numbers.
    """

    n: Whole
    first: Whole
    tensor: Value
    fill: Callable[[Memory, str], None]
    filled: list[Memory] = field(default_factory=list)

    def hook(self, name: str) -> Hook | None:
        """Return what a call does that is not followed."""
        return self._drawn if name == FILL else known_call(name)

    def _drawn(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        out, n, place, steps, seed, tensor = operands
        if not isinstance(out, Pointer) or out.memory is None or out.offset != 0:
            raise Unsupported(f"where {FILL} writes")
        if out.memory.size != CHUNK * _BYTES or out.memory.cells:
            raise Unsupported(f"{FILL} writes to what is no array of its own")
        if n != self.n or tensor != self.tensor:
            raise Fault(
                f"line {step.line}: {FILL} for another tensor, or another number of elements"
            )
        number = minus(place, self.first) if not isinstance(place, Pointer) else None  # type: ignore[arg-type]
        if not isinstance(number, int) or not 0 <= number < len(RANDOM):
            raise Fault(f"line {step.line}: {FILL} at another place")
        bits = machine.bits
        low, high, chosen = (
            bits.of(machine.store.scalar(name, "bits32"))
            for name in ("step_low", "step_high", "seed")
        )
        for what, given, wanted in (
            ("step", steps, bits.joined((low, high))),
            ("seed", seed, chosen),
        ):
            if not bits.same(bitwise.word(machine, given, wanted.width), wanted):
                raise Fault(f"line {step.line}: {FILL} with another {what}")
        self.fill(out.memory, RANDOM[number])
        self.filled.append(out.memory)
        return 0


def fill_differs(program: Program) -> str:
    """Say for which numbers `fill_random` leaves others than the IR's; empty if for none.

    Raises:
        Unsupported: The code is not followed.
    """
    chosen = itertools.product(_SEEDS, _TENSORS)
    turns = map(itertools.cycle, (COUNTS, _PLACES, _STEPS, range(len(RANDOM))))
    for (seed, tensor), count, first, step, number in zip(chosen, *turns, strict=False):
        machine = Machine(program, Terms(), known_call)
        out = Memory("out", -(-count // 8) * 8 * _BYTES)
        try:
            machine.call(FILL, (Pointer(out, 0), count, first + number, step, seed, tensor))
        except Fault as fault:
            return f"{FILL}: {fault}"
        except (Undecided, EndlessLoop) as error:
            raise Unsupported(f"{FILL}: {error}") from error
        wanted = random_numbers(count, step, seed, tensor, first=first)[RANDOM[number]]
        found = [out.cells.get(i * _BYTES) for i in range(count)]
        if found != [(int(word), _BYTES) for word in wanted]:
            return (
                f"{FILL}: other numbers for {count} elements from {first} on, step {step}, "
                f"seed {seed}, tensor {tensor}"
            )
    return ""
