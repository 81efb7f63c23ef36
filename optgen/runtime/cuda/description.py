"""How the kernels of one generated CUDA file are called, as the `.json` beside it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optgen.errors import UsageError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Buffer:
    """One array of a kernel.

    Attributes:
        name: `param`, `grad`, or a state.
        type: Type of its elements: float32, float64, bfloat16 or float16.
        written: Whether a step changes it.
    """

    name: str
    type: str
    written: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of a step.

    Attributes:
        entry: Name of the kernel.
        grid: `elements` or `chunks`, any number of blocks; `one`, exactly one.
        parameters: What is passed, in order: names of buffers, `partials`, `scalars`, `args`, `n`.
        writes: Buffers that are written.
        vector: Elements that a thread does at once.
    """

    entry: str
    grid: str
    parameters: tuple[str, ...]
    writes: tuple[str, ...]
    vector: int


@dataclass(frozen=True, slots=True)
class Variant:
    """The kernels for arrays of given types.

    Attributes:
        arithmetic: Type of the argument struct's fields, of sums and of what they export.
        fields: The fields, in order.
        words: Fields of 32 bits behind them, where random numbers are drawn.
        buffers: The arrays, in order.
        launches: In order, on one stream.
        partials: Values of scratch memory per chunk.
        scalars: Values of scratch memory besides.
    """

    arithmetic: str
    fields: tuple[str, ...]
    words: tuple[str, ...]
    buffers: tuple[Buffer, ...]
    launches: tuple[Launch, ...]
    partials: int
    scalars: int


@dataclass(frozen=True, slots=True)
class Description:
    """One generated CUDA file.

    Attributes:
        rule: Name of the rule.
        block: Threads per block.
        chunk: Elements per chunk.
        variants: One for each type, or one of a mix.
    """

    rule: str
    block: int
    chunk: int
    variants: tuple[Variant, ...]


def read_description(file: Path) -> Description:
    """Read the description of a generated CUDA file.

    Raises:
        UsageError: There is none, or it is of another format.
    """
    try:
        return parse_description(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file.name} does not say how the kernels of its rule are called: {error}",
            where=file,
            fix="run `optgen build`",
        ) from error


def parse_description(text: str) -> Description:
    """Return what a description says.

    Raises:
        ValueError: It is no JSON, or of another format.
        KeyError: Something is missing in it.
        TypeError: Something in it is of another type.
    """
    data: Mapping[str, Any] = json.loads(text)
    if data["format"] != FORMAT:
        raise ValueError(f"it has format {data['format']}, not {FORMAT}")
    return Description(
        rule=data["rule"],
        block=data["block"],
        chunk=data["chunk"],
        variants=tuple(_variant(item) for item in data["kernels"]),
    )


def _variant(data: Mapping[str, Any]) -> Variant:
    return Variant(
        arithmetic=data["arithmetic"],
        fields=tuple(data["fields"]),
        words=tuple(data["words"]),
        buffers=tuple(Buffer(b["name"], b["type"], b["written"]) for b in data["buffers"]),
        launches=tuple(
            Launch(x["entry"], x["grid"], tuple(x["parameters"]), tuple(x["writes"]), x["vector"])
            for x in data["launches"]
        ),
        partials=data["partials"],
        scalars=data["scalars"],
    )
