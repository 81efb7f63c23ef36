"""The floor: compiled loops that move what a rule's kernel moves, and compute nothing.

One loop for each pass over the elements, with the pass's loads and stores, read off the
lowered kernel; the words are combined by exclusive or, so there is no floating-point
arithmetic. Compiler, flags, threads and the cutting into parts are those of our C.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optgen.backends.c import SMALLEST_PART
from optgen.ir import Elementwise, Kernel
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library

_TEXT = """#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif
{functions}
static int parts_of(const uint64_t total) {{
  int parts = 1;
#ifdef _OPENMP
  parts = omp_get_max_threads();
#endif
  return 1 + total / {smallest} < (uint64_t)parts ? (int)(1 + total / {smallest}) : parts;
}}
void floor_all(const uint64_t tensors, const uint64_t *n, void *const *pointers) {{
  uint64_t total = 0;
  for (uint64_t t = 0; t < tensors; ++t) total += n[t];
  const int parts = parts_of(total);
{passes}
}}
"""
_FUNCTION = """static void pass_{index}(const uint64_t n, {parameters}) {{
  for (uint64_t i = 0; i < n; ++i) {{
    const uint64_t word = {words};
{stores}
  }}
}}
static void part_{index}(const uint64_t tensors, const uint64_t *n, void *const *pointers,
    const uint64_t start, const uint64_t stop) {{
  uint64_t first = 0;
  for (uint64_t t = 0; t < tensors && first < stop; first += n[t++]) {{
    const uint64_t from = start > first ? start - first : 0;
    const uint64_t to = n[t] < stop - first ? n[t] : stop - first;
    if (from < to) pass_{index}(to - from, {arguments});
  }}
}}
"""
_PASS = """#ifdef _OPENMP
#pragma omp parallel for num_threads(parts) schedule(static)
#endif
  for (int part = 0; part < parts; ++part)
    part_{index}(tensors, n, pointers, total / parts * part,
                 part + 1 < parts ? total / parts * (part + 1) : total);"""


def floor_text(kernel: Kernel) -> str:
    """Return the C of a kernel's floor; `pointers` has a row for each buffer of the kernel."""
    functions, passes = [], []
    names = [b.name for b in kernel.buffers]
    for index, stage in enumerate(s for s in kernel.stages if isinstance(s, Elementwise)):
        touched = [n for n in names if n in {*stage.loads, *stage.stores}]
        words = {n: f"uint{8 * kernel.buffer(n).dtype.size}_t" for n in touched}
        const = {n: "" if n in stage.stores else "const " for n in touched}
        parameters = (f"{const[n]}{words[n]} *restrict {n}" for n in touched)
        arguments = (
            f"({const[n]}{words[n]} *)pointers[{names.index(n)} * tensors + t] + from"
            for n in touched
        )
        functions.append(
            _FUNCTION.format(
                index=index,
                parameters=", ".join(parameters),
                words=" ^ ".join(f"{n}[i]" for n in stage.loads) or "i",
                # another constant for each: what is equal would cancel in the next pass
                stores="\n".join(
                    f"    {n}[i] = ({words[n]})(word ^ {k});" for k, n in enumerate(stage.stores)
                ),
                arguments=", ".join(arguments),
            )
        )
        passes.append(_PASS.format(index=index))
    return _TEXT.format(
        functions="".join(functions), passes="\n".join(passes), smallest=SMALLEST_PART
    )


def floor_on(kernel: Kernel, arrays: Mapping[str, Sequence[Any]]) -> Callable[[], None]:
    """Return a call of the floor on some arrays, a list of tensors for each buffer.

    Raises:
        BackendUnavailable: There is no C compiler.
        CompileError: The compiler refuses the text.
    """
    path: Path = compiled_library(find_compiler(), floor_text(kernel), "floor.c")
    call = ctypes.CDLL(str(path)).floor_all
    call.argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p]
    call.restype = None
    rows = [arrays[b.name] for b in kernel.buffers]
    counts = np.array([a.size for a in rows[0]], np.uint64)
    pointers = np.array([[a.ctypes.data for a in row] for row in rows], np.uintp)
    held = (counts, pointers, rows)

    def run() -> None:
        call(held[0].size, held[0].ctypes.data, held[1].ctypes.data)

    return run
