"""What happens to a kernel between lowering and printing: each pass takes and gives a kernel."""

from __future__ import annotations

from collections.abc import Callable

from optgen.ir import Kernel
from optgen.passes.hoist import hoist
from optgen.passes.powers import powers
from optgen.passes.prologue import prologue
from optgen.validate import validate

PASSES: tuple[Callable[[Kernel], Kernel], ...] = (powers, hoist, prologue)


def run_passes(kernel: Kernel) -> Kernel:
    """Run all passes in order; the kernel is validated after each."""
    hoisted = False
    validate(kernel, "lower", hoisted=hoisted)
    for transform in PASSES:
        hoisted = hoisted or transform is hoist
        kernel = validate(transform(kernel), transform.__name__, hoisted=hoisted)
    return kernel
