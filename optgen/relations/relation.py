"""What a search for a relation found: frozen data that prints itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optgen.relations.certificate import Refutation

Word = Literal["related", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Relation:
    """Whether every run of one rule is a run of another, over the reals.

    Attributes:
        left: The rule whose runs are mapped.
        right: The rule of which they should be runs.
        given: The substitutions that were asked for.
        verdict: The answer.
        hyperparameters: A value for each hyperparameter on the right, over those on the
            left (and `step`); None unless related.
        states: A value for `param` and for each state on the right that reaches it, over
            the parameter, states and hyperparameters on the left; None unless related.
        where: What must hold of the hyperparameters on the left for the map to have a value
            inside the domains; empty if nothing must.
        initial: How the runs begin; empty unless related.
        changing: Hyperparameters on the left that may change from step to step.
        constant: Hyperparameters on the left that must stay, or for which it is not known.
        certificate: The proof that there is no map; None unless that is the answer.
        evidence: What the verdict rests on, one sentence for each fact.
        reason: Why the verdict is unknown; empty otherwise.
    """

    left: str
    right: str
    given: tuple[str, ...]
    verdict: Word
    hyperparameters: Mapping[str, str] | None = None
    states: Mapping[str, str] | None = None
    where: tuple[str, ...] = ()
    initial: str = ""
    changing: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    certificate: Refutation | None = None
    evidence: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the relation as a JSON document."""
        return {
            "left": self.left,
            "right": self.right,
            "given": list(self.given),
            "verdict": self.verdict,
            "hyperparameters": dict(self.hyperparameters or {}),
            "states": dict(self.states or {}),
            "where": list(self.where),
            "initial": self.initial,
            "changing": list(self.changing),
            "constant": list(self.constant),
            "certificate": None if self.certificate is None else self.certificate.to_json(),
            "evidence": list(self.evidence),
            "reason": self.reason,
        }
