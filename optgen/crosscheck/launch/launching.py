"""Runs a rule's CUDA kernels through the launchers and the stand-in driver, and compares bits."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.inputs import hyperparameters
from optgen.crosscheck.launch.standin import StandIn
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import BackendUnavailable, OptgenError
from optgen.ir import CHUNK, DType, Kernel
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.cuda.arrays import DeviceArray
from optgen.runtime.cuda.description import parse_description
from optgen.runtime.cuda.driver import Driver
from optgen.runtime.cuda.images import Image, image_for
from optgen.runtime.cuda.kernel import CudaKernel
from optgen.spec import OptimizerSpec
from optgen.storage import Storage

SIZES = (5, 0, 1, 1023, CHUNK + 1, 2 * CHUNK)
"""Elements of the tensors of one call."""
STEPS = 3


@dataclass(frozen=True, slots=True)
class Printed:
    """A rule as text.

    Attributes:
        spec: The rule.
        kernels: Its kernels.
        identifier: Its name in files, with the storage mix.
        module: Its NumPy module.
        source: Its CUDA file.
        description: The `.json` beside that.
    """

    spec: OptimizerSpec
    kernels: tuple[Kernel, ...]
    identifier: str
    module: str
    source: str
    description: str


def printed_rule(spec: OptimizerSpec, storage: Storage | None = None) -> Printed:
    """Return a rule as text, for arrays of one type or of a storage mix."""
    if storage is None:
        kernels = tuple(run_passes(lower(spec, dtype)) for dtype in DType)
    else:
        kernels = (store_as(run_passes(lower(spec, storage.arithmetic)), storage),)
    heading = Heading.of(spec, storage)
    files = {
        file.path: file.text
        for t in ("numpy", "cuda")
        for file in BACKENDS[t].render(heading, kernels)
    }
    name = heading.identifier
    return Printed(
        spec=spec,
        kernels=kernels,
        identifier=name,
        module=files[f"numpy/{name}.py"],
        source=files[f"cuda/{name}.cu"],
        description=files[f"cuda/{name}.json"],
    )


def kernel_on(standin: StandIn, printed: Printed) -> CudaKernel:
    """Return the kernels of a rule behind the launcher, on the stand-in."""
    return launched(printed, Driver(str(standin.path)), names_will_do=True)


def launched(printed: Printed, driver: Driver, *, names_will_do: bool = False) -> CudaKernel:
    """Return the kernels of a rule behind the launcher.

    Args:
        printed: The rule.
        driver: The driver.
        names_will_do: Whether it takes a file of names where there is no compiler.
    """
    name, description = printed.identifier, parse_description(printed.description)

    def image(arch: str) -> Image:
        try:
            return image_for(printed.source, f"{name}.cu", arch, Path(os.devnull))
        except BackendUnavailable:
            if not names_will_do:
                raise
            names = [x.entry for variant in description.variants for x in variant.launches]
            return Image(image_of_names(names), name)

    return CudaKernel(name, description, image, load_module(name, printed.module), driver)


def image_of_names(names: Sequence[str]) -> bytes:
    """Return a file that the stand-in takes for a cubin with kernels of these names."""
    content = "\0".join(names).encode()
    head = bytearray(64)
    head[:4] = b"\x7fELF"
    struct.pack_into("<Q", head, 40, 64 + len(content))
    return bytes(head) + content + b"\0"


def launch_differences(standin: StandIn, printed: Printed) -> Iterator[str]:
    """Step lists of tensors through the stand-in, and yield what is not the NumPy module's."""
    kernel = kernel_on(standin, printed)
    for lowered in printed.kernels:
        before = standin.launches
        said = stepped_difference(kernel, printed, lowered, SIZES)
        made = standin.launches - before
        wanted = (1 + STEPS * sum(1 for n in SIZES if n)) * len(lowered.stages)
        if not said and made != wanted:
            said = f"{made} launches instead of {wanted}"
        told = standin.said()
        if said or told:
            yield f"{lowered.arithmetic.value}: {'; '.join(filter(None, (said, told)))}"


def stepped_difference(
    kernel: CudaKernel, printed: Printed, lowered: Kernel, sizes: Sequence[int]
) -> str:
    """Step a list of tensors; return what is not the NumPy module's, or went wrong.

    The first tensor is a step ahead, and gradients are new at each step.

    Args:
        kernel: The rule behind a launcher.
        printed: The rule.
        lowered: Its kernel for the types that are stepped.
        sizes: Elements of each tensor; the first has some.
    """
    module: Any = load_module(printed.identifier, printed.module)
    try:
        return _stepped(kernel, module, lowered, hyperparameters(printed.spec, lowered), sizes)
    except (OptgenError, TypeError, ValueError) as error:
        return str(error).replace("\n", " ")


def _stepped(
    kernel: CudaKernel,
    module: Any,
    lowered: Kernel,
    given: Mapping[str, Any],
    sizes: Sequence[int],
) -> str:
    rng = np.random.default_rng(7)
    kept = {buffer.name: buffer.dtype.value for buffer in lowered.buffers}
    params = [_drawn(rng, n, kept["param"]) for n in sizes]
    on_device = [kernel.to_device(param) for param in params]
    states = [module.init(param) for param in params]
    states_there = [kernel.init(param) for param in on_device]
    ahead = _drawn(rng, sizes[0], kept["grad"])
    kernel.step(on_device[0], kernel.to_device(ahead), states_there[0], **given)
    module.step(params[0], ahead, states[0], **given)
    for _ in range(STEPS):
        grads = [_drawn(rng, n, kept["grad"]) for n in sizes]
        held = [kernel.to_device(grad) for grad in grads]
        kernel.step(on_device, held, states_there, **given)
        module.step(params, grads, states, **given)
    for index, n in enumerate(sizes):
        found = {"param": on_device[index], **states_there[index]}
        expected = {"param": params[index], **states[index]}
        for part, array in expected.items():
            there = found[part].numpy() if isinstance(found[part], DeviceArray) else found[part]
            if there.tobytes() != array.tobytes():
                return f"{part} of {n} elements differs from the NumPy module after {STEPS} steps"
    return ""


def _drawn(rng: np.random.Generator, n: int, kind: str) -> NDArray[Any]:
    values = rng.standard_normal(n)
    if kind != "bfloat16":
        return values.astype(kind)
    import ml_dtypes

    return values.astype(ml_dtypes.bfloat16)
