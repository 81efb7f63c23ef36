"""Memory for states, and bytes that a step must move, per parameter; read off the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.errors import SpecError
from optgen.ir import DType, Elementwise, Kernel
from optgen.lower import lower
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.subject import Subject, values_behind

_HOW = "counting the buffers of the rule"
_TRAFFIC = "counting loads and stores in the lowered kernel"


def entries(subject: Subject) -> Iterator[Entry]:
    """Yield the memory of the states and the traffic of a step."""
    spec = subject.spec
    states = sum(b.shape == "param" for b in spec.state)
    scalars = len(spec.state) - states
    sizes = {dtype.value: states * dtype.size for dtype in DType}
    text = ", ".join(f"{size} bytes in {name}" for name, size in sizes.items())
    more = f", and {8 * scalars} bytes per tensor on the host" if scalars else ""
    yield Entry(
        "memory",
        f"the states take {text} per parameter{more}",
        "proved",
        _HOW,
        values={"state_bytes": sizes, "host_bytes_per_tensor": 8 * scalars},
    )
    for dtype in DType:
        yield _traffic(subject, dtype)


def _traffic(subject: Subject, dtype: DType) -> Entry:
    statement = f"bytes that a step moves per parameter in {dtype.value}"
    try:
        kernel = lower(subject.spec, dtype)
    except SpecError as error:
        return not_derived("memory", statement, error.what, _TRAFFIC)
    still = _still(subject)
    moved = traffic(kernel)
    least = least_traffic(kernel) - 2 * len(still) * dtype.size
    values = {"dtype": dtype.value, "bytes": moved, "least": least}
    if moved == least:
        text = (
            f"a step moves {moved} bytes per parameter in {dtype.value}: every buffer that is "
            "used is read once and every one that changes is written once; no way moves fewer"
        )
    elif still:
        text = (
            f"a step moves {moved} bytes per parameter in {dtype.value}; any way moves at least "
            f"{least}: {' and '.join(still)} stays as it is"
        )
    else:
        text = (
            f"a step moves {moved} bytes per parameter in {dtype.value}, in "
            f"{sum(isinstance(s, Elementwise) for s in kernel.stages)} passes; any way moves at "
            f"least {least}, and one that reaches it must keep the whole tensor on the chip"
        )
    return Entry("memory", text, "proved", _TRAFFIC, values=values)


def _still(subject: Subject) -> list[str]:
    """Return the states that every step writes back as they were, and that nothing else reads."""
    behind = values_behind(subject.spec.rule)
    read = {s for name, value in behind.items() for s in value.free_symbols if str(s) != name}
    read |= subject.spec.query.free_symbols
    return [
        b.name
        for b in subject.spec.state
        if b.shape == "param" and behind.get(b.name) == b.symbol and b.symbol not in read
    ]


def traffic(kernel: Kernel) -> int:
    """Return the bytes per parameter that a kernel loads and stores, all passes together."""
    total = 0
    for stage in kernel.stages:
        if isinstance(stage, Elementwise):
            names = (*stage.loads, *stage.stores)
            total += sum(kernel.buffer(name).dtype.size for name in names)
    return total


def least_traffic(kernel: Kernel) -> int:
    """Return the bytes per parameter of the buffers read and of those written, each once."""
    passes = [s for s in kernel.stages if isinstance(s, Elementwise)]
    read = {name for stage in passes for name in stage.loads}
    written = {name for stage in passes for name in stage.stores}
    return sum(kernel.buffer(name).dtype.size for name in (*read, *written))
