"""Level `launch` of `optgen verify`: launchers, to the end, against a driver that is not one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from optgen.cli.outcome import Check, Findings
from optgen.cli.selection import select
from optgen.errors import CompileError


def check_launch(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> Findings:
    """Step the CUDA kernels of rules through the launcher and the stand-in driver.

    Raises:
        BackendUnavailable: There is no C or no C++ compiler.
    """
    from optgen.crosscheck.host.running import HostCompiler, find_cpp
    from optgen.crosscheck.launch.launching import launch_differences, printed_rule
    from optgen.crosscheck.launch.standin import (
        StandIn,
        compile_kernels,
        compile_standin,
        entries_of,
    )
    from optgen.runtime.compiler import find_compiler

    chosen = select(names, claims, folders)
    found, cpp = find_compiler(), find_cpp()
    checks = []
    with tempfile.TemporaryDirectory(prefix="optgen-") as scratch:
        folder = Path(scratch)
        standin = StandIn(compile_standin(HostCompiler(found.command, found.version), folder))
        for name in chosen.rules:
            printed = printed_rule(chosen.catalogue[name])
            label = f"{name} (driver)"
            try:
                library = compile_kernels(
                    cpp, printed.source, entries_of(printed.kernels), folder, printed.identifier
                )
                standin.register(library)
                said = "; ".join(launch_differences(standin, printed))
                checks.append(Check(label, "failed" if said else "passed", said or "= NumPy"))
            except CompileError as error:
                checks.append(Check(label, "unknown", f"{error.what}: {error.output[:200]}"))
    notes = (
        f"the driver is a stand-in, which runs CUDA text compiled as C++ ({cpp.version}); no GPU "
        "took part",
        "PyCUDA: not run; tests/crosscheck/launch/test_pycuda.py does, where it is installed",
    )
    return Findings(tuple(checks), notes)
