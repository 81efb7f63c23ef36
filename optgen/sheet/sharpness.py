"""No smaller constant bounds the ratio of two moments: the run that reaches it.

Gradients that grow by rho = r/p at every step drive m**2/v to K. A run in
exact numbers refutes the constant that is one per cent smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.moments import Invariant
from optgen.sheet.subject import Subject
from optgen.symbols import symbol
from optgen.verify import evaluate as independent
from optgen.verify.serialise import Tree, serialise

_MOST_STEPS = 600
_BITS = 384
_SHARE = Fraction(99, 100)


def sharpness(subject: Subject, one: Invariant) -> Iterator[Entry]:
    """Yield that the constant is the smallest, and a run that refutes a smaller one."""
    growth = one.growth
    m, v = one.first.name, one.second.name
    if growth is None:
        return
    how = "the ray on which a step multiplies m by the growth and v by its square"
    statement = (
        f"gradients multiplied by {subject.text(growth)} at every step drive {m}**2/{v} to K"
    )
    if _ray_reaches(one):
        yield Entry("step_bound", f"{statement}: no smaller K will do", "proved", how)
    else:
        yield not_derived("step_bound", statement, "the ray does not reach K", how)
    yield _smaller_refuted(subject, one, growth)


def _ray_reaches(one: Invariant) -> bool:
    """Whether m = a*x, v = b*x**2 with x growing by rho is a run with a**2/b = K.

    a = q*rho/(rho - p) and b = u*rho**2/(rho**2 - r) solve the two recurrences.
    """
    p, q, r, u = one.first.keep, one.first.take, one.second.keep, one.second.take
    rho = r / p
    a, b = q * rho / (rho - p), u * rho**2 / (rho**2 - r)
    stays = (p * a + q * rho - a * rho, r * b + u * rho**2 - b * rho**2, a**2 / b - one.ratio)
    return all(sympy.cancel(sympy.together(gap)) == 0 for gap in stays)


def _smaller_refuted(subject: Subject, one: Invariant, growth: sympy.Expr) -> Entry:
    """Refute 99/100*K by a run at the defaults, evaluated by the independent evaluator."""
    m, v = one.first.name, one.second.name
    statement = f"{m}**2 <= 99/100*K*{v} at every step"
    chosen = {h.symbol: sympy.Rational(h.default) for h in subject.spec.hyperparameters}
    ratio, rho = one.ratio.subs(chosen), growth.subs(chosen)
    how = "a run in exact numbers, by the independent evaluator"
    if not (ratio.is_Rational and rho.is_Rational and rho > 0):
        return not_derived("step_bound", statement, "the defaults give no such run", how)
    limit = _SHARE * Fraction(int(ratio.p), int(ratio.q))
    factor = Fraction(int(rho.p), int(rho.q))
    reached = _climb(one, chosen, factor, limit)
    if reached is None:
        return not_derived("step_bound", statement, f"not reached in {_MOST_STEPS} steps", how)
    steps, quotient = reached
    witness = {str(h): str(value) for h, value in chosen.items() if h in one.ratio.free_symbols}
    witness |= {
        f"{one.second.source}_t": f"({factor})**(t - 1)" if factor != 1 else "1",
        "steps": str(steps),
    }
    detail = f"{m}**2/{v} > {float(limit):.6g} behind the last step, and K = {ratio}"
    values = {"ratio": str(quotient), "steps": steps}
    return Entry("step_bound", statement, "refuted", how, detail, witness, values)


def _climb(
    one: Invariant,
    chosen: dict[sympy.Symbol, sympy.Rational],
    factor: Fraction,
    limit: Fraction,
) -> tuple[int, Fraction] | None:
    """Run the two states on growing gradients until first**2/second passes the limit."""
    source = one.second.source
    lines: list[tuple[str, Tree]] = []
    for average in (one.first, one.second):
        kept = average.keep * symbol(average.name)
        value = kept + average.take * source**average.power
        lines.append((average.name, serialise(value.xreplace(chosen))))
    env: dict[str, independent.Values] = {
        one.first.name: (independent.exact(0),),
        one.second.name: (independent.exact(0),),
        "param": (independent.exact(0),),
    }
    gradient = Fraction(1)
    for number in range(1, _MOST_STEPS + 1):
        env[str(source.name)] = (independent.exact(gradient),)
        for name, tree in lines:
            env[name] = independent.evaluate(tree, env, _BITS)
        first, second = env[one.first.name][0].low, env[one.second.name][0].low
        if second and first**2 / second > limit:
            return number, first**2 / second
        gradient *= factor
    return None
