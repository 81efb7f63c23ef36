"""Rules that scale a step by norms: how long the step is, all elements together.

norm(c*u) = abs(c)*norm(u) for a factor c that is the same for every element;
the rest is arithmetic with the norms, which the decider settles.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from optgen.domains import POSITIVE
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.subject import Subject, reason_of, values_behind
from optgen.symbols import norm, param, step, symbol
from optgen.verify.verdicts import Proved

_HOW = "norm(c*u) = abs(c)*norm(u), and the decider on the factor c"


def relative_step(subject: Subject) -> Iterator[Entry]:
    """Yield how long the step is if it is a multiple of what one norm is taken of."""
    rule = subject.spec.rule
    norms = {a.value.args[0]: a.target for a in rule if isinstance(a.value, norm)}
    of_param = norms.pop(param, None)
    if of_param is None:
        return
    before = rule[: next(i for i, a in enumerate(rule) if a.target == of_param)]
    if any(a.target == param for a in before):
        return  # the norm is not that of the parameter before the step
    opaque = {str(s): s for pair in norms.items() for s in pair} | {str(of_param): of_param}
    moved = values_behind(subject.spec.rule, opaque)["param"] - param
    scalars = {symbol(n) for n in subject.hyperparameters} | {step, of_param, *norms.values()}
    for reduced, length in norms.items():
        factor = sympy.diff(moved, reduced)
        rest = moved.xreplace({reduced: sympy.Integer(0)})
        if rest != 0 or not factor.free_symbols <= scalars:
            continue
        share = factor.subs({of_param: 1, length: 1})
        share = -share if subject.has_sign(share, (-1, 0)) else sympy.Abs(share)
        statement = (
            f"norm(param_next - param) = {subject.text(share)}*norm(param) "
            f"where norm(param) > 0 and norm({reduced}) > 0"
        )
        domains = {str(of_param): POSITIVE, str(length): POSITIVE}
        verdict = subject.equal(sympy.Abs(factor) * length, share * of_param, domains)
        if isinstance(verdict, Proved):
            yield Entry("step_bound", statement, "proved", _HOW, values={"share": str(share)})
        else:
            yield not_derived("step_bound", statement, reason_of(verdict), _HOW)
