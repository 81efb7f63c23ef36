"""What the functions of a generated file are given: arguments as symbols and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optgen.backends.abi import abi, reads_tensor_scalars, stage_buffers
from optgen.ir import Elementwise, Kernel, Scalars
from optgen.translation.c.code import Float, Function, Int, Many, Ptr, Type
from optgen.translation.c.drawing import draws, words
from optgen.translation.c.integers import Whole
from optgen.translation.c.memory import Memory, Pointer, Value
from optgen.translation.terms import Terms, TermType
from optgen.verify.verdicts import Unsupported


def base_name(kernel: Kernel) -> str:
    """Return what the names of a kernel's functions begin with."""
    return f"optgen_{kernel.name}_{kernel.arithmetic.value}"


def stage_name(kernel: Kernel, index: int) -> str:
    """Return the function of a stage."""
    return base_name(kernel) + (f"_stage{index + 1}" if len(kernel.stages) > 1 else "_update")


def stage_parameters(kernel: Kernel, index: int) -> tuple[str, ...]:
    """Return what a stage is called with, in order; `args` is the structure of host values."""
    stage = kernel.stages[index]
    if isinstance(stage, Scalars):
        return ("args", "chunks", "partials", "stride", "scalars")
    sums: tuple[str, ...] = ("partials", "stride") if stage.reductions else ()
    sums += ("first", "tensor") if draws(kernel, index) else ()
    shared = ("scalars",) if reads_tensor_scalars(kernel, stage) else ()
    return ("n", "args", *stage_buffers(kernel, stage), *sums, *shared)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Host values, as a structure in memory.

    Attributes:
        fields: The value of each field.
        type: Its type; of words, which stand last, another one of the same size.
    """

    fields: tuple[Value, ...]
    type: TermType

    def memory(self) -> Memory:
        """Return the structure in memory."""
        width = 4 if self.type == "float32" else 8
        cells: dict[Whole, tuple[Value, int]] = {
            i * width: (value, width) for i, value in enumerate(self.fields)
        }
        return Memory("args", width * len(self.fields), cells, writable=False)


def arguments(kernel: Kernel, store: Terms) -> Arguments:
    """Return the host values of a kernel, each a symbol."""
    kind: TermType = kernel.arithmetic.value
    names = abi(kernel).fields or ("unused",)  # C knows no empty structure
    values = [store.scalar(name, kind) for name in names]
    values += [store.scalar(name, "bits32") for name in words(kernel)]
    return Arguments(tuple(values), kind)


def bound(
    function: Function, names: tuple[str, ...], given: Mapping[str, Value], args: Arguments
) -> tuple[Value, ...]:
    """Return the arguments of a call of a stage.

    A small structure that is passed by value arrives in registers, its fields packed as
    x86-64 and others do it: two floats as one vector, doubles one by one.

    Raises:
        Unsupported: The parameters are others.
    """
    kinds = [kind for _, kind in function.parameters]
    extra = len(kinds) - len(names)
    place = names.index("args")
    packed = kinds[place : place + extra + 1]
    if extra < 0 or any(
        not isinstance(k, Ptr | Int) for k in (*kinds[:place], *kinds[place + extra + 1 :])
    ):
        raise Unsupported(f"line {function.line}: {function.name} has other parameters")
    found = [given[name] for name in names[:place]]
    if packed == [Ptr()]:
        found.append(Pointer(args.memory(), 0))
    else:
        found += _packed(function, packed, args)
    return (*found, *(given[name] for name in names[place + 1 :]))


def _packed(function: Function, kinds: list[Type], args: Arguments) -> list[Value]:
    left = [*args.fields]
    found: list[Value] = []
    for kind in kinds:
        match kind:
            case Float(name) if name == args.type and left:
                found.append(left.pop(0))
            case Many(2, Float(name)) if name == args.type and len(left) >= 2:
                found.append((left.pop(0), left.pop(0)))
            case _:
                raise Unsupported(f"line {function.line}: {function.name}: how args come")
    if left:
        raise Unsupported(f"line {function.line}: {function.name}: how args come")
    return found


def buffer_parameters(kernel: Kernel, index: int) -> tuple[str, ...]:
    """Return the arrays that a stage is given, in order."""
    stage = kernel.stages[index]
    return stage_buffers(kernel, stage) if isinstance(stage, Elementwise) else ()
