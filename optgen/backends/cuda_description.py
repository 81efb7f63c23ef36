"""The `.json` beside a CUDA file: how a program that cannot read C is to call its kernels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from optgen.backends.abi import BLOCK, abi
from optgen.backends.base import Heading, SourceFile
from optgen.ir import CHUNK, Kernel, Scalars

FORMAT = 1
"""What `optgen.runtime.cuda.description` reads."""


def cuda_description(heading: Heading, kernels: Iterable[Kernel]) -> SourceFile:
    """Return the description of one rule's CUDA file.

    It names the kernels' arrays, the fields of their argument struct, in order, and launches.
    """
    content = {
        "format": FORMAT,
        "rule": heading.request,
        "digest": heading.digest,
        "block": BLOCK,
        "chunk": CHUNK,
        "kernels": [_kernel(kernel) for kernel in kernels],
    }
    return SourceFile(f"cuda/{heading.identifier}.json", json.dumps(content, indent=2) + "\n")


def _kernel(kernel: Kernel) -> dict[str, Any]:
    called = abi(kernel)
    width = 16 // kernel.arithmetic.size
    return {
        "arithmetic": kernel.arithmetic.value,
        "struct": called.struct,
        "fields": [*called.fields],
        "words": [*called.words],
        "buffers": [
            {"name": b.name, "type": b.dtype.value, "written": b.writable} for b in kernel.buffers
        ],
        "launches": [
            {
                "entry": launch.entry,
                "grid": launch.grid,
                "parameters": [*launch.parameters],
                "writes": [] if isinstance(stage, Scalars) else [*stage.stores],
                "vector": 1 if isinstance(stage, Scalars) else width,
            }
            for launch, stage in zip(called.launches, kernel.stages, strict=True)
        ],
        "partials": called.partials,
        "scalars": called.scalars,
    }
