"""Solves polynomial systems whose solutions are fractions of the hyperparameters.

Unknowns that an equation gives at once are eliminated first; where none does, a
Groebner basis is computed and the search goes on in it. Every solution is a
guess: what is made of it is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import QQ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.relations.basis import Poly, basis
from optgen.relations.systems import RULE, System
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline
from optgen.verify.verdicts import Unsupported

_MOST_SOLUTIONS = 6
_MOST_TERMS = 2_000


@dataclass(frozen=True, slots=True)
class _Solved:
    """`unknown = numer / denom`, in what was not yet eliminated."""

    index: int
    numer: Poly
    denom: Poly


def solutions(system: System, deadline: Deadline) -> list[dict[str, sympy.Expr]]:
    """Return some solutions, each with a value for every unknown that it fixes.

    Values are over the hyperparameters, the roots, and the unknowns left free.
    """
    solver = _Solver(system, deadline)
    found: list[dict[str, sympy.Expr]] = []
    for steps in solver.solve(solver.equations, solver.rules, (), True):
        solution = solver.written(steps)
        if solution not in found:
            found.append(solution)
        if len(found) >= _MOST_SOLUTIONS:
            break
    return found


class _Solver:
    def __init__(self, system: System, deadline: Deadline) -> None:
        self._ring = system.ring
        self._deadline = deadline
        count = len(system.base)
        names = [str(s) for s in system.ring.symbols]
        self._roots = {i for i, name in enumerate(names) if name in system.roots}
        self._root_texts = {names[i]: system.roots[names[i]] for i in self._roots}
        self._names = names
        self._fixed = self._known_roots(system, count)
        self._unknown = [i for i in range(count, len(names)) if i not in self._fixed]
        is_rule = [c.origin.startswith(RULE) for c in system.conditions]
        polys = [c.poly for c in system.conditions]
        self.equations = [p for p, rule in zip(polys, is_rule, strict=True) if not rule]
        self.rules = [p for p, rule in zip(polys, is_rule, strict=True) if rule and self._open(p)]

    def _known_roots(self, system: System, count: int) -> set[int]:
        """Return the roots of hyperparameters of the first rule: they count as known."""
        known: set[int] = set(range(count))
        plain = {n for n in system.unknown if n not in system.roots}
        ruled = {
            i for c in system.conditions if c.origin.startswith(RULE) for i in self._used(c.poly)
        }
        for index in sorted(self._roots):
            inside = {str(s) for s in read_root(system.roots[self._names[index]]).free_symbols}
            if index not in ruled and not inside & plain:
                known.add(index)  # a power with a variable in its exponent
            for condition in system.conditions:
                used = self._used(condition.poly)
                rule = condition.origin.startswith(RULE) and index in used
                if rule and used - {index} <= known and max(used) == index:
                    known.add(index)
        return known - set(range(count))

    @staticmethod
    def _used(poly: Poly) -> set[int]:
        return {i for i, degree in enumerate(poly.degrees()) if degree > 0}

    def _open(self, poly: Poly) -> set[int]:
        """Return the unknowns in a polynomial."""
        return self._used(poly) & set(self._unknown)

    def solve(
        self,
        polys: list[Poly],
        rules: list[Poly],
        steps: tuple[_Solved, ...],
        may_complete: bool,
    ) -> Iterator[tuple[_Solved, ...]]:
        """Yield solutions as eliminations, in order.

        The rule of a root says what the root is; it is solved only where an equation has
        fixed the root.
        """
        self._deadline.check()
        todo = [p for p in dict.fromkeys(polys) if p]
        if any(not self._used(p) & {*self._unknown, *self._fixed} for p in todo):
            return  # a polynomial in the hyperparameters alone is not 0
        todo = [p for p in todo if self._open(p)]
        if not todo:
            yield steps
            return
        if any(p.is_ground for p in todo):
            return
        todo.sort(key=lambda p: (len(self._open(p)), len(p)))
        for poly in todo:
            factors = [f for f, _ in poly.factor_list()[1] if self._open(f)]
            if factors == [poly] or factors == [-poly]:
                continue
            rest = [p for p in todo if p is not poly]
            for factor in sorted(factors, key=lambda f: (len(f), str(f))):
                yield from self.solve([factor, *rest], rules, steps, may_complete)
            return
        for careful, for_root in ((True, False), (False, False), (False, True)):
            for poly in todo:
                solved = self._linear(poly, careful, for_root)
                if solved is None:
                    continue
                rest = [self._put(p, solved) for p in todo if p is not poly]
                put = [self._put(p, solved) for p in rules]
                if solved.index in self._roots:
                    rest += [p for p, old in zip(put, rules, strict=True) if p != old]
                    put = [p for p, old in zip(put, rules, strict=True) if p == old]
                yield from self.solve(rest, put, (*steps, solved), may_complete)
                return
            if careful and may_complete:
                completed = self._completed([*todo, *rules])
                completed = [p for p in completed if p not in rules and -p not in rules]
                yield from self.solve(completed, rules, steps, False)
                return

    def _linear(self, poly: Poly, careful: bool, for_root: bool) -> _Solved | None:
        """Solve a polynomial for an unknown or a root; careful: its coefficient holds none."""
        gens = self._ring.gens
        for index in sorted(self._open(poly)):
            if poly.degree(gens[index]) != 1 or (index in self._roots) != for_root:
                continue
            terms: dict[Any, Any] = {}
            for monomial, value in poly.items():
                if monomial[index]:
                    terms[(*monomial[:index], 0, *monomial[index + 1 :])] = value
            coefficient = self._ring.from_dict(terms)
            if careful and self._open(coefficient):
                continue
            return _Solved(index, coefficient * gens[index] - poly, coefficient)
        return None

    def _put(self, poly: Poly, solved: _Solved) -> Poly:
        """Put a solved unknown into a polynomial and clear the denominator."""
        degree = poly.degree(self._ring.gens[solved.index])
        if degree <= 0:
            return poly
        groups: dict[int, dict[Any, Any]] = {}
        i = solved.index
        for monomial, value in poly.items():
            groups.setdefault(monomial[i], {})[(*monomial[:i], 0, *monomial[i + 1 :])] = value
        total = self._ring.zero
        for power, terms in groups.items():
            part = self._ring.from_dict(terms)
            for _ in range(power):  # 0**0 is an error in sympy's rings
                part = part * solved.numer
            total += part * solved.denom ** (degree - power)
            if len(total) > _MOST_TERMS:
                raise Unsupported("the equations grow too large")
        return total.primitive()[1] if total else total

    def _completed(self, polys: list[Poly]) -> list[Poly]:
        """Return a Groebner basis of the equations, over the field of the hyperparameters."""
        base = [i for i in range(self._ring.ngens) if i not in self._unknown]
        names = self._names
        over = QQ.frac_field(*(names[i] for i in base)) if base else QQ
        ring = PolyRing([names[i] for i in self._unknown], over, grevlex)
        moved = []
        for poly in polys:
            groups: dict[Any, Any] = {}
            for monomial, value in poly.items():
                outside = tuple(monomial[i] for i in self._unknown)
                groups.setdefault(outside, {})[tuple(monomial[i] for i in base)] = value
            terms = {}
            for outside, inside in groups.items():
                if base:
                    inner = over.field.ring
                    made = inner.from_dict({m: inner.domain(int(v)) for m, v in inside.items()})
                    terms[outside] = over.field.new(made, inner.one)
                else:
                    terms[outside] = over(int(inside[()]))
            moved.append(ring.from_dict(terms))
        found = basis(moved, self._deadline)
        return [self._back(e.poly, base) for e in found]

    def _back(self, poly: Poly, base: list[int]) -> Poly:
        common: Any = None
        for value in poly.values():
            denominator = value.denom if base else self._ring.domain(int(value.denominator))
            if common is None:
                common = denominator
            else:
                common = common.lcm(denominator) if base else sympy.ilcm(common, denominator)
        terms: dict[Any, Any] = {}
        for monomial, value in poly.items():
            inside = (
                (value.numer * common.exquo(value.denom)).items()
                if base
                else [((), value * int(common))]
            )
            for inner, coefficient in inside:
                powers = [0] * self._ring.ngens
                for i, power in zip(self._unknown, monomial, strict=True):
                    powers[i] = power
                for i, power in zip(base, inner, strict=True):
                    powers[i] = power
                terms[tuple(powers)] = QQ(coefficient)
        rational = self._ring.clone(domain=QQ).from_dict(terms)
        _, whole = rational.clear_denoms()
        return self._ring.from_dict({m: int(c) for m, c in whole.items()}).primitive()[1]

    def written(self, steps: tuple[_Solved, ...]) -> dict[str, sympy.Expr]:
        """Return eliminations as values, the later ones put into the earlier."""
        known: dict[sympy.Symbol, sympy.Expr] = {}
        for solved in reversed(steps):
            value = self._expression(solved.numer) / self._expression(solved.denom)
            known[symbol(self._names[solved.index])] = tidy(value.subs(known))
        texts: Mapping[str, str] = self._root_texts
        roots = {symbol(name): read_root(text) for name, text in texts.items()}
        return {
            str(name): tidy(value.subs(roots))
            for name, value in known.items()
            if str(name) not in texts
        }

    def _expression(self, poly: Poly) -> sympy.Expr:
        return poly.as_expr(*(symbol(name) for name in self._names))


def read_root(text: str) -> sympy.Expr:
    """Read the label of a root, `(1 - beta2)**(1/2)`; names may end in a prime."""
    import re

    primed = re.sub(r"([A-Za-z_]\w*)'", r"\1__prime", text)
    known = {
        name: symbol(name.replace("__prime", "'")) for name in re.findall(r"[A-Za-z_]\w*", primed)
    }
    return sympy.parse_expr(primed.replace("sqrt", "sqrt"), local_dict={"sqrt": sympy.sqrt} | known)


def tidy(value: sympy.Expr) -> sympy.Expr:
    """Return a fraction in lowest terms with its factors apart: `lr*(1 - momentum)`."""
    if value.is_Rational or value.is_Symbol:
        return value
    shown = sympy.factor(sympy.cancel(sympy.together(value)))
    return _upright(shown)


def _upright(value: sympy.Expr) -> sympy.Expr:
    """Turn `-(momentum - 1)` into `1 - momentum`: factors are written so that the sign is +."""
    if isinstance(value, sympy.Mul | sympy.Pow):
        factors = list(sympy.Mul.make_args(value))
        minus = sympy.Integer(1)
        turned = []
        for factor in factors:
            base, exponent = factor.as_base_exp()
            if base.is_Add and exponent.is_Integer and _leads_with_minus(base):
                base, minus = sympy.expand(-base), minus * (-1) ** exponent
                turned.append(base**exponent)
            else:
                turned.append(factor)
        return minus * sympy.Mul(*turned)
    return value


def _leads_with_minus(value: sympy.Expr) -> bool:
    """Whether a sum is written best the other way round: `x - 1` for x in [0, 1)."""
    constant = value.as_coeff_Add()[0]
    return bool(constant < 0)
