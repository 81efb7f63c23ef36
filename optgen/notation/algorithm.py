r"""A rule as a LaTeX algorithm box, as papers print it.

Needs the packages amsmath, algorithm and algpseudocode.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from optgen.notation import latex
from optgen.notation.glossary import Glossary
from optgen.spec import OptimizerSpec


def algorithm(spec: OptimizerSpec) -> str:
    r"""Return a rule as an `algorithm` environment; `\Require`, initial values, the loop."""
    return "\n".join(
        (
            r"% needs \usepackage{amsmath, algorithm, algpseudocode}",
            r"\begin{algorithm}",
            rf"  \caption{{{latex.escape(spec.name)}: {latex.escape(spec.summary)}}}",
            r"  \begin{algorithmic}[1]",
            *(f"    {line}" for line in _body(spec)),
            r"  \end{algorithmic}",
            r"\end{algorithm}",
        )
    )


def _body(spec: OptimizerSpec) -> Iterator[str]:
    letters = Glossary.of(spec)
    param, step, grad = letters["param"], letters["step"], letters["grad"]
    for h in spec.hyperparameters:
        assert isinstance(h.default, Fraction)
        doc = f" ({latex.escape(h.doc)})" if h.doc else ""
        yield rf"\Require ${letters[h.name]} = {latex.number(h.default)}${doc}"
    for symbol in spec.inputs:
        yield rf"\Require ${letters[symbol.name]}$ at every step"
    yield rf"\Require ${param}$ (initial parameter)"
    for b in spec.state:
        assert isinstance(b.initial, Fraction)
        doc = rf" \Comment{{{latex.escape(b.doc)}}}" if b.doc else ""
        yield rf"\State \textbf{{initialize}} ${letters[b.name]} = {latex.number(b.initial)}${doc}"
    yield rf"\For{{${step} = 1, 2, \dots$}}"
    yield rf"  \State ${grad} \leftarrow \nabla f({latex.query(spec) or param})$"
    for target, sign, value in latex.assignments(spec):
        yield rf"  \State ${target} {sign} {value}$"
    yield r"\EndFor"
    yield rf"\State \Return ${param}$"
