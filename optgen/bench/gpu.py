"""Times CUDA kernels against one that moves the same bytes and computes nothing.

The floor has a launch for every launch of the rule that touches its arrays: it reads and writes
the same ones, in the same widths, and combines the words by exclusive or. Times are the device's
own, between two events; whoever takes part does so in turns, in an order drawn anew each time.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optgen.bench.intervals import Ratio, ratio_of_medians
from optgen.crosscheck.launch.standin import Entry
from optgen.runtime.cuda.arrays import SIZES, DeviceArray
from optgen.runtime.cuda.description import Description, Launch, Variant
from optgen.runtime.cuda.driver import Device, Driver
from optgen.runtime.cuda.images import Image
from optgen.runtime.cuda.launchers import DriverLauncher, Prepared

_VECTORS = {16: "optgen_w4", 8: "optgen_w2", 4: "optgen_w1"}
_WORDS = """struct alignas(16) optgen_w4 { unsigned int x, y, z, w; };
struct alignas(8) optgen_w2 { unsigned int x, y; };
struct alignas(4) optgen_w1 { unsigned int x; };
"""
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """One launch of a floor: what it reads, and which of that it writes too."""

    entry: str
    buffers: tuple[str, ...]
    writes: tuple[str, ...]
    vector: int


def moved_by(variant: Variant) -> tuple[Moved, ...]:
    """Return the launches of the floor of a rule."""
    names = {buffer.name for buffer in variant.buffers}
    found = []
    for launch in variant.launches:
        touched = tuple(name for name in launch.parameters if name in names)
        if touched:
            found.append(Moved(f"floor_{launch.entry}", touched, launch.writes, launch.vector))
    return tuple(found)


def bytes_moved(variant: Variant) -> int:
    """Return how many bytes a step moves per element: each array once for every launch and way."""
    sizes = {buffer.name: SIZES[buffer.type] for buffer in variant.buffers}
    return sum(
        sizes[name] * (2 if name in moved.writes else 1)
        for moved in moved_by(variant)
        for name in moved.buffers
    )


def floor_source(description: Description) -> str:
    """Return the CUDA text of the floors of all variants."""
    kernels = [_floor(v, moved) for v in description.variants for moved in moved_by(v)]
    return "\n".join((_WORDS, *kernels))


def floor_entries(description: Description) -> tuple[Entry, ...]:
    """Return the floor's kernels as the stand-in driver wants to know them."""
    return tuple(
        Entry(
            moved.entry,
            "p" * len(moved.buffers) + "n",
            (*(_sizes(variant)[name] for name in moved.buffers), 0),
        )
        for variant in description.variants
        for moved in moved_by(variant)
    )


def _sizes(variant: Variant) -> Mapping[str, int]:
    return {buffer.name: SIZES[buffer.type] for buffer in variant.buffers}


def _floor(variant: Variant, moved: Moved) -> str:
    sizes = _sizes(variant)
    kinds = {name: _VECTORS[sizes[name] * moved.vector] for name in moved.buffers}
    constant = {name: "" if name in moved.writes else "const " for name in moved.buffers}
    given = [f"{constant[n]}{kinds[n]}* __restrict__ {n}" for n in moved.buffers]
    loads = [f"    {kinds[n]} {n}_v = {n}[index];" for n in moved.buffers]
    parts = {16: "xyzw", 8: "xy", 4: "x"}
    words = [
        f"{name}_v.{part}" for name in moved.buffers for part in parts[sizes[name] * moved.vector]
    ]
    stores = [
        line
        for name in moved.writes
        for line in (
            *(f"    {name}_v.{part} ^= all;" for part in parts[sizes[name] * moved.vector]),
            f"    {name}[index] = {name}_v;",
        )
    ]
    body = "\n".join((*loads, f"    const unsigned int all = {' ^ '.join(words)};", *stores))
    return f"""extern "C" __global__ void __launch_bounds__(256, 2)
{moved.entry}({", ".join(given)}, const unsigned long long n) {{
  const unsigned long long stride = (unsigned long long)gridDim.x * blockDim.x;
  const unsigned long long first = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (unsigned long long index = first; index < n / {moved.vector}; index += stride) {{
{body}
  }}
}}
"""


