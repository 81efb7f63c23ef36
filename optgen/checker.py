"""Checks certificates of equality by itself: one file, the standard library, nothing of optgen.

A certificate states, for each pair of expressions, that both are equal wherever both
have a value, for all values of the variables in their domains. It proves that region by
region: polynomials split the domain by their signs, and in each part it says what every
root, power, absolute value, maximum, sign and choice is. All of that is verified here,
by multiplying out; only the statement itself is taken from the file, and a caller that
wants a proof of something definite passes the statement it wants.

A value is a pair of polynomials, numerator and denominator, over the variables and over
generators: roots `R**q = P`, powers `(N/D)**(T/k)`, norms and means. What is kept true: at each
point of the region at which a node has a value, its denominator is not 0 and the
fraction is that value. A root stands for a complex root until its radicand is known not to be
negative; then it is the real one, and not negative.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb, gcd
from typing import Any

Poly = dict[int, int]
Value = tuple[Poly, Poly]
Signs = frozenset[int]
KIND, VERSION = "optgen-certificate", 1
ANY, WEAK = frozenset((-1, 0, 1)), frozenset((0, 1))
RELATIONS = {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}, "==": {0}, "!=": {-1, 1}}
_FIELD = 20  # bits of an exponent in a packed monomial
_WORK, _LONGEST, _DEEPEST = 4_000_000, 1 << 16, 400
_ONE: Poly = {0: 1}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The certificate proves what it states."""

    equations: int
    regions: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The certificate proves nothing; the reason is one sentence."""

    reason: str


class Malformed(Exception):
    """This is no certificate: what is wrong, where, and how to mend it."""


class _No(Exception):
    """A step of the proof does not hold."""


class _Empty(Exception):
    """What is known in a region cannot all hold: it has no point."""


class _Algebra:
    """Polynomials as {packed monomial: integer}, with a budget of work."""

    def __init__(self, width: int) -> None:
        self.work = 0
        self.width = width
        self.over = sum(1 << (_FIELD * i + b) for i in range(width) for b in (18, 19))

    def mul(self, a: Poly, b: Poly) -> Poly:
        if len(a) > len(b):
            a, b = b, a
        if a == _ONE:
            return b
        bits = max(map(int.bit_length, a.values()), default=0) + max(
            map(int.bit_length, b.values()), default=0
        )
        self.spend(len(a) * len(b) * (1 + bits // 128) + 1)
        total: Poly = {}
        for m, c in a.items():
            for n, d in b.items():
                total[m + n] = total.get(m + n, 0) + c * d
        if any(m & self.over or c.bit_length() > _LONGEST for m, c in total.items()):
            raise _No("it has a polynomial with huge exponents or coefficients")
        return {m: c for m, c in total.items() if c}

    def spend(self, work: int) -> None:
        self.work += work
        if self.work > _WORK:
            raise _No("it takes more work than a certificate may")

    def power(self, a: Poly, exponent: int) -> Poly:
        if not 0 <= exponent <= 128:
            raise _No(f"it raises to the power {exponent}")
        total = _ONE
        for _ in range(exponent):
            total = self.mul(total, a)
        return total

    def add(self, a: Poly, b: Poly, times: int = 1) -> Poly:
        self.work += len(b)
        total = dict(a)
        for m, c in b.items():
            total[m] = total.get(m, 0) + times * c
        return {m: c for m, c in total.items() if c}

    def exponents(self, m: int) -> list[int]:
        return [(m >> (_FIELD * i)) & ((1 << _FIELD) - 1) for i in range(self.width)]

    def used(self, a: Poly) -> list[int]:
        every = 0
        for m in a:
            every |= m
        return [i for i, e in enumerate(self.exponents(every)) if e]

    def replace(self, a: Poly, index: int, degree: int, by: Poly) -> Poly:
        """Put `by` in the place of the power `degree` of a generator, as often as it occurs."""
        self.work += len(a) // 4
        shift, groups = _FIELD * index, dict[int, Poly]()
        for m, c in a.items():
            times = ((m >> shift) & ((1 << _FIELD) - 1)) // degree
            groups.setdefault(times, {})[m - (times * degree << shift)] = c
        if set(groups) <= {0}:
            return a
        total: Poly = groups.get(0, {})
        raised, at = _ONE, 0
        for times in sorted(set(groups) - {0}):
            raised, at = self.mul(raised, self.power(by, times - at)), times
            total = self.add(total, self.mul(groups[times], raised))
        return total


def _norm(a: Poly) -> tuple[frozenset[tuple[int, int]], int]:
    """Return a polynomial up to a constant factor, and the sign of that factor."""
    content = gcd(*a.values()) * (1 if a[max(a)] > 0 else -1)
    return frozenset((m, c // content) for m, c in a.items()), 1 if content > 0 else -1


Domain = tuple[Fraction | None, bool, Fraction | None, bool, bool]
"""Lower end, whether it is open, upper end, whether it is open, whether only integers."""


class _Region:
    """What is known at the points of a part of the domain."""

    def __init__(self, algebra: _Algebra, domains: list[Domain | None], roots: dict[int, Any]):
        self.algebra, self.domains, self.roots = algebra, domains, roots
        self.facts: dict[frozenset[tuple[int, int]], Signs] = {}
        self.put: dict[int, Poly] = {}  # variables that are fixed here
        self.memo: dict[frozenset[tuple[int, int]], Signs] = {}

    def child(self) -> _Region:
        new = _Region(self.algebra, list(self.domains), dict(self.roots))
        new.facts, new.put = dict(self.facts), dict(self.put)
        return new

    def reduce(self, a: Poly) -> Poly:
        for index, by in self.put.items():
            a = self.algebra.replace(a, index, 1, by)
        for index in sorted(self.roots, reverse=True):  # a radicand has earlier generators only
            degree, radicand = self.roots[index]
            a = self.algebra.replace(a, index, degree, radicand)
        return a

    def mul(self, *parts: Poly) -> Poly:
        total = _ONE
        for part in parts:
            total = self.reduce(self.algebra.mul(total, part))
        return total

    def same(self, a: Poly, b: Poly) -> bool:
        return not self.reduce(self.algebra.add(a, b, -1))

    def power(self, a: Poly, exponent: int) -> Poly:
        if exponent > 128:
            raise _No(f"it raises to the power {exponent}")
        return self.mul(*([a] * exponent))

    def learn(self, a: Poly, signs: Signs) -> None:
        """Take a sign as known: only for splits, and for what having a value implies."""
        a = self.reduce(a)
        if set(a) <= {0}:
            value = a.get(0, 0)
            if (value > 0) - (value < 0) not in signs:
                raise _Empty
            return
        key, flip = _norm(a)
        self.facts[key] = frozenset(s * flip for s in signs) & self.facts.get(key, ANY)
        line = self._line(a)
        if line is not None:
            index, root, direction = line
            self._narrow(index, root, frozenset(s * direction for s in signs))

    def _line(self, a: Poly) -> tuple[int, Fraction, int] | None:
        """For `p*x + q` return x, -q/p and the sign of p."""
        if len(a) > 2:
            return None
        for index in self.algebra.used(a):
            one = 1 << (_FIELD * index)
            if one in a and set(a) <= {0, one}:
                return index, Fraction(-a.get(0, 0), a[one]), 1 if a[one] > 0 else -1
        return None

    def _narrow(self, index: int, at: Fraction, signs: Signs) -> None:
        domain = self.domains[index]
        if domain is None:
            return
        low, low_open, high, high_open, whole = domain
        is_open = 0 not in signs
        if not signs & {-1} and (low is None or at > low or (at == low and is_open)):
            low, low_open = at, is_open
        if not signs & {1} and (high is None or at < high or (at == high and is_open)):
            high, high_open = at, is_open
        if signs == {-1, 1}:
            low_open, high_open = low_open or at == low, high_open or at == high
        if whole and low is not None:
            low = Fraction(low // 1 + 1 if low_open else -(-low // 1))
            low_open = False
        width = None if low is None or high is None else high - low
        if width is not None and (width < 0 or (width == 0 and (low_open or high_open))):
            raise _Empty
        self.domains[index] = low, low_open, high, high_open, whole

    def fix(self, a: Poly, index: int) -> None:
        """Where a = 0 put in the place of a variable what it equals: a = +-(x - rest)."""
        a, one = self.reduce(a), 1 << (_FIELD * index)
        rest = self.algebra.add({}, {m: c for m, c in a.items() if m != one}, -a[one])
        if abs(a[one]) != 1 or index in self.algebra.used(rest) or index in self.roots:
            raise _No("it fixes a variable by an equation that does not")
        for i, by in self.put.items():
            self.put[i] = self.algebra.replace(by, index, 1, rest)
        self.put[index] = rest
        for i, (degree, radicand) in self.roots.items():
            self.roots[i] = degree, self.algebra.replace(radicand, index, 1, rest)
        for i in sorted(self.roots):
            self.roots[i] = self.roots[i][0], self.reduce(self.roots[i][1])
        for key, signs in list(self.facts.items()):
            self.learn(dict(key), signs)
        low, low_open, high, high_open, _ = self.domains[index] or (None,) * 5
        for end, is_open, sign in ((low, low_open, 1), (high, high_open, -1)):
            if end is not None:  # what stands for the variable lies in its domain
                gap = self.algebra.add({}, rest, end.denominator)
                gap = self.algebra.add(gap, {0: end.numerator}, -1)
                self.learn(gap, frozenset((sign,) if is_open else (0, sign)))

    def sign(self, a: Poly, hint: Any = None, polys: Any = ()) -> Signs:
        """Return a set that holds every sign of a polynomial in the region."""
        a = self.reduce(a)
        if not a:
            return frozenset((0,))
        found = self._plain(a)
        if not found:
            raise _Empty
        if hint is None:
            return found
        match hint:
            case ["product", int(factor), list(parts)]:
                total, signs = {0: factor} if factor else {}, frozenset((1 if factor > 0 else -1,))
                for base, exponent, below in parts:
                    total = self.mul(total, self.power(polys[base], exponent))
                    own = self.sign(polys[base], below, polys)
                    if exponent % 2 == 0 and not self.real(polys[base]):
                        exponent = 1  # the square of what is not real may be negative
                    signs = frozenset(s * t for s in signs for t in _power_signs(own, exponent))
            case ["sum", list(parts)]:
                total, signs = {}, frozenset((0,))
                for part, below in parts:
                    total = self.algebra.add(total, polys[part])
                    signs = _sum_signs(signs, self.sign(polys[part], below, polys))
            case ["conjugate", left, right, exponent, above, below, powers]:
                # For p, q >= 0 the sign of p - q is that of p**k - q**k.
                p, q = polys[left], polys[right]
                total = self.algebra.add(p, q, -1)
                both = self.sign(p, above, polys) | self.sign(q, below, polys)
                p, q = self.power(p, exponent), self.power(q, exponent)
                signs = self.sign(self.algebra.add(p, q, -1), powers, polys)
                if not both <= WEAK or exponent < 1:
                    signs = ANY
            case ["quotient", by, below, times]:  # a*by has a known sign, and by
                total = a
                own = self.sign(polys[by], below, polys)
                whole = self.sign(self.algebra.mul(a, polys[by]), times, polys)
                signs = ANY if 0 in own else frozenset(s * t for s in whole for t in own)
            case _:
                raise Malformed(f"a sign is read in an unknown way: {str(hint)[:60]}")
        if not self.same(a, total):
            raise _No("it reads a sign off parts that do not make up the polynomial")
        if not found & signs:
            raise _Empty
        return found & signs

    def _plain(self, a: Poly) -> Signs:
        key, flip = _norm(a)
        found = self.memo.get(key)
        if found is None:
            a = dict(key)
            found = self.memo[key] = self._stepwise(a, self._known(a))
        return frozenset(s * flip for s in found)

    def _known(self, a: Poly) -> Signs:
        if not a:
            return frozenset((0,))
        key, flip = _norm(a)
        known = frozenset(s * flip for s in self.facts.get(key, ANY))
        return known if len(known) == 1 else known & self.on_box(a)

    def _stepwise(self, a: Poly, found: Signs, without: Any = None) -> Signs:
        """Narrow the signs of a by `a = fact + rest`."""
        for key, signs in self.facts.items():
            for flip in (1, -1):
                if len(found) > 1 and key != without:
                    own = frozenset(s * flip for s in signs)
                    if own <= {0, 1} or own <= {0, -1}:
                        rest = self.algebra.add(a, dict(key), -flip)
                        found &= _sum_signs(own, self._known(rest))
        return found

    def real(self, a: Poly) -> bool:
        """Whether a polynomial is known to be real: whether what stands in it is."""
        return all(self.domains[i] is not None for i in self.algebra.used(self.reduce(a)))

    def look(self) -> None:
        """Look whether a fact is impossible, given the domains and the other facts."""
        for key, signs in self.facts.items():
            if not signs & self._stepwise(dict(key), self.on_box(dict(key)), key):
                raise _Empty

    def on_box(self, a: Poly) -> Signs:
        """Return the signs that the coefficients allow."""
        self.algebra.spend(len(a) * (1 + self.algebra.width // 8))
        used = self.algebra.used(a)
        domains = [d for i in used if (d := self.domains[i]) is not None]
        if len(domains) < len(used):
            return ANY
        full = [self.algebra.exponents(m) for m in a]
        terms = {
            tuple(e[i] for i in used): Fraction(c) for e, c in zip(full, a.values(), strict=True)
        }
        found = self._by_coefficients(terms, domains, frozenset())
        even = {at for at in range(len(used)) if not any(m[at] % 2 for m in terms)}
        kept = frozenset(at for at in even if domains[at][0] != 0)
        if len(found) > 1 and kept:
            found &= self._by_coefficients(terms, domains, kept)
        line = self._line(a)
        if line is not None and line[1].denominator != 1 and domains[0][4]:
            found -= {0}
        return found

    def _by_coefficients(
        self, terms: dict[tuple[int, ...], Fraction], domains: list[Domain], kept: frozenset[int]
    ) -> Signs:
        """Write variables over y >= 0; those `kept` have even powers only, and stay."""
        faces: list[list[set[int]]] = []
        for at, domain in enumerate(domains):
            if not terms:
                return frozenset((0,))
            low, low_open, high, high_open, _ = domain
            if at in kept or (low is None and high is None):
                if any(m[at] % 2 for m in terms):
                    return ANY
                above = low is not None and (low > 0 or (low == 0 and low_open))
                below = high is not None and (high < 0 or (high == 0 and high_open))
                faces.append([{at} if above or below else set()])
                continue
            degree = max(m[at] for m in terms)
            if degree > 1000:
                return ANY
            both = low is not None and high is not None
            cost = sum((m[at] + 1) * (degree - m[at] + 1 if both else 1) for m in terms)
            bits = sum(end.numerator.bit_length() for end in (low, high) if end is not None)
            self.algebra.spend(5 * cost * (1 + bits * degree // 2048))
            terms, ends = _over_positive(terms, at, domain)
            faces.append(ends)
            if len(terms) > 4000:
                return ANY
        kinds = {c > 0 for c in terms.values()}
        if len(kinds) != 1:
            return ANY if kinds else frozenset((0,))
        sign = 1 if kinds.pop() else -1
        supports = {frozenset(p for p, e in enumerate(m) if e) for m in terms}
        count = 1
        for ends in faces:
            count *= len(ends)
        strict = count <= 64 and all(
            any(s <= set().union(*face) for s in supports) for face in product(*faces)
        )
        return frozenset((sign,)) if strict else frozenset((0, sign))


def _over_positive(
    terms: dict[tuple[int, ...], Fraction], at: int, domain: Domain
) -> tuple[dict[tuple[int, ...], Fraction], list[set[int]]]:
    """Write x over y >= 0 (one end) or as (low*z + high*y)/(z + y) with y, z >= 0, multiplied out.

    Returns:
        The terms, and sets of positions: at each point those of one set are positive.
    """
    low, low_open, high, high_open, _ = domain
    degree = max(m[at] for m in terms)
    width = len(next(iter(terms)))
    if low is not None and high is not None:
        y_side, z_side, ends = high, low, [{at}, {width}]
        if low_open and high_open:
            ends = [{at, width}]
        elif low_open or high_open:
            ends = [{at}] if low_open else [{width}]
    elif low is not None:
        y_side, z_side, ends = Fraction(1), low, [{at} if low_open else set()]
    else:
        assert high is not None
        y_side, z_side, ends = Fraction(-1), high, [{at} if high_open else set()]
    both = low is not None and high is not None
    result: dict[tuple[int, ...], Fraction] = {}
    for m, c in terms.items():
        p = m[at]
        for i in range(p + 1):  # (z_side*z + y_side*y)**p, and (z + y)**(degree - p)
            first = c * comb(p, i) * y_side**i * z_side ** (p - i)
            for j in range(degree - p + 1 if both else 1):
                z = degree - i - j
                key = (*m[:at], i + j, *m[at + 1 :], *((z,) if both else ()))
                result[key] = result.get(key, Fraction(0)) + first * comb(degree - p, j)
    return {m: c for m, c in result.items() if c}, ends


def _power_signs(signs: Signs, exponent: int) -> Signs:
    if exponent < 1:
        raise _No("it reads a sign off a power that is not positive")
    return signs if exponent % 2 else frozenset(s * s for s in signs)


def _sum_signs(a: Signs, b: Signs) -> Signs:
    if a == {0} or b == {0}:
        return b if a == {0} else a
    for s in (1, -1):
        if a | b <= {0, s}:
            return frozenset((0, s) if 0 in a and 0 in b else (s,))
    return ANY


_NONE = object()
"""The value of a node that has none in a region."""


class _Proof:
    """One statement with its proof."""

    def __init__(self, statement: Any, proof: Any) -> None:
        self.nodes, self.equations = statement["nodes"], statement["equations"]
        variables = statement["variables"]
        self.names = {name: i for i, (name, *_) in enumerate(variables)}
        self.generators = [None] * len(variables) + proof["generators"]
        self.algebra = _Algebra(len(self.generators))
        self.polys = [self._poly(terms) for terms in proof["polynomials"]]
        self.proof, self.regions = proof, 0
        self.opaque: dict[int, int] = {}
        self.either = False  # whether sides may be opposite: for norms of them
        domains: list[Domain | None] = [_domain(*ends) for _, *ends in variables]
        if not len(self.generators) <= 200 or len(self.names) != len(variables):
            raise Malformed("there are too many generators, or a variable is listed twice")
        for i, node in enumerate(self.nodes):
            if any(not 0 <= part < i for part in _parts(node)):
                raise Malformed(f"node {i} reads a node that does not come before it")
        self.start = _Region(self.algebra, domains, {})

    def _poly(self, terms: Any) -> Poly:
        total: Poly = {}
        for coefficient, powers in terms:
            monomial = 0
            for index, exponent in powers:
                width = len(self.generators)
                if not (0 <= index < width and 0 <= exponent < 1000 and len(powers) <= width):
                    raise Malformed("a polynomial has an unknown generator or a huge exponent")
                monomial += int(exponent) << (_FIELD * index)
            if type(coefficient) is not int or coefficient.bit_length() > _LONGEST:
                raise Malformed("a coefficient is no integer, or a huge one")
            total[monomial] = total.get(monomial, 0) + coefficient
        return {m: c for m, c in total.items() if c}

    def run(self) -> int:
        """Check the proof; return the number of regions."""
        try:
            for index in range(len(self.names), len(self.generators)):
                self._generator(index, *self.generators[index])
            for node, model, trees in self.proof["alike"]:
                self._alike(node, model, trees)
        except _Empty:
            return 0
        self._region(self.start, self.proof["tree"], 0)
        return self.regions

    def _generator(self, index: int, tag: str, *about: Any) -> None:
        region, domains = self.start, self.start.domains
        if tag == "root":
            degree, radicand, hint = about
            poly = self.polys[radicand]
            if degree < 2 or any(i >= index for i in self.algebra.used(poly)):
                raise _No(f"generator {index} is a root of what comes behind it")
            region.roots[index] = degree, region.reduce(poly)
            domains.append(None)
            self._real(region, index, hint)
        elif tag == "power":
            n, d, exponent, hints = about
            n, d, t = self.polys[n], self.polys[d], self.polys[exponent]
            used = [i for p in (n, d, t) for i in self.algebra.used(p)]
            if any(i >= index or domains[i] is None for i in used):
                raise _No(f"generator {index} is a power of what need not be real")
            base = self._sign(region, (n, d), hints[:2])
            gap = self._sign(region, (self.algebra.add(d, n, -1), d), hints[2:4])
            high = region.sign(t)
            if not base <= WEAK and not self._whole(t):
                raise _No(f"generator {index} is a power of what may be negative")
            low = Fraction(0) if base <= WEAK else None
            top = Fraction(1) if base <= WEAK and gap <= WEAK and high <= WEAK else None
            domains.append((low, base == {1}, top, gap == high == {1}, False))
        elif tag == "opaque":
            (node,) = about
            kind = self.nodes[node][0]
            if kind not in ("norm", "mean") or node in self.opaque:
                raise _No(f"generator {index} is no norm and no mean, or one met before")
            domains.append((Fraction(0) if kind == "norm" else None, False, None, True, False))
            self.opaque[node] = index
        else:
            raise Malformed(f"generator {index} is of an unknown kind")

    def _real(self, region: _Region, index: int, hint: Any) -> None:
        """A root is real, and not negative, where its radicand is not negative.

        A power of what is positive is positive.
        """
        if index not in region.roots:
            tag, over, under, *_ = self.generators[index]
            above, below = hint or (None, None)
            base = self._sign(region, (self.polys[over], self.polys[under]), (above, below))
            if tag == "power" and base == {1}:
                region._narrow(index, Fraction(0), base)
                region.memo.clear()
            return
        signs = region.sign(region.roots[index][1], hint, self.polys)
        if signs <= WEAK:
            top = Fraction(0) if signs == {0} else None
            region.domains[index] = Fraction(0), signs == {1}, top, top is None, False
            region.memo.clear()

    def _alike(self, node: int, model: int, trees: Any) -> None:
        """Equal arguments, on all of the domain, have equal norms: other elements count too.

        Each is compared with all that have the generator: one of them may have no value. That
        takes a proof of its own if the arguments have branches.
        """
        tag, inside = self.nodes[node]
        own = self.opaque.get(model)
        for other in [i for i, index in self.opaque.items() if index == own]:
            if node in self.opaque or self.nodes[other][0] != tag:
                raise _No(f"nodes {node} and {other} are not alike")
            model = self.nodes[other][1]
            if str(other) in trees:
                equations = self.equations
                self.equations, self.either = [["argument", model, inside]], tag == "norm"
                self._region(self.start, trees[str(other)], 0)
                self.equations, self.either = equations, False
                continue
            values = self._values(self.start, self.proof["claims"], (inside, model))
            a, b = values[inside], values[model]
            if not isinstance(a, tuple) or not isinstance(b, tuple):
                raise _No(f"the arguments of nodes {node} and {other} are not known everywhere")
            left, right = self.start.mul(a[0], b[1]), self.start.mul(b[0], a[1])
            opposite = tag == "norm" and self.start.same(left, self.algebra.add({}, right, -1))
            if not opposite and not self.start.same(left, right):
                raise _No(f"the arguments of nodes {node} and {other} differ")
        if own is not None:
            self.opaque[node] = own

    def _region(self, region: _Region, tree: Any, depth: int) -> None:
        if depth > _DEEPEST:
            raise _No("it splits the domain too often")
        try:
            self._divide(region, tree, depth)
        except _Empty:
            self.regions += 1

    def _divide(self, region: _Region, tree: Any, depth: int) -> None:
        for index, hint in tree.get("real", ()):
            self._real(region, index, hint)
        if "split" not in tree:
            self.regions += 1
            self._leaf(region, tree)
            return
        poly = self.polys[tree["split"]]
        if not region.real(poly):
            raise _No("it splits by a root that need not be real")
        left = set(region.sign(poly, tree["out"], self.polys) & region.on_box(region.reduce(poly)))
        if not tree["parts"]:
            region.look()
        for signs, fixed, below in tree["parts"]:
            left -= set(signs)
            part = region.child()
            try:
                part.learn(poly, frozenset(signs) & ANY)
                if fixed is not None and signs == [0]:
                    part.fix(poly, fixed)
            except _Empty:
                continue
            self._region(part, below, depth + 1)
        if left:
            raise _No("a region of the domain is left out")

    def _leaf(self, region: _Region, leaf: Any) -> None:
        wanted = [i for _, *sides in self.equations for i in sides]
        values = self._values(region, leaf["claims"], wanted)
        for number, (label, left, right) in enumerate(self.equations):
            a, b = values[left], values[right]
            if a is _NONE or b is _NONE or (a is not None and a == b):
                continue
            if a is None or b is None:
                lost = min(i for i, v in values.items() if v is None)
                raise _No(f"{label}: node {lost} ({self.nodes[lost][0]}) has no shown value")
            turned = self.either and number in leaf.get("opposite", ())
            rest = self.algebra.add(
                region.mul(a[0], b[1]), region.mul(b[0], a[1]), 1 if turned else -1
            )
            zeros, hint = leaf.get("zero", {}).get(str(number), ((), None))
            for fact, times in zeros:
                if region.sign(self.polys[fact]) != {0}:
                    raise _No(f"{label}: it takes for 0 what is not")
                rest = self.algebra.add(rest, region.mul(self.polys[fact], self.polys[times]), -1)
            if not region.sign(rest, hint, self.polys) <= {0}:
                raise _No(f"{label}: the two sides are not shown to be equal in a region")

    def _values(self, region: _Region, claims: Any, wanted: Any) -> dict[int, Any]:
        """Return what nodes are in a region: fractions, truths, `_NONE`, or None if not shown."""
        needed = set(wanted)
        self.algebra.work += 10 * len(claims)
        for i in range(max(needed, default=-1), -1, -1):
            if i in needed:
                needed |= set(_read(self.nodes[i], claims.get(str(i))))
        values: dict[int, Any] = {}
        for i in sorted(needed):
            found = self._node(region, i, claims.get(str(i)), values)
            cut = claims.get(f"{i}/")
            values[i] = self._cut(region, found, cut) if cut and isinstance(found, tuple) else found
        return values

    def _cut(self, region: _Region, value: Value, cut: Any) -> Value:
        """Divide both parts of a fraction by what divides the one that is not 0."""
        n, d, g = (self.polys[i] for i in cut)
        if not (
            region.same(region.mul(n, g), value[0]) and region.same(region.mul(d, g), value[1])
        ):
            raise _No("it cancels what is no common divisor")
        return region.reduce(n), region.reduce(d)

    def _sign(self, region: _Region, value: Value, hints: Any) -> Signs:
        """Return the signs of a fraction where it has a value."""
        if len(hints) > 2 and hints[2]:
            value = self._cut(region, value, hints[2])
        above = region.sign(value[0], hints[0], self.polys)
        below = region.sign(value[1], hints[1], self.polys) - {0}
        return frozenset(s * t for s in above for t in below)

    def _node(self, region: _Region, index: int, claim: Any, values: dict[int, Any]) -> Any:
        tag, *rest = self.nodes[index]
        if tag == "number":
            value = _number(rest[0])
            return {0: value.numerator} if value else {}, {0: value.denominator}
        if tag == "name":
            return region.reduce({1 << (_FIELD * self.names[rest[0]]): 1}), _ONE
        if tag in ("norm", "mean"):
            own = self.opaque.get(index)
            return None if own is None else (region.reduce({1 << (_FIELD * own): 1}), _ONE)
        read = _read(self.nodes[index], claim)
        args = [values[i] for i in read]
        if tag in ("and", "or") and any(a is (tag == "or") for a in args):
            return tag == "or"  # what decides alone leaves the others open
        if tag == "choice":
            if not read:
                return None
            return self._choice(args)
        if any(a is _NONE for a in args):
            return _NONE
        if any(a is None for a in args) or (tag == "compare" and not args):
            return None
        if tag in ("and", "or", "not"):
            return not args[0] if tag == "not" else tag == "and"
        if any(not isinstance(a, tuple) for a in args):
            raise Malformed(f"node {index} computes with a condition")
        if tag in ("add", "mul"):
            total = args[0]
            for arg in args[1:]:
                total = self._combine(region, tag, total, arg)
            return total
        claim = claim or [None]
        if tag == "power":
            return self._power(region, args[0], args[1], claim)
        hints = claim[1:] if claim[0] == "signs" else []
        hints = [*hints, *[[None, None]] * (len(args) - len(hints))]
        total = args[0]
        if tag in ("abs", "sign"):
            signs = self._sign(region, total, hints[0])
            if tag == "sign":
                if not signs:  # what it is the sign of has no value
                    return _NONE
                only = min(signs, default=0)
                return ({0: only} if only else {}, _ONE) if len(signs) == 1 else None
            if signs <= WEAK:
                return total
            return (self.algebra.add({}, total[0], -1), total[1]) if signs <= {0, -1} else None
        if tag in ("max", "min", "compare"):
            for arg, hint in zip(args[1:], hints, strict=False):
                n, d = self._combine(
                    region, "add", arg, (self.algebra.add({}, total[0], -1), total[1])
                )
                signs = self._sign(region, (n, d), hint)
                if tag == "compare":
                    signs, holds = frozenset(-s for s in signs), RELATIONS[rest[0]]
                    return True if signs <= holds else False if not signs & holds else None
                if tag == "min":
                    signs = frozenset(-s for s in signs)
                if not (signs <= WEAK or signs <= {0, -1}):
                    return None
                total = arg if signs <= WEAK else total
            return total
        raise Malformed(f"node {index} is of an unknown kind")

    @staticmethod
    def _choice(args: list[Any]) -> Any:
        *conditions, value = args
        if any(c is _NONE for c in conditions):
            return _NONE
        if any(c is not False for c in conditions[:-1]) or conditions[-1] is not True:
            return None
        return value

    def _combine(self, region: _Region, tag: str, a: Value, b: Value) -> Value:
        if tag == "mul":
            return region.mul(a[0], b[0]), region.mul(a[1], b[1])
        if a[1] == b[1]:
            return self.algebra.add(a[0], b[0]), a[1]
        numer = self.algebra.add(region.mul(a[0], b[1]), region.mul(b[0], a[1]))
        return numer, region.mul(a[1], b[1])

    def _power(self, region: _Region, base: Value, exponent: Value, claim: Any) -> Any:
        (a, b), (e, f) = base, exponent
        if set(e) <= {0} and set(f) == {0}:
            return self._rational(region, base, Fraction(e.get(0, 0), f[0]), claim)
        if a == b:
            return _ONE, _ONE
        if not a and (signs := self._sign(region, exponent, (None, None))) in ({1}, {-1}):
            return ({}, _ONE) if signs == {1} else _NONE
        if claim[0] != "law" or set(f) != {0}:
            return None
        _, degree, constant, parts, factors, rest, root = claim
        constant = _number(constant)
        if degree < 1:
            raise _No("it takes a root of no degree")
        left = {m: Fraction(c, f[0]) for m, c in e.items()}
        left[0] = left.get(0, Fraction(0)) - constant
        whole = degree == 1 and constant.denominator == 1 and self._whole(e)
        whole = whole and all(c.denominator == 1 for c in left.values())
        over, under = a, b
        exponents: list[dict[int, Fraction]] = []
        for numer, denom, count, inner, divides, hint in parts:
            # The base is a product of powers of bases that stand in generators.
            n, d, t = self.polys[numer], self.polys[denom], _ONE
            value = n, d
            if inner is not None:
                tag, *about = self.generators[inner]
                if tag != "power" or about[:2] != [numer, denom] or constant:
                    raise _No("it takes a power apart in a wrong way")
                value, t = ({1 << _FIELD * inner: 1}, _ONE), self.polys[about[2]]
            signs = self._sign(region, (n, d), hint)
            if divides is not None and region.same(region.mul(n, self.polys[divides]), b):
                signs -= {0}
            if set(d) != {0} and inner is None and (len(parts), count) != (1, 1):
                raise _No("it takes a base apart into fractions")
            if set(d) != {0} and inner is None and not (region.same(n, a) and region.same(d, b)):
                raise _No("it takes a power for one of another base")
            power = region.power(value[0], abs(count)), region.power(value[1], abs(count))
            power = power if count < 0 else power[::-1]
            over, under = region.mul(over, power[0]), region.mul(under, power[1])
            if not signs <= WEAK and not (whole and inner is None):
                raise _No("it raises to a power what may be negative")
            if 0 in signs:
                mine = [(times, index) for index, times, part in factors if parts[part][0] == numer]
                if (
                    count < 1
                    or constant < 0
                    or not region.sign(t) <= WEAK
                    or any(
                        times < 0 or not self._exponent(region, index)[1] <= WEAK
                        for times, index in mine
                    )
                ):
                    raise _No("its law of powers does not hold where the base is 0")
            whole = whole and (
                signs <= WEAK
                or all(self._whole(self._exponent(region, index)[0]) for index, _, _ in factors)
            )
            if not signs <= WEAK and not whole:
                raise _No("it raises to a power what may be negative")
            exponents.append(self._times(left, t, degree * count))
        if not region.same(over, under):
            raise _No("the parts of a base do not make it up")
        over = under = _ONE
        for index, times, part in factors:
            t, _ = self._exponent(region, index)
            if self.generators[index][1:3] != parts[part][:2]:
                raise _No("it takes a power for one of another base")
            for m, c in t.items():
                exponents[part][m] = exponents[part].get(m, Fraction(0)) - times * c
            own: Poly = {1 << (_FIELD * index): 1}
            over = region.mul(over, region.power(own, max(times, 0)))
            under = region.mul(under, region.power(own, max(-times, 0)))
        if any(any(exponent.values()) for exponent in exponents):
            raise _No("its law of powers does not hold")
        value = self._rational(region, base, constant * degree, rest or [None])
        if not isinstance(value, tuple):
            return value
        value = region.mul(value[0], over), region.mul(value[1], under)
        return value if degree == 1 else self._root(region, value, degree, root, None)

    def _exponent(self, region: _Region, index: int) -> tuple[Poly, Signs]:
        tag, *about = self.generators[index]
        if tag != "power":
            raise _No("it takes for a power what is none")
        t = region.reduce(self.polys[about[2]])
        return t, region.sign(t)

    def _whole(self, t: Poly) -> bool:
        """Whether a polynomial is an integer at every point."""
        return all((ends := self.start.domains[i]) and ends[4] for i in self.algebra.used(t))

    def _times(self, a: dict[int, Fraction], b: Poly, factor: int) -> dict[int, Fraction]:
        total: dict[int, Fraction] = {}
        for m, c in a.items():
            for n, d in b.items():
                total[m + n] = total.get(m + n, Fraction(0)) + c * d * factor
        return total

    def _rational(self, region: _Region, base: Value, exponent: Fraction, claim: Any) -> Any:
        """Check base**(p/q): w = W/V with w**q = base**p, V not 0, and w not negative."""
        a, b = base
        p, q = exponent.numerator, exponent.denominator
        if not a and p < 0:
            return _NONE
        n, d = region.power(a, abs(p)), region.power(b, abs(p))
        n, d = (d, n) if p < 0 else (n, d)
        if claim[0] == "none":
            signs = self._sign(region, base, claim[1:])
            return (
                _NONE
                if signs <= ({0} if q == 1 else {-1} if p > 0 else {0, -1}) and (q > 1 or p < 0)
                else None
            )
        if q == 1:
            return n, d
        if not a:
            return {}, _ONE
        return self._root(region, (n, d), q, claim, (base, p))

    def _root(self, region: _Region, value: Value, q: int, claim: Any, of: Any) -> Any:
        """Check w = W/V: w**q is the value, V is not 0, and w not negative."""
        n, d = value
        if claim is None or claim[0] != "root":
            return None
        _, over, under, divides, above, below, real, units = claim
        w, v = region.reduce(self.polys[over]), region.reduce(self.polys[under])
        if not region.same(region.mul(region.power(w, q), d), region.mul(region.power(v, q), n)):
            raise _No("a power of its root is not what stands under the root")
        if divides is not None:
            other, times = divides
            if not region.same(region.mul(v, self.polys[other]), region.power(d, times)):
                raise _No("the denominator of its root may be 0")
        elif 0 in region.sign(v, below, self.polys):
            raise _No("the denominator of its root may be 0")
        inside = region.child()
        with suppress(_Empty):
            for part, rest in units:  # what divides V is not 0 either
                if not region.same(region.mul(self.polys[part], self.polys[rest]), v):
                    raise _No("it takes for a divisor what is none")
                if inside.real(self.polys[part]):
                    inside.learn(self.polys[part], frozenset((-1, 1)))
            self._not_negative(inside, (w, v), of, (above, below, real))
        return w, v

    def _not_negative(self, inside: _Region, root: Value, of: Any, hints: Any) -> None:
        """Check that a root is not negative where what stands under it is not."""
        (w, v), (above, below, real) = root, hints
        if of is not None:
            (a, b), p = of
            if inside.real(inside.mul(a, b)):
                inside.learn(inside.mul(a, b), WEAK if p > 0 else frozenset((1,)))
        for index in self.algebra.used(w) if real else ():
            # Where a generator that divides the root is 0 so is the root: look elsewhere.
            if all((m >> (_FIELD * index)) & ((1 << _FIELD) - 1) for m in w):
                factor = (
                    inside.roots[index][1] if index in inside.roots else {1 << _FIELD * index: 1}
                )
                inside.learn(factor, frozenset((-1, 1)))
        for index, hint in real:
            self._real(inside, index, hint)
        if not self._sign(inside, (w, v), (above, below)) <= WEAK:
            raise _No("its root may be negative")


def _number(text: str) -> Fraction:
    if not re.fullmatch(r"-?[0-9]{1,4000}(/[0-9]{1,4000})?", text):
        raise Malformed(f"this is no number: {text[:40]}")
    return Fraction(text)


def _domain(low: Any, low_open: Any, high: Any, high_open: Any, whole: Any) -> Domain:
    ends = [None if end is None else _number(end) for end in (low, high)]
    return ends[0], bool(low_open), ends[1], bool(high_open), bool(whole)


def _parts(node: Any) -> list[int]:
    tag, *rest = node
    if tag in ("number", "name"):
        return []
    if tag == "choice":
        return [i for branch in rest for i in branch]
    return list(rest[1:] if tag == "compare" else rest)


def _read(node: Any, claim: Any) -> list[int]:
    """Return the nodes that the value of a node is read from: of a choice, what it takes."""
    tag, *rest = node
    if tag in ("number", "name", "norm", "mean") or (tag in ("choice", "compare") and not claim):
        return []
    if tag != "choice":
        return _parts(node)
    taken = claim[1]
    return [*(condition for _, condition in rest[: taken + 1]), rest[taken][0]]


def check(document: Any, statements: Any = None) -> Accepted | Rejected:
    """Check a certificate, given as a JSON document.

    Args:
        document: The certificate.
        statements: What it should prove; whatever it states if not given.

    Raises:
        Malformed: It is no certificate at all.
    """
    try:
        if document["kind"] != KIND or document["version"] != VERSION:
            raise Malformed(f"this is no certificate of kind '{KIND}', version {VERSION}")
        proofs = document["proofs"]
        if not proofs or not all(p["statement"]["equations"] for p in proofs):
            raise Malformed("it states nothing")
        if statements is not None and [p["statement"] for p in proofs] != statements:
            return Rejected("it is a certificate of something else")
        regions = sum(_Proof(p["statement"], p["proof"]).run() for p in proofs)
        return Accepted(sum(len(p["statement"]["equations"]) for p in proofs), regions)
    except _No as error:
        return Rejected(str(error))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Malformed(f"it cannot be read: {type(error).__name__}: {error}") from None
    except (RecursionError, MemoryError):
        raise Malformed("it is nested too deep or too large") from None


def words(found: Accepted | Rejected) -> str:
    """Return what was found, in one line."""
    if isinstance(found, Rejected):
        return f"rejected: {found.reason}"
    equations, regions = (
        f"1 {word}" if n == 1 else f"{n} {word}s"
        for n, word in ((found.equations, "equation"), (found.regions, "region"))
    )
    return f"accepted: {equations} proved, in {regions}"


def main(arguments: list[str]) -> int:
    """Check the file named on the command line: 0 accepted, 1 rejected, 2 unreadable."""
    try:
        (name,) = arguments
        with open(name, encoding="utf-8") as file:
            found = check(json.load(file))
    except (Malformed, OSError, ValueError, RecursionError) as error:
        print(f"unreadable: {error}\n  Fix: give one file that `optgen compare` wrote")
        return 2
    print(words(found))
    return 0 if isinstance(found, Accepted) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
