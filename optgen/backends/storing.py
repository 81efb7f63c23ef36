"""How a stage loads and stores arrays of other types than the arithmetic one.

A store rounds, so a rounding whose result nothing else reads is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from optgen.backends.expressions import C_TYPES
from optgen.ir import (
    CHUNK,
    RANDOM,
    ROUNDINGS,
    Assign,
    Elementwise,
    Half,
    Kernel,
    Operation,
    Ref,
    StorageType,
    reads,
    stage_expressions,
)


@dataclass(frozen=True, slots=True)
class Store:
    """One array that a stage writes.

    Attributes:
        name: Its name.
        dtype: The type that it is kept in.
        random: Name of the random number that the store rounds with, or an empty string.
        rounded: The assignment whose result is stored as it is, two bytes that the rest of the
            stage reads too; None where the store rounds.
    """

    name: str
    dtype: StorageType
    random: str = ""
    rounded: Assign | None = None


@dataclass(frozen=True, slots=True)
class Storing:
    """A stage, parted into what is computed and what is stored.

    Attributes:
        body: What is computed; roundings that stores do are left out.
        stores: What is stored, in order.
        random: Random numbers that body and stores read, in order.
    """

    body: tuple[Assign, ...]
    stores: tuple[Store, ...]
    random: tuple[str, ...]


def storing(kernel: Kernel, stage: Elementwise) -> Storing:
    """Return a stage with its last roundings left to the stores."""
    left = _left_to_stores(stage)
    stores = []
    for name in stage.stores:
        value = stage.body[left[name]].value if name in left else None
        given = value.operands[1:] if isinstance(value, Operation) else ()
        random = next((o.name for o in given if isinstance(o, Ref)), "")
        rounded = None if name in left else _rounded_before(stage, name)
        stores.append(Store(name, kernel.buffer(name).dtype, random, rounded))
    used = {name for expr in stage_expressions(stage) for name in reads(expr)}
    return Storing(
        tuple(a for i, a in enumerate(stage.body) if i not in left.values()),
        tuple(stores),
        tuple(name for name in RANDOM if name in used),
    )


def _left_to_stores(stage: Elementwise) -> dict[str, int]:
    """Return the line that rounds each stored name for its store alone."""
    found = {}
    for index, assign in enumerate(stage.body):
        value = assign.value
        if assign.target not in stage.stores or not isinstance(value, Operation):
            continue
        if value.name not in ROUNDINGS or value.operands[0] != Ref(assign.target):
            continue
        below = [a.value for a in stage.body[index + 1 :]] + [r.value for r in stage.reductions]
        touched = {a.target for a in stage.body[index + 1 :]}
        touched |= {name for expr in below for name in reads(expr)}
        if assign.target not in touched:
            found[assign.target] = index
    return found


def _rounded_before(stage: Elementwise, name: str) -> Assign | None:
    """Return the last assignment to a name, if it rounds to a type of two bytes."""
    last = [a for a in stage.body if a.target == name][-1]
    halves = isinstance(last.value, Operation) and last.value.name in ROUNDINGS[1:]
    return last if halves else None


HALF_TYPES = {"c": "uint16_t", "cuda": "unsigned short"}
"""How an element of two bytes is declared."""


def kept_type(kernel: Kernel, name: str, language: str) -> str:
    """Return the type of an array's elements, in `"c"` or `"cuda"`."""
    dtype = kernel.buffer(name).dtype
    return HALF_TYPES[language] if isinstance(dtype, Half) else C_TYPES[dtype]


def vector_type(kernel: Kernel, name: str, width: int) -> str:
    """Return the type of `width` neighbours in an array, in CUDA."""
    dtype = kernel.buffer(name).dtype
    return f"{'ushort' if isinstance(dtype, Half) else C_TYPES[dtype]}{width}"


def loaded(kernel: Kernel, name: str, value: str) -> str:
    """Return a value of an array as C and CUDA convert it to the arithmetic type."""
    dtype = kernel.buffer(name).dtype
    return f"load_{dtype.value}({value})" if isinstance(dtype, Half) else value


def stored(kernel: Kernel, store: Store, narrow: str) -> str:
    """Return a result as C and CUDA round it to the type of its array.

    Args:
        kernel: The kernel.
        store: What is stored.
        narrow: What rounds float64 to float32: a cast or an intrinsic.
    """
    if store.random:
        return f"store_bfloat16_stochastic({store.name}, {store.random})"
    if isinstance(store.dtype, Half):
        return f"store_{store.dtype.value}({store.name})"
    if store.dtype is not kernel.arithmetic:
        return f"{narrow}({store.name})" if narrow[0] != "(" else f"{narrow}{store.name}"
    return store.name


ELEMENT = ("const unsigned long long element", "const unsigned int lane")
"""What names an element in CUDA where it draws random numbers: a multiple of the vector, a rest."""


def random_fills(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what draws the random numbers of a chunk in C."""
    step = "(uint64_t)args.step_high << 32 | args.step_low"
    lines = []
    for name in names:
        lines.append(f"uint16_t {name}_v[{CHUNK}];")
        place = f"first + {RANDOM.index(name)}"
        lines.append(f"fill_random({name}_v, n, {place}, {step}, args.seed, tensor);")
    return tuple(lines)


def random_lines(language: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the declarations of an element's random numbers, in `"c"` or `"cuda"`."""
    if language == "c":
        return tuple(f"const uint32_t {name} = {name}_v[index];" for name in names)
    step = "(unsigned long long)args.step_high << 32 | args.step_low"
    lines = []
    for name in names:
        place = f"element / 8 * 8 + {RANDOM.index(name)}"
        lines.append(
            f"const unsigned int {name} = random_half("
            f"philox({place}, {step}, args.seed, args.tensor), element % 8 + lane);"
        )
    return tuple(lines)


def is_converted(kernel: Kernel, name: str) -> bool:
    """Whether an array is kept in another type than the arithmetic one."""
    return kernel.buffer(name).dtype is not kernel.arithmetic
