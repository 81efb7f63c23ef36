"""The three answers of the decider, and what each carries as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from optgen.checker import KIND, VERSION


@dataclass(frozen=True, slots=True)
class RegionProof:
    """One region of the domain, and the common values of both sides there.

    Attributes:
        conditions: What holds in the region, as text (`x - 1 > 0`); empty for all of the domain.
        values: Label, numerator and denominator of each common normal form; a value is
            claimed where its denominator is not 0. A label is missing where one side has
            no value.
    """

    conditions: tuple[str, ...]
    values: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A proof of equality: regions that cover the domain, with one normal form in each.

    Attributes:
        definitions: What each generator of the normal forms stands for (`R1 = sqrt(v)`).
        domains: The domain of each variable, as text.
        regions: The regions.
        proofs: Statements with their proofs, as `optgen.checker` reads them.
    """

    definitions: tuple[tuple[str, str], ...]
    domains: tuple[tuple[str, str], ...]
    regions: tuple[RegionProof, ...]
    proofs: tuple[Mapping[str, Any], ...] = ()

    def followed_by(self, other: Certificate) -> Certificate:
        """Return the certificate of both: this one and then another."""
        return replace(
            other,
            regions=(*self.regions, *other.regions),
            proofs=(*self.proofs, *other.proofs),
        )

    def document(self) -> dict[str, Any]:
        """Return what `optgen.checker` checks, as a JSON document."""
        return {"kind": KIND, "version": VERSION, "proofs": list(self.proofs)}

    def to_json(self) -> dict[str, Any]:
        """Return the certificate for people, as a JSON document."""
        return {
            "definitions": dict(self.definitions),
            "domains": dict(self.domains),
            "regions": [
                {
                    "conditions": list(region.conditions),
                    "values": {
                        label: {"numerator": numerator, "denominator": denominator}
                        for label, numerator, denominator in region.values
                    },
                }
                for region in self.regions
            ],
        }


@dataclass(frozen=True, slots=True)
class Proved:
    """The two sides are equal wherever both have a value.

    Attributes:
        certificate: The normal form in each region.
        undefined: A point at which only one side has a value, as text; empty if none was met.
    """

    certificate: Certificate
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Refuted:
    """The two sides differ at a point; both have a value there.

    Attributes:
        point: An exact value for each variable.
        left: Value of the left side, `p/q` or a decimal enclosure.
        right: Value of the right side.
    """

    point: tuple[tuple[str, Fraction], ...]
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither a proof nor a witness was found.

    Attributes:
        reason: Why, in one sentence.
    """

    reason: str


Verdict = Proved | Refuted | Undecided


class Unsupported(Exception):
    """Something lies outside what the prover can handle; becomes `Undecided`."""
