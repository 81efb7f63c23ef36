"""What happens to a kernel between lowering and printing: each pass takes and gives a kernel."""

from __future__ import annotations

from collections.abc import Callable

from optgen.ir import Kernel
from optgen.passes.hoist import hoist
from optgen.passes.powers import powers
from optgen.validate import validate

PASSES: tuple[Callable[[Kernel], Kernel], ...] = (powers, hoist)


def run_passes(kernel: Kernel) -> Kernel:
    """Run all passes in order; the kernel is validated after each."""
    validate(kernel, "lower")
    for transform in PASSES:
        kernel = validate(transform(kernel), transform.__name__)
    return kernel
