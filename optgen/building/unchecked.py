"""What a build says of kernels that it prints and cannot run on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from optgen.backends.base import Heading, SourceFile
from optgen.building.report import Row, RuleBuild
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


def unchecked_build(
    heading: Heading,
    kernel: Kernel,
    files: Mapping[str, tuple[SourceFile, ...]],
    algebra: str,
    reason: str,
) -> RuleBuild:
    """Return the build of one storage mix that was printed only.

    Args:
        heading: What the rule is.
        kernel: Its kernel.
        files: What was printed, by target.
        algebra: What is proved of the lowered kernel.
        reason: Why nothing was run.
    """
    rows = [
        Row(
            rule=heading.name,
            target=target,
            dtype=kernel.label,
            algebra=algebra,
            proof="not looked at",
            compile="",
            run="off",
            registers=None,
            spills=None,
            bytes_per_parameter=None,
            seconds=0.0,
        )
        for target in files
    ]
    printed = tuple(file for target in files for file in files[target])
    levels = (f"run ({kernel.label}): off, {reason}",)
    return RuleBuild(heading.name, heading.digest, printed, (), tuple(rows), levels)
