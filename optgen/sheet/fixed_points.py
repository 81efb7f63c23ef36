"""Where a rule comes to rest under a constant gradient, and how far it drifts if nowhere.

Candidates come from solving the rule line by line after many steps; each is
put into the one-step map, and the decider proves that it comes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy

from optgen.domains import POSITIVE, Domain
from optgen.roles import Role, roles
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.limit import Limit, NoLimit, take_limit
from optgen.sheet.subject import Subject, neat, values_behind
from optgen.sheet.units import Units
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import Max, grad, param, symbol
from optgen.verify.verdicts import Proved

_HOW = "solving line by line with sympy; the decider proved that the step comes back to it"
_AFTER = f"{_HOW}, in the limit of many steps"
_DRIFTS = "solving line by line with sympy; the decider proved the move"


class NoFixedPoint(Exception):
    """The states have no fixed point that was found; says why."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Where the states come to rest, and what the parameter then does.

    Attributes:
        states: Value of each state, over the gradient, the parameter and hyperparameters.
        move: What a step then adds to the parameter.
    """

    states: Mapping[sympy.Symbol, sympy.Expr]
    move: sympy.Expr


def entries(subject: Subject, units: Units | None = None) -> Iterator[Entry]:
    """Yield the fixed points under a constant gradient, and under none."""
    try:
        limit = take_limit(subject)
    except NoLimit as error:
        reason = f"the limit of the rule is not known: {error}"
        yield not_derived("fixed_points", "fixed points under a constant gradient", reason)
        return
    for constant in (True, False):
        yield from _under(subject, units, limit, constant)


def _under(subject: Subject, units: Units | None, limit: Limit, constant: bool) -> Iterator[Entry]:
    gradient = grad if constant else sympy.Integer(0)
    words = "a constant gradient" if constant else "gradient 0"
    spec = limit.spec
    how = _HOW if spec is subject.spec else _AFTER
    try:
        rest = _rest(spec, gradient, subject)
    except NoFixedPoint as error:
        yield not_derived("fixed_points", f"fixed points under {words}", str(error))
        return
    states = ", ".join(f"{s} = {subject.text(v)}" for s, v in rest.states.items())
    held = f" with {states}" if states else ""
    if rest.move == 0:
        text = f"under {words} every param is a fixed point{held}{limit.where}"
        if limit.edges or not _comes_back(subject, spec, {**rest.states, param: param}, gradient):
            reason = f"the limit holds where {' and '.join(limit.edges)} only"
            reason = reason if limit.edges else "the decider did not prove it"
            yield not_derived("fixed_points", text, reason, how)
        else:
            yield Entry("fixed_points", text, "proved", how)
        return
    known = {grad, *(h.symbol for h in spec.hyperparameters)}
    found = [p for p in _solutions(rest.move) if p.free_symbols <= known]
    for point in found:
        at = {s: v.xreplace({param: point}) for s, v in rest.states.items()}
        text = f"under {words} param* = {subject.text(point)} is a fixed point"
        held = ", ".join(f"{s} = {subject.text(v)}" for s, v in at.items())
        text += (f" with {held}" if held else "") + limit.where
        exact = not limit.edges or len(at) == len(subject.spec.state)
        holder, said = (subject.spec, _HOW) if limit.edges and exact else (spec, how)
        if not exact or not _comes_back(subject, holder, {**at, param: point}, gradient):
            edges = f", and the limit holds where {' and '.join(limit.edges)} only"
            reason = f"the decider did not prove it{edges if limit.edges else ''}"
            yield not_derived("fixed_points", text, reason, said)
            continue
        yield Entry("fixed_points", text, "proved", said, values={"param": str(point)})
        yield from _limits(subject, units, point)
    if not found:
        yield _drift(subject, spec, rest, gradient, words, limit)


def _rest(spec: OptimizerSpec, gradient: sympy.Expr, subject: Subject) -> Rest:
    """Solve for the states, one after the other.

    Raises:
        NoFixedPoint: A state has none, or none was found.
    """
    kept = roles(spec)
    opaque = {
        a.name: a.target
        for a in spec.rule
        if kept[a.name] is Role.TENSOR and not isinstance(a, Set)
    }
    behind = values_behind(spec.rule, opaque)
    solved: dict[sympy.Symbol, sympy.Expr] = {}
    for buffer in spec.state:
        value = behind[buffer.name].xreplace({grad: gradient}).xreplace(solved)
        solution = _state(buffer.symbol, value)
        if solution is None:
            text = subject.text(behind[buffer.name])
            raise NoFixedPoint(f"{buffer.name} = {text} has no solution that was found")
        solved = {s: v.xreplace({buffer.symbol: solution}) for s, v in solved.items()}
        solved[buffer.symbol] = neat(solution)
    move = behind["param"].xreplace({grad: gradient})
    for _ in solved:
        move = move.xreplace(solved)
    return Rest(solved, neat(move - param))


def _state(state: sympy.Symbol, value: sympy.Expr) -> sympy.Expr | None:
    """Return the fixed point of one state."""
    if isinstance(value, Max) and state in value.args:
        others = [a for a in value.args if a != state]
        return others[0] if len(others) == 1 and not others[0].has(state) else None
    if not value.is_polynomial(state) or sympy.degree(sympy.expand(value), state) > 1:
        return None
    keep = sympy.diff(value, state)
    rest = value.xreplace({state: sympy.Integer(0)})
    if sympy.simplify(1 - keep) == 0:
        return sympy.Integer(0) if sympy.simplify(rest) == 0 else None
    return rest / (1 - keep)


def _solutions(move: sympy.Expr) -> list[sympy.Expr]:
    """Return the parameters at which a factor of the numerator, linear in it, vanishes."""
    numerator = sympy.fraction(sympy.together(move))[0]
    found = []
    for factor in sympy.Mul.make_args(sympy.factor(numerator)):
        base = factor.base if isinstance(factor, sympy.Pow) else factor
        slope = sympy.diff(base, param)
        if slope != 0 and not slope.has(param):
            at_zero = base.xreplace({param: sympy.Integer(0)})
            found.append(neat(-at_zero / slope))
    return list(dict.fromkeys(found))


def _comes_back(
    subject: Subject,
    spec: OptimizerSpec,
    point: Mapping[sympy.Symbol, sympy.Expr],
    gradient: sympy.Expr,
) -> bool:
    """Whether a step of the limiting rule from a point is proved to end there."""
    behind = values_behind(spec.rule)
    put = {**point, grad: gradient}
    for name in ("param", *(b.name for b in spec.state)):
        start = point[symbol(name)]
        if not isinstance(subject.equal(behind[name].xreplace(put), start), Proved):
            return False
    return True


def _limits(subject: Subject, units: Units | None, point: sympy.Expr) -> Iterator[Entry]:
    """Yield how far from 0 a fixed point can lie, in hyperparameters with its unit."""
    if units is None or point == 0:
        return
    for name in subject.hyperparameters:
        unit = units.exponents[name]
        if unit != {"param": -1} or not point.has(symbol(name)):
            continue
        inside = 1 - (symbol(name) * point) ** 2
        positive: dict[str, Domain] = {name: POSITIVE}
        positive |= {n: POSITIVE for n, u in units.exponents.items() if u == {"grad": 1}}
        for signs, sign in (((1,), "<"), ((0, 1), "<=")):
            if subject.has_sign(inside, signs, positive):
                text = f"abs(param*) {sign} 1/{name}, whatever the gradient"
                shifts = [n for n in positive if point.has(symbol(n)) and n != name]
                where = f" for {' and '.join(f'{n} > 0' for n in shifts)}" if shifts else ""
                how = "the decider, on the sign of 1 - (param* times it)**2"
                yield Entry("fixed_points", text + where, "proved", how)
                break


def _drift(
    subject: Subject,
    spec: OptimizerSpec,
    rest: Rest,
    gradient: sympy.Expr,
    words: str,
    limit: Limit,
) -> Entry:
    """Say that the parameter never rests, and how far each step takes it."""
    statement = f"param has a fixed point under {words}"
    text = subject.text(rest.move)
    put = {**rest.states, grad: gradient}
    behind = {name: value.xreplace(put) for name, value in values_behind(spec.rule).items()}
    follows = [str(s) for s, value in rest.states.items() if value.has(param)]
    kept = all(isinstance(subject.equal(behind[str(s)], v), Proved) for s, v in rest.states.items())
    if follows:
        return not_derived("fixed_points", statement, f"param moves, and {follows[0]} with it")
    if limit.edges:
        reason = f"the limit holds where {' and '.join(limit.edges)} only"
        return not_derived("fixed_points", statement, reason)
    moves = isinstance(subject.equal(behind["param"] - param, rest.move), Proved)
    if rest.move.has(param) or not (kept and moves):
        return not_derived("fixed_points", statement, f"param moves by {text} a step")
    how = _DRIFTS if spec is subject.spec else f"{_DRIFTS}, in the limit of many steps"
    states = ", ".join(f"{s} = {subject.text(v)}" for s, v in rest.states.items())
    held = f" once {states}" if states else ""
    return Entry(
        "fixed_points",
        f"under {words} param moves by {text} a step{held}{limit.where}, for ever",
        "proved",
        how,
        values={"move": str(rest.move)},
    )
