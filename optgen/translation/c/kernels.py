"""Does a C file compute what its kernels' IR says, bit for bit?

Functions over elements are compared for every number of elements, functions that sum and
the walk over tensors, chunks and threads at named sizes. Together: every element of every
tensor of these calls gets the bits of the IR, whatever its values.
"""

from __future__ import annotations

from dataclasses import dataclass

from optgen.ir import Elementwise, Kernel
from optgen.translation.c.binding import base_name, stage_name
from optgen.translation.c.reading import Reading
from optgen.translation.c.stages import compare_elements
from optgen.translation.c.sums import compare_sums
from optgen.translation.c.walk import compare_walk
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


def compare_c(kernel: Kernel, reading: Reading) -> tuple[PartProof, ...]:
    """Compare what was read of a file with one of its kernels.

    Args:
        kernel: The kernel, after all passes.
        reading: The file.
    """
    program = reading.program
    if program.loose:
        return (PartProof(base_name(kernel), "different", program.loose[0]),)
    proofs = []
    for index, stage in enumerate(kernel.stages):
        try:
            if isinstance(stage, Elementwise) and not stage.reductions:
                found = compare_elements(kernel, index, program, Terms())
            else:
                found = compare_sums(kernel, index, program)
        except (Unsupported, RecursionError) as error:
            proofs.append(PartProof(stage_name(kernel, index), "unknown", str(error)))
        else:
            proofs.append(_judged(stage_name(kernel, index), found))
    try:
        proofs.append(_judged(base_name(kernel), compare_walk(kernel, program)))
    except (Unsupported, RecursionError) as error:
        proofs.append(PartProof(base_name(kernel), "unknown", str(error)))
    return tuple(proofs)


def _judged(part: str, found: str) -> PartProof:
    return PartProof(part, "different" if found else "equal", found)
