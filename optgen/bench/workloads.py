"""What is updated: how many tensors, of which sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optgen.errors import UsageError

LARGE = 1 << 24
NAMES = ("large", "gpt2", "small", "sizes", "call")
SIZES = tuple(10**power for power in range(2, 9))


@dataclass(frozen=True, slots=True)
class Workload:
    """Some tensors.

    Attributes:
        name: What `--workload` calls it, with the size where there are several.
        sizes: Elements of each tensor.
        title: For tables and pictures.
    """

    name: str
    sizes: tuple[int, ...]
    title: str

    @property
    def elements(self) -> int:
        """How many there are in all."""
        return sum(self.sizes)


def gpt2_sizes() -> tuple[int, ...]:
    """Return the parameters of GPT-2 small, a tensor each.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners (2019), table 2,
    and the published model: 50257 tokens, 1024 positions, width 768, 12 layers; the output
    layer shares the embedding.
    """
    width = 768
    layer = [
        *(width, width),  # first normalization: weight, bias
        *(width * 3 * width, 3 * width),  # attention, inwards
        *(width * width, width),  # attention, outwards
        *(width, width),  # second normalization
        *(width * 4 * width, 4 * width),  # feed forward, inwards
        *(4 * width * width, width),  # feed forward, outwards
    ]
    return (50257 * width, 1024 * width, *(layer * 12), width, width)


def workloads(name: str, elements: int = LARGE) -> Iterator[Workload]:
    """Yield the workloads of a name.

    Raises:
        UsageError: There is none of this name, or the number of elements is not positive.
    """
    if elements < 1:
        raise UsageError(f"{elements} elements are none", fix="give a positive number")
    match name:
        case "large":
            yield Workload("large", (elements,), f"one tensor of {elements:,} elements")
        case "gpt2":
            sizes = gpt2_sizes()
            yield Workload("gpt2", sizes, f"GPT-2 small, {len(sizes)} tensors")
        case "small":
            drawn = np.random.default_rng(1).integers(64, 4300, 500)
            small = tuple(int(n) for n in drawn)
            yield Workload("small", small, f"500 tensors, {sum(small):,} elements")
        case "sizes":
            for size in SIZES:
                yield Workload(f"sizes {size}", (size,), f"one tensor of {size:,} elements")
        case "call":
            yield Workload("call 1", (10,), "one tensor of 10 elements")
            yield Workload("call 500", (10,) * 500, "500 tensors of 10 elements")
        case _:
            raise UsageError(f"there is no workload '{name}'", fix=f"one of {', '.join(NAMES)}")


def available_bytes() -> int | None:
    """Return how much memory can be had, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
    return 1024 * int(found[0]) if found else None
