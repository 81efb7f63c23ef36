"""What a backend is: a name, the types it knows, and a function from kernels to source text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from optgen.errors import InternalError
from optgen.ir import DType, Kernel
from optgen.notation.text import number, rule_lines
from optgen.passes.storage import COMPENSATION, MASTER
from optgen.spec import OptimizerSpec
from optgen.storage import Storage


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A generated file.

    Attributes:
        path: Relative to the output folder, with `/`.
        text: Its content; ends in a newline.
    """

    path: str
    text: str

    def __post_init__(self) -> None:
        if self.path.startswith("/") or ".." in self.path or not self.text.endswith("\n"):
            raise InternalError(f"generated file '{self.path}' has a bad path or no last newline")


@dataclass(frozen=True, slots=True)
class Heading:
    """What the header comment of a generated file says about its rule.

    Attributes:
        name: Name of the rule.
        identifier: The name in identifiers and files.
        summary: One sentence.
        rule: The rule in maths, one assignment a line.
        sources: Where it is printed.
        digest: Hash of the rule: what it computes, not how its file is laid out.
        docs: Meaning of each hyperparameter and state, as (name, text).
        storage: The storage mix as it is spelled; empty for the kernels of one type.
    """

    name: str
    identifier: str
    summary: str
    rule: tuple[str, ...]
    sources: tuple[str, ...]
    digest: str
    docs: tuple[tuple[str, str], ...]
    storage: str = ""

    @property
    def request(self) -> str:
        """What `optgen build` takes to make the file again."""
        return f"{self.name} --storage {self.storage}" if self.storage else self.name

    @classmethod
    def of(cls, spec: OptimizerSpec, storage: Storage | None = None) -> Heading:
        """Return the heading of a rule, or of a rule in a storage mix."""
        identifier, mix = spec.identifier, ""
        added: list[tuple[str, str]] = []
        if storage is not None and not storage.uniform:
            identifier = f"{identifier}_{storage.identifier}"
            mix, added = str(storage), _added(storage)
        sources = tuple(
            f"{r.title} ({r.year}{', ' + r.where if r.where else ''}) {r.url}"
            for r in spec.references
        )
        lines = rule_lines(spec)
        hyperparameters = [f"{h.name}={h.default} in {h.domain}" for h in spec.hyperparameters]
        states = [f"{b.name}={b.initial} {b.shape}" for b in spec.state]
        content = "\n".join((spec.name, *hyperparameters, *states, *lines))
        docs = [(h.name, h.doc) for h in spec.hyperparameters]
        docs += [(b.name, f"{b.doc}; starts at {number(Fraction(b.initial))}") for b in spec.state]
        return cls(
            name=spec.name,
            identifier=identifier,
            summary=spec.summary,
            rule=lines,
            sources=sources,
            digest=hashlib.sha256(content.encode()).hexdigest()[:16],
            docs=(*docs, *added),
            storage=mix,
        )


def _added(storage: Storage) -> list[tuple[str, str]]:
    """Return what a storage mix adds to a rule."""
    docs = []
    if storage.master is not None:
        docs.append((MASTER, "what the rule runs on; starts as param, which is its rounding"))
    if storage.kahan:
        docs.append((COMPENSATION, "what rounding took off param, added again; starts at 0"))
    if storage.rounding == "stochastic":
        docs.append(("seed", "chooses the random numbers of stochastic rounding"))
    return [*docs, ("Storage", str(storage))]


class Backend(Protocol):
    """Prints kernels as source text of one language."""

    @property
    def name(self) -> str:
        """What `--target` calls it."""
        ...

    @property
    def dtypes(self) -> frozenset[DType]:
        """Arithmetic types it can print."""
        ...

    def render(self, heading: Heading, kernels: Iterable[Kernel]) -> tuple[SourceFile, ...]:
        """Return the files of one rule, given its kernel for each type."""
        ...
