"""What a comparison of two rules found: frozen data that prints itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optgen.verify.verdicts import Certificate

Word = Literal["equal", "equal while constant", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class Row:
    """One assignment of a run, on both sides; a side that has no such name has no value.

    Attributes:
        step: Number of the step.
        name: What is assigned.
        left: Its value on the left, as text.
        right: Its value on the right.
        differs: Whether the two values are certainly different.
    """

    step: int
    name: str
    left: str
    right: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two rules compute the same, over the reals.

    Attributes:
        left: Name of a rule.
        right: Name of the other.
        given: The substitutions that were asked for.
        steps: How many steps a run was allowed.
        verdict: The answer.
        witness: Where they differ: a value for each name, as `p/q`; None if they do not. A
            hyperparameter that changes has a value for each step: `lr_1`, `lr_2`, ...
        left_value: The parameter behind the last step of the witness, on the left; what
            `evidence` names if `reachable` is None.
        right_value: The same on the right.
        matching: State on the right for each state on the left.
        dropped: States that never reach the parameter, for each side.
        reachable: True if the witness is a run from the initial states; None if it is a
            state that no run was found to reach, and where there is no witness.
        evidence: What the verdict rests on, one sentence for each fact.
        reason: Why the verdict is unknown; empty otherwise.
        rows: Every intermediate value of the witness.
        certificate: The proof; None unless equal, be it while constant.
        constant: The hyperparameters that must not change; empty unless equal while constant.
    """

    left: str
    right: str
    given: tuple[str, ...]
    steps: int
    verdict: Word
    witness: Mapping[str, str] | None = None
    left_value: str | None = None
    right_value: str | None = None
    matching: Mapping[str, str] | None = None
    dropped: Mapping[str, tuple[str, ...]] | None = None
    reachable: bool | None = None
    evidence: tuple[str, ...] = ()
    reason: str = ""
    rows: tuple[Row, ...] = ()
    certificate: Certificate | None = None
    constant: tuple[str, ...] = ()

    @property
    def as_one_step(self) -> bool:
        """Whether the rules differ only from a state that no run was found to reach."""
        return self.verdict == "different" and self.reachable is None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON document."""
        return {
            "left": self.left,
            "right": self.right,
            "given": list(self.given),
            "steps": self.steps,
            "verdict": self.verdict,
            "as_one_step": self.as_one_step,
            "witness": None if self.witness is None else dict(self.witness),
            "left_value": self.left_value,
            "right_value": self.right_value,
            "matching": dict(self.matching or {}),
            "dropped": {side: list(names) for side, names in (self.dropped or {}).items()},
            "reachable": self.reachable,
            "evidence": list(self.evidence),
            "reason": self.reason,
            "constant": list(self.constant),
        }

    def _repr_html_(self) -> str:
        from optgen.verify.explanation import as_html

        return as_html(self)

    def _repr_latex_(self) -> str:
        from optgen.verify.explanation import as_latex

        return as_latex(self)
