"""What a build says of kernels that it prints and proves, and cannot run on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from optgen.backends.base import Heading
from optgen.building.report import Row
from optgen.crosscheck.types import array_type
from optgen.errors import BackendUnavailable
from optgen.ir import Kernel


def why_unchecked(kernels: Iterable[Kernel]) -> str:
    """Return why NumPy has no arrays for some kernels here, or an empty string."""
    try:
        for dtype in (b.dtype for kernel in kernels for b in kernel.buffers):
            array_type(dtype)
    except BackendUnavailable as error:
        return f"{error.what} ({error.fix})"
    return ""


def unchecked_rows(heading: Heading, kernel: Kernel, targets: Iterable[str]) -> list[Row]:
    """Return the rows of one storage mix that is printed and proved, and not run.

    Args:
        heading: What the rule is.
        kernel: Its kernel.
        targets: What was printed.
    """
    return [
        Row(
            rule=heading.name,
            target=target,
            dtype=kernel.label,
            algebra="",
            proof="",
            compile="",
            run="off",
            registers=None,
            spills=None,
            bytes_per_parameter=None,
            seconds=0.0,
        )
        for target in targets
    ]
