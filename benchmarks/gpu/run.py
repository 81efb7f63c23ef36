"""Everything that wants a GPU, in one command: bits first, then times.

    python benchmarks/gpu/run.py [--elements 100000000] [--turns 41] [--only bits|times] [--write]

Bits: every rule in both types, and some in storage mixes, tensors of many sizes in one call, three
steps, against the NumPy modules. Times: every rule in float32, and one of each family in storage
mixes, against a kernel that moves the same bytes and computes nothing, a copy on the device, and
torch's ways of doing it where torch is installed; some rules with GPT-2 small's tensors and with
500 small ones; the device's own clock, in turns. With --write
the results go to benchmarks/results/gpu.json, with device, driver, versions, date and the hash of
every kernel. Needs the driver, NVRTC and ml_dtypes (wheels will do), no network and no toolkit.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from optgen.bench.gpu import Floor, Timed, bytes_moved, floor_source, table, take_turns
from optgen.bench.torch_rules import CLASSES, WAYS
from optgen.bench.workloads import Workload, workloads
from optgen.cli.gpu import SIZES
from optgen.crosscheck.launch.launching import (
    Printed,
    launched,
    printed_rule,
    stepped_difference,
)
from optgen.errors import LaunchError
from optgen.loader import load_catalogue
from optgen.runtime.cuda import arrays, description, driver, images
from optgen.storage import parse_storage

RESULTS = Path(__file__).resolve().parents[1] / "results"
MIXES = (
    "bfloat16-bfloat16-float32",
    "bfloat16-bfloat16-bfloat16",
    "bfloat16-bfloat16-float32-float32",
    "bfloat16-bfloat16-bfloat16+stochastic",
    "bfloat16-bfloat16-bfloat16+kahan",
)
FAMILIES = ("adamw", "lion", "sgd", "amsgrad", "lamb")
"""Rules that are tried in every mix; amsgrad moves 36 bytes per parameter in float32."""
LISTS = ("gpt2", "small")
IN_LISTS = ("adamw", "nadam", "sgd", "lion")
"""Rules that are stepped with many tensors in one call, a launch each so far."""
_FILLED = 1 << 20


def bits(found: driver.Driver) -> Iterator[dict[str, str]]:
    """Yield what became of every rule and type."""
    catalogue = load_catalogue()
    asked = [(name, None) for name in catalogue]
    asked += [(name, mix) for name in FAMILIES for mix in MIXES]
    for name, mix in asked:
        printed = printed_rule(catalogue[name], parse_storage(mix) if mix else None)
        kernel = launched(printed, found)
        for lowered in printed.kernels:
            said = stepped_difference(kernel, printed, lowered, SIZES)
            label = mix or lowered.arithmetic.value
            yield {"rule": name, "types": label, "difference": said}
            print(f"{name:18} {label:42} {said or '= NumPy'}", flush=True)


def filled(found: driver.Driver, device: driver.Device, n: int, kind: str) -> arrays.DeviceArray:
    """Return an array of small positive numbers, the same 2^20 of them again and again."""
    array = arrays.DeviceArray(found, device, (n,), kind)
    some = np.random.default_rng(3).uniform(0.1, 1.0, min(n, _FILLED)).astype(np.float32)
    if kind == "bfloat16":
        data = (some.view(np.uint32) >> 16).astype(np.uint16)
    else:
        data = some.astype(kind)
    start, size, have = array.view.address, array.view.nbytes, data.nbytes
    with found.current(device):
        found.must("cuMemcpyHtoD_v2", start, data.ctypes.data, have)
        while have < size:
            more = min(have, size - have)
            found.must("cuMemcpyDtoD_v2", start + have, start, more)
            have += more
    return array


def torch_rivals(name: str, sizes: Sequence[int]) -> dict[str, Callable[[], None]]:
    """Return torch's ways of doing a rule, on tensors of their own."""
    try:
        import torch
    except ImportError:
        return {}
    if name not in CLASSES or not torch.cuda.is_available():
        return {}
    kind, _, given = CLASSES[name]
    rivals = {}
    for way, chosen in WAYS.items():
        tensors = [torch.rand(n, device="cuda").requires_grad_() for n in sizes]
        for tensor in tensors:
            tensor.grad = torch.rand_like(tensor)
        try:
            optimizer = getattr(torch.optim, kind)(tensors, lr=1e-3, **given, **chosen)
            optimizer.step()
        except (TypeError, RuntimeError) as error:
            print(f"torch {way}: {name}: {str(error).splitlines()[0]}", flush=True)
            continue
        rivals[f"torch {way}"] = optimizer.step
    return rivals


