"""Machine code for a device: built before, compiled now, or left to the driver.

A cubin for exactly the device's architecture is loaded where there is one. PTX, which the driver
compiles itself, is for devices that the compiler does not know yet: a driver takes PTX only from
compilers that are no newer than itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from optgen.errors import BackendUnavailable
from optgen.paths import GENERATED
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import Nvrtc, find_nvrtc


@dataclass(frozen=True, slots=True)
class Image:
    """Code that a driver loads.

    Attributes:
        code: A cubin, or PTX and a zero byte.
        origin: Where it is from, for messages.
    """

    code: bytes
    origin: str


def image_seal(source: str, cubin: bytes) -> str:
    """Return what stands beside a cubin that was built: hashes of its source and of itself."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}\n" for data in (source.encode(), cubin))


def image_for(source: str, name: str, arch: str, folder: Path | None = None) -> Image:
    """Return code for a device.

    Args:
        source: The CUDA text.
        name: Its file's name, `adamw.cu`.
        arch: The device's architecture, for example `sm_90`.
        folder: Where `optgen build --arch` has put cubins; by default that of generated/.

    Raises:
        BackendUnavailable: Nothing was built for this architecture, and there is no compiler.
        CompileError: The compiler refuses the text.
    """
    place = folder or GENERATED / ".build" / "cuda"
    file = place / f"{Path(name).stem}.{arch}.cubin"
    try:
        cubin = file.read_bytes()
        if file.with_suffix(".sha256").read_text(encoding="utf-8") == image_seal(source, cubin):
            return Image(cubin, str(file))
    except (OSError, UnicodeDecodeError):
        pass
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        raise BackendUnavailable(
            f"there is no code for {arch}: {error.what}",
            where=file,
            fix='pip install "optgen[cuda]", or copy here what `optgen build --arch '
            f"{arch}` makes on another machine",
        ) from error
    said = f"{name}, by NVRTC {nvrtc.version[0]}.{nvrtc.version[1]}"
    if int(arch.removeprefix("sm_")) in nvrtc.archs():
        return Image(compile_cached(nvrtc, source, name, arch).cubin, f"{said} for {arch}")
    older = _newest_before(nvrtc, arch)
    text = compile_cached(nvrtc, source, name, older).ptx
    return Image(text.encode() + b"\0", f"{said}, as PTX for {older}")


def _newest_before(nvrtc: Nvrtc, arch: str) -> str:
    wanted = int(arch.removeprefix("sm_"))
    older = [number for number in nvrtc.archs() if number <= wanted]
    if not older:
        raise BackendUnavailable(
            f"NVRTC {nvrtc.version[0]}.{nvrtc.version[1]} compiles for nothing as old as {arch}",
            where=nvrtc.path,
            fix="pip install an older nvidia-cuda-nvrtc (nvidia-cuda-nvrtc-cu12 knows sm_50 on)",
        )
    return f"sm_{older[-1]}"
