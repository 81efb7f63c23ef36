"""NumPy: what converts stored arrays into rows of the workspace, and results back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optgen.backends.abi import stage_buffers
from optgen.backends.storing import is_converted, storing
from optgen.ir import RANDOM, Elementwise, Half, Kernel


def stored_apart(kernel: Kernel, stage: Elementwise) -> Elementwise:
    """Return a stage without the roundings that its stores do."""
    return replace(stage, body=storing(kernel, stage).body)


def converted_arrays(kernel: Kernel, index: int) -> tuple[str, ...]:
    """Return the arrays of a stage that are kept in another type than the arithmetic one."""
    stage = kernel.stages[index]
    assert isinstance(stage, Elementwise)
    return tuple(n for n in stage_buffers(kernel, stage) if is_converted(kernel, n))


def load_lines(
    kernel: Kernel, stage: Elementwise, converted: tuple[str, ...], first: int
) -> Iterator[str]:
    """Yield what converts arrays into rows of the workspace, from row `first` on."""
    for row, name in enumerate(converted, first):
        yield f"{name} = work.rows[{row}, :count]"
        if name not in stage.loads:
            continue
        if kernel.buffer(name).dtype is Half.BFLOAT16:
            yield f"_load_bfloat16({name}_stored, {name})"
        else:
            yield f"np.copyto({name}, {name}_stored)"
    names = storing(kernel, stage).random
    if names:
        numbers = ", ".join(f"{RANDOM.index(name)}" for name in names)
        yield f"random = _random(first, count, steps, seed, number, [{numbers}])"
    for row, name in enumerate(names):
        yield f"{name} = random[{row}]"


def store_lines(kernel: Kernel, stage: Elementwise) -> Iterator[str]:
    """Yield what rounds results into the arrays that keep them."""
    for store in storing(kernel, stage).stores:
        if store.dtype is kernel.arithmetic:
            continue
        if store.random:
            yield f"_store_bfloat16_random({store.name}, {store.random}, {store.name}_stored)"
        elif store.dtype is Half.BFLOAT16:
            yield f"_store_bfloat16({store.name}, {store.name}_stored)"
        else:
            yield f'np.copyto({store.name}_stored, {store.name}, casting="unsafe")'


def random_argument(kernel: Kernel, stage: Elementwise) -> tuple[str, ...]:
    """Return what chooses random numbers, if a stage reads them."""
    chosen = ("first", "steps", "seed", "number")
    return chosen if storing(kernel, stage).random else ()
