"""What a build has done: one row per rule, target and type, and a summary of what ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optgen.backends.base import SourceFile

HEADER = (
    "rule", "target", "type", "proved", "compile", "run", "regs", "spills", "B/param", "s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One generated kernel.

    Attributes:
        rule: Name of the rule.
        target: Backend.
        dtype: Arithmetic type, or storage mix.
        algebra: Whether the lowered kernel is proved to be its rule over the reals: `"equal"`,
            `"unknown"` or `"failed"`.
        proof: Whether what was printed, and compiled, is proved to have the bits of the lowered
            kernel: the same words, `"off"` where nothing could be compiled, or `"not looked at"`.
        compile: Architectures compiled for, or why not.
        run: What running the code said.
        registers: Most registers per thread of any launch and architecture, or None.
        spills: Most bytes spilled, or None.
        bytes_per_parameter: Memory traffic measured by executing the compiled code, or None.
        seconds: Time spent.
        failures: What did not hold; empty if all did.
    """

    rule: str
    target: str
    dtype: str
    algebra: str
    proof: str
    compile: str
    run: str
    registers: int | None
    spills: int | None
    bytes_per_parameter: float | None
    seconds: float
    failures: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Row:
        """Read back what `asdict` wrote."""
        values = {f.name: data[f.name] for f in fields(cls)}
        return cls(**values | {"failures": tuple(values["failures"])})

    @property
    def proved(self) -> str:
        """`equal` if code and rule are proved equal; `lowered` if the lowered kernel alone is.

        `not looked at` where the lowered kernel is proved, and there is code that nothing reads.
        """
        found = {self.algebra, self.proof}
        for word in ("failed", "unknown", "not looked at"):
            if word in found:
                return word
        return "lowered" if self.proof == "off" else "equal"

    def cells(self) -> tuple[str, ...]:
        """Return the row as text."""
        traffic = self.bytes_per_parameter
        return (
            self.rule,
            self.target,
            self.dtype.replace("float", "f"),
            self.proved,
            self.compile.split(":")[0].replace("sm_", ""),
            self.run,
            "" if self.registers is None else str(self.registers),
            "" if self.spills is None else str(self.spills),
            "" if traffic is None else f"{traffic:.2f}",
            f"{self.seconds:.2f}",
        )


@dataclass(frozen=True, slots=True)
class RuleBuild:
    """All that building one rule gave.

    Attributes:
        rule: Its name.
        digest: Hash of what the rule computes.
        files: Source files.
        binaries: Compiled files, by path below `.build/`.
        rows: One per target and type.
        levels: What ran with which tools, and what did not and why.
        storages: Storage mixes that were built besides.
    """

    rule: str
    digest: str
    files: tuple[SourceFile, ...]
    binaries: tuple[tuple[str, bytes], ...]
    rows: tuple[Row, ...]
    levels: tuple[str, ...]
    storages: tuple[str, ...] = ()


def joined(parts: Sequence[RuleBuild], storages: tuple[str, ...]) -> RuleBuild:
    """Return one rule's build from that of its types and those of its storage mixes."""
    return replace(
        parts[0],
        files=tuple(f for part in parts for f in part.files),
        binaries=tuple(b for part in parts for b in part.binaries),
        rows=tuple(r for part in parts for r in part.rows),
        levels=tuple(dict.fromkeys(line for part in parts for line in part.levels)),
        storages=storages,
    )


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build has done.

    Attributes:
        rows: One per rule, target and type.
        summary: Sentences on what was written, what ran, and what did not and why.
        failed: Whether a check did not hold; then nothing was written.
        reused: Whether nothing had changed, so that nothing was done.
    """

    rows: tuple[Row, ...]
    summary: tuple[str, ...]
    failed: bool = False
    reused: bool = False

    @property
    def exit_code(self) -> int:
        """0 if every check held, 1 if not."""
        return 1 if self.failed else 0

    def table(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Return the header and the rows as text."""
        return HEADER, tuple(row.cells() for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "summary": list(self.summary),
            "failed": self.failed,
            "reused": self.reused,
        }
