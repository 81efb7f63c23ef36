"""The kernels of a storage mix, printed and compiled for one run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import Kernel
from optgen.runtime.load import LoadedKernel, load_c


class Printed:
    """The text of one kernel, for NumPy and C.

    Args:
        heading: What stands at its head.
        kernel: The kernel.
    """

    def __init__(self, heading: Heading, kernel: Kernel) -> None:
        self._heading = heading
        self._texts = {t: BACKENDS[t].render(heading, [kernel])[0].text for t in ("c", "numpy")}

    def load(self, target: str) -> LoadedKernel:
        """Return the kernel, callable; C is compiled.

        Raises:
            BackendUnavailable: There is no C compiler.
            CompileError: It refuses the text.
        """
        name = self._heading.identifier
        if target == "numpy":
            return cast(LoadedKernel, load_module(name, self._texts["numpy"]))
        with TemporaryDirectory() as folder:  # what is compiled lies in the cache
            source, module = Path(folder, f"{name}.c"), Path(folder, f"{name}.py")
            source.write_text(self._texts["c"], encoding="utf-8")
            module.write_text(self._texts["numpy"], encoding="utf-8")
            return load_c(name, source, module)
