"""Level `gpu` of `optgen verify`: CUDA kernels on hardware, with the bits of the NumPy modules."""

from __future__ import annotations

from pathlib import Path

from optgen.cli.outcome import Check, Findings
from optgen.cli.selection import select
from optgen.ir import CHUNK
from optgen.spec import OptimizerSpec

SIZES = (5, 0, 1, 1023, CHUNK + 1, 2 * CHUNK, 1_000_003)
"""Elements of the tensors of one call."""


def check_gpu(names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]) -> Findings:
    """Step the CUDA kernels of rules on the first device and compare every bit.

    Raises:
        BackendUnavailable: There is no driver, no device, or no code for it.
    """
    from optgen.runtime.cuda.driver import find_driver

    driver = find_driver()
    device = driver.device(0)
    chosen = select(names, claims, folders)
    checks = tuple(_check(chosen.catalogue[name], device.name) for name in chosen.rules)
    version = f"{driver.version // 1000}.{driver.version % 1000 // 10}"
    note = f"{device.name}, {device.arch}, {device.multiprocessors} multiprocessors, CUDA {version}"
    return Findings(checks, (note,))


def _check(spec: OptimizerSpec, device: str) -> Check:
    from optgen.crosscheck.launch.launching import launched, printed_rule, stepped_difference
    from optgen.runtime.cuda.driver import find_driver

    printed = printed_rule(spec)
    kernel = launched(printed, find_driver())
    said = [
        f"{lowered.arithmetic.value}: {found}"
        for lowered in printed.kernels
        if (found := stepped_difference(kernel, printed, lowered, SIZES))
    ]
    return Check(
        spec.name, "failed" if said else "passed", "; ".join(said) or f"= NumPy on {device}"
    )
