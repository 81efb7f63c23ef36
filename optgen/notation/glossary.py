r"""Which letter stands for which name in mathematical notation.

The letters are those of torch's documentation (`lr` is \gamma, `weight_decay`
\lambda, `param` \theta) and of the papers (m and v for Adam's moments). A name
without a letter of its own, or whose letter another name of the rule has taken,
is written out upright.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from optgen.order import Order
from optgen.spec import OptimizerSpec

LETTERS = {
    "alpha": r"\alpha",
    "beta1": r"\beta_1",
    "beta2": r"\beta_2",
    "bias_correction1": "c_1",
    "bias_correction2": "c_2",
    "dampening": r"\tau",
    "denom": "d",
    "eps": r"\epsilon",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "grad": "g",
    "grad_avg": r"\bar{g}",
    "grad_regularized": r"\tilde{g}",
    "grad_weight": "w",
    "interpolation": "c",
    "lr": r"\gamma",
    "lr_decay": r"\eta",
    "max_exp_avg_sq": r"v^{\max}",
    "momentum": r"\mu",
    "momentum_buffer": "b",
    "momentum_decay": r"\psi",
    "mu": r"\mu",
    "param": r"\theta",
    "square_avg": "v",
    "step": "t",
    "step_size": r"\tilde{\gamma}",
    "sum": "s",
    "trust_ratio": r"\phi",
    "update": "u",
    "weight_decay": r"\lambda",
}
"""Names and their letters; a name in `_hat` takes the letter of the rest, with a hat."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """The letters of one rule; no two names share one.

    Attributes:
        letters: LaTeX of each name, in the declaration order of the rule.
    """

    letters: dict[str, str]

    @classmethod
    def of(cls, spec: OptimizerSpec) -> Glossary:
        """Return the letters of a rule; of two names with one letter the first declared has it."""
        return cls(_assign(Order.of(spec).ranks))

    def __getitem__(self, name: str) -> str:
        return self.letters[name]


def _assign(names: Iterable[str]) -> dict[str, str]:
    letters: dict[str, str] = {}
    for name in names:
        letter = _letter(name)
        letters[name] = upright(name) if letter in letters.values() else letter
    return letters


def _letter(name: str) -> str:
    if name in LETTERS:
        return LETTERS[name]
    base = name.removesuffix("_hat")
    if base != name and base in LETTERS:
        return rf"\hat{{{LETTERS[base]}}}"
    return name if len(name) == 1 else upright(name)


def upright(name: str) -> str:
    r"""Return a name written out: `trust_ratio` as `\mathrm{trust\_ratio}`."""
    escaped = name.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"
