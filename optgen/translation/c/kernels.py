"""Does a C file compute what its kernels' IR says, bit for bit?

Functions over elements are compared for every number of elements, functions that sum and
the walk over tensors, chunks and threads at named sizes. Together: every element of every
tensor of these calls gets the bits of the IR, whatever its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from optgen.ir import Elementwise, Kernel
from optgen.translation.c.binding import base_name, stage_name
from optgen.translation.c.drawing import FILL, fill_differs
from optgen.translation.c.hosts import compare_host, host_name
from optgen.translation.c.reading import Reading
from optgen.translation.c.stages import compare_elements
from optgen.translation.c.sums import SIZES, compare_sums
from optgen.translation.c.walk import compare_walk
from optgen.translation.crashes import CRASHES, crashed
from optgen.translation.terms import Terms
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class PartProof:
    """What was found for one part of a file.

    Attributes:
        part: A function.
        outcome: `"equal"`, `"different"` or `"unknown"`.
        detail: What differs and where, or what is not followed.
    """

    part: str
    outcome: str
    detail: str = ""


def compare_c(
    kernel: Kernel, reading: Reading, *, sizes: Sequence[int] = SIZES
) -> Iterator[PartProof]:
    """Compare what was read of a file with one of its kernels, part by part.

    Args:
        kernel: The kernel, after all passes.
        reading: The file.
        sizes: Numbers of elements at which functions that sum are read.
    """
    program = reading.program
    if program.loose:
        yield PartProof(base_name(kernel), "different", program.loose[0])
        return
    parts: list[tuple[str, Callable[[], str]]] = []
    for index, stage in enumerate(kernel.stages):
        name = stage_name(kernel, index)
        if isinstance(stage, Elementwise) and not stage.reductions:
            parts.append((name, partial(compare_elements, kernel, index, program, Terms())))
        else:
            parts.append((name, partial(compare_sums, kernel, index, program, sizes)))
    parts.append((base_name(kernel), partial(compare_walk, kernel, program)))
    parts.append((host_name(kernel), partial(compare_host, kernel, program)))
    if kernel.random:
        parts.append((FILL, partial(fill_differs, program)))
    for name, compare in parts:
        try:
            found = compare()
        except Unsupported as error:
            yield PartProof(name, "unknown", str(error))
        except CRASHES as error:
            yield PartProof(name, "unknown", crashed(error))
        else:
            yield PartProof(name, "different" if found else "equal", found)
