"""The tree of regions of a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.field import Field, Poly, Quotient
from optgen.verify.normal.regions import Region


@dataclass(slots=True)
class Branch:
    """A region of a finished proof: split further, or settled.

    Attributes:
        region: The region.
        converter: What was converted in it.
        factor: The polynomial by whose sign it is split; None if it is settled.
        parts: The signs of each part that is not empty.
        values: The labelled normal forms, where it is settled.
        summands: Why there is no part at all, if no point is in the region: what the factor is
            the sum of, each a number times some polynomials.
    """

    region: Region
    converter: Converter | None = None
    factor: Poly = None
    parts: list[tuple[Signs, Branch]] = field(default_factory=list)
    values: tuple[tuple[str, Quotient], ...] | None = None
    summands: tuple[tuple[int, tuple[Poly, ...]], ...] = ()

    def split(self, space: Field, factor: Poly, parts: Sequence[Signs]) -> list[Branch]:
        """Split by the sign of a factor; return the parts that are not empty, the last first."""
        refined = [(signs, self.region.refine(space, factor, signs)) for signs in parts]
        self.factor = factor
        self.parts = [(signs, Branch(below)) for signs, below in refined if below is not None]
        return [below for _, below in reversed(self.parts)]

    def all(self) -> list[Branch]:
        """Return this region and all below it, in order."""
        found, todo = [], [self]
        while todo:
            found.append(todo.pop())
            todo += [below for _, below in reversed(found[-1].parts)]
        return found