class Floor:
    """The floor of one rule, ready to be launched.

    Args:
        driver: The driver.
        device: The device.
        image: What `floor_source` was compiled to.
        variant: The variant of the rule.
        arrays: Its arrays, by name; their content is lost.
        block: Threads per block.
    """

    def __init__(
        self,
        driver: Driver,
        device: Device,
        image: Image,
        variant: Variant,
        arrays: Mapping[str, DeviceArray],
        block: int,
    ) -> None:
        self._launcher, self._block = DriverLauncher(driver, device), block
        module = self._launcher.load(image)
        n = next(iter(arrays.values())).view.size
        self._launches: list[tuple[Prepared, int]] = []
        for moved in moved_by(variant):
            function = self._launcher.function(module, moved.entry)
            resident = self._launcher.blocks(function, block) * device.multiprocessors
            given = [np.array(arrays[name].view.address, np.uint64) for name in moved.buffers]
            prepared = self._launcher.prepare(
                moved.entry, function, [*given, np.array(n, np.uint64)]
            )
            needed = -(-n // (moved.vector * block))
            self._launches.append((prepared, max(1, min(needed, resident))))

    def __call__(self) -> None:
        """Launch it on the default stream."""
        for prepared, blocks in self._launches:
            self._launcher.launch(prepared, blocks, self._block, 0)


@dataclass(frozen=True, slots=True)
class Timed:
    """What one contestant took.

    Attributes:
        name: Who.
        seconds: Of the device, a turn each.
    """

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of all turns."""
        return statistics.median(self.seconds)

    def against(self, floor: Timed) -> Ratio:
        """Return the ratio of medians to the floor's, with its interval."""
        return ratio_of_medians(self.seconds, floor.seconds)


def take_turns(
    driver: Driver,
    device: Device,
    contestants: Mapping[str, Callable[[], None]],
    turns: int,
    *,
    repeat: int = 1,
    seed: int = 0,
) -> tuple[Timed, ...]:
    """Time contestants that launch on the default stream.

    Args:
        driver: The driver.
        device: The device.
        contestants: What is timed, by name.
        turns: How many times.
        repeat: Calls between two events.
        seed: Of the order within each turn.

    Returns:
        One for each, in their order; seconds are of one call.
    """
    order, drawn = list(contestants), random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    with driver.current(device):
        start, end = driver.event(), driver.event()
        for _ in range(WARM_UP):
            for run in contestants.values():
                run()
        for _ in range(turns):
            drawn.shuffle(order)
            for name in order:
                driver.must("cuEventRecord", start, 0)
                for _ in range(repeat):
                    contestants[name]()
                driver.must("cuEventRecord", end, 0)
                times[name].append(driver.elapsed(start, end) / repeat)
        for event in (start, end):
            driver.must("cuEventDestroy_v2", event)
    return tuple(Timed(name, tuple(found)) for name, found in times.items())


def launches_of(description: Description) -> Iterator[Launch]:
    """Yield every launch of a description."""
    for variant in description.variants:
        yield from variant.launches


def table(rows: Sequence[tuple[str, int, Sequence[Timed]]]) -> str:
    """Return ratios and rates as text: (label, bytes of a step, times with the floor first)."""
    lines = [
        "rule and types                             who              median    x floor    GB/s"
    ]
    for label, size, times in rows:
        for timed in times:
            ratio = timed.against(times[0])
            rate = size / timed.median / 1e9
            lines.append(
                f"{label:42} {timed.name:14} {timed.median * 1e3:8.3f} ms {ratio.value:6.2f} "
                f"({ratio.low:.2f}-{ratio.high:.2f}) {rate:8.0f}"
            )
    return "\n".join(lines)