def timed(
    found: driver.Driver, printed: Printed, sizes: Sequence[int], turns: int, rivals: bool
) -> tuple[int, tuple[Timed, ...]]:
    """Return the bytes of a step of the first variant of a rule, and everybody's times.

    Tensors of the sizes are stepped in one call; the floor moves as much in one array each.
    """
    device = found.device(0)
    said = description.parse_description(printed.description)
    variant = said.variants[0]
    text = floor_source(said)
    image = images.image_for(text, f"floor_{printed.identifier}.cu", device.arch, Path("none"))
    kernel = launched(printed, found)
    made = {b.name: [filled(found, device, n, b.type) for n in sizes] for b in variant.buffers}
    others = {b.name: filled(found, device, sum(sizes), b.type) for b in variant.buffers}
    empty = kernel.to_device(np.zeros(0, made["param"][0].numpy_type))
    names = [name for name in made if name not in ("param", "grad")]
    states = [
        kernel.init(empty) | {name: made[name][index] for name in names}
        for index in range(len(sizes))
    ]
    contestants: dict[str, Callable[[], None]] = {
        "floor": Floor(found, device, image, variant, others, said.block),
        "optgen": lambda: kernel.step(made["param"], made["grad"], states),
    }
    if rivals:
        contestants |= torch_rivals(printed.spec.identifier, sizes)
    size = bytes_moved(variant) * sum(sizes)
    return size, take_turns(found, device, contestants, turns)


def copy_rate(found: driver.Driver, n: int, turns: int) -> float:
    """Return the bytes per second that a copy on the device reads and writes."""
    device = found.device(0)
    source, target = (filled(found, device, n, "float32") for _ in range(2))

    def copy() -> None:
        found.must("cuMemcpyDtoD_v2", target.view.address, source.view.address, 4 * n)

    (one,) = take_turns(found, device, {"copy": copy}, turns)
    return 8 * n / one.median


def environment(found: driver.Driver) -> dict[str, Any]:
    """Return what the results were measured on."""
    device = found.device(0)
    versions = {}
    for name in ("numpy", "ml_dtypes", "nvidia-cuda-nvrtc", "torch", "pycuda"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "device": device.name,
        "arch": device.arch,
        "multiprocessors": device.multiprocessors,
        "driver": found.version,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": versions,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


def times(found: driver.Driver, n: int, turns: int) -> dict[str, Any]:
    """Measure, print and return the times of every rule."""
    catalogue = load_catalogue()
    (large,) = workloads("large", n)
    asked: list[tuple[str, str | None, Workload]] = [(name, None, large) for name in catalogue]
    asked += [(name, mix, large) for name in FAMILIES for mix in MIXES]
    asked += [(name, None, x) for kind in LISTS for x in workloads(kind) for name in IN_LISTS]
    copied = copy_rate(found, n, turns)
    print(f"a copy on the device: {copied / 1e9:.0f} GB/s", flush=True)
    shown, rows = [], []
    for name, mix, workload in asked:
        printed = printed_rule(catalogue[name], parse_storage(mix) if mix else None)
        label, sizes = f"{name} {mix or 'float32'} {workload.name}", workload.sizes
        while True:
            try:
                size, measured = timed(found, printed, sizes, turns, rivals=mix is None)
                break
            except LaunchError as error:
                if "OUT_OF_MEMORY" not in error.what or len(sizes) > 1 or sizes[0] < 2:
                    raise
                sizes = (sizes[0] // 2,)
        shown.append((label, size, measured))
        print(table(shown[-1:]).splitlines()[1:], flush=True)
        rows.append(
            {
                "rule": name,
                "types": mix or "float32",
                "workload": workload.name,
                "tensors": len(sizes),
                "elements": sum(sizes),
                "bytes": size,
                "kernel": hashlib.sha256(printed.source.encode()).hexdigest(),
                "seconds": {one.name: [round(x, 9) for x in one.seconds] for one in measured},
            }
        )
    print(table(shown))
    return {"copy_bytes_per_second": copied, "turns": turns, "rows": rows}


def main(given: list[str] | None = None, found: driver.Driver | None = None) -> int:
    """Run what is asked for; 1 if some bit differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=100_000_000)
    parser.add_argument("--turns", type=int, default=41)
    parser.add_argument("--only", choices=("bits", "times"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu.json")
    asked = parser.parse_args(given)
    started = time.perf_counter()
    found = found or driver.find_driver()
    words = ["python benchmarks/gpu/run.py", *(sys.argv[1:] if given is None else given)]
    report: dict[str, Any] = {"command": " ".join(words), **environment(found)}
    wrong = 0
    if asked.only != "times":
        report["bits"] = [*bits(found)]
        wrong = sum(1 for row in report["bits"] if row["difference"])
        print(f"{len(report['bits'])} rules and types, {wrong} differ", flush=True)
    if asked.only != "bits":
        report["times"] = times(found, asked.elements, asked.turns)
    report["minutes"] = round((time.perf_counter() - started) / 60, 1)
    if asked.write:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
