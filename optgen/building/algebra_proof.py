"""The algebra of a build: is the lowered kernel its rule, over the reals?"""

from __future__ import annotations

from dataclasses import dataclass

from optgen.ir import Kernel
from optgen.spec import OptimizerSpec


@dataclass(frozen=True, slots=True)
class Algebra:
    """What is proved of one kernel over the reals.

    Attributes:
        failures: What is not so.
        doubts: What could not be proved.
    """

    failures: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """`equal` if the kernel is the rule and the rule keeps its states in their domains."""
        return "failed" if self.failures else "unknown" if self.doubts else "equal"


def check_algebra(spec: OptimizerSpec, kernel: Kernel) -> Algebra:
    """Prove what can be proved of a rule and its kernel over the reals."""
    from optgen.verify.algebra import check_rule
    from optgen.verify.lowered import prove_lowering

    lowered = prove_lowering(spec, kernel)
    found: list[tuple[str, str, str]] = [
        ("the kernel equals the rule", lowered.outcome, lowered.detail)
    ]
    words = {"ok": "equal", "failed": "different"}
    found += [(c.claim, words.get(c.outcome, c.outcome), c.detail) for c in check_rule(spec)]
    return Algebra(
        tuple(
            f"algebra: not so: {what}: {why}" for what, word, why in found if word == "different"
        ),
        tuple(f"{what}: {why}" for what, word, why in found if word == "unknown"),
    )
