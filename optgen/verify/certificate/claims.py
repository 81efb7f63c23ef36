"""What each node of a statement is in one region, written down for the checker."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

from optgen.verify.certificate.book import Book
from optgen.verify.certificate.hints import SignHints
from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.field import Poly, Quotient, UndefinedEverywhere, divided
from optgen.verify.normal.regions import NeedSplit
from optgen.verify.verdicts import Unsupported

_NONE = object()
"""The value of a node that has none in a region."""
REDUCTIONS = ("norm", "mean")
_HOLDS = {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}, "==": {0}, "!=": {-1, 1}}


class RegionClaims:
    """Claims of what the nodes are in one region, computed as the checker will."""

    def __init__(
        self, book: Book, converter: Converter, real: frozenset[int] = frozenset()
    ) -> None:
        self.real = real
        self.book = book
        self.space = book.space
        self.region = converter.region
        self.converter = converter
        self.hints = SignHints(converter.signs, book.number, self.settle)
        self.claims: dict[str, Any] = {}
        self._rows = book.table.rows
        self._values: dict[int, Any] = {}

    def settle(self, poly: Poly) -> Poly:
        """Put fixed variables in place, and reduce."""
        poly = self.space.reduce(poly)
        if self.region.values:
            poly = self.space.reduce(self.converter.settled(poly))
            poly = self.converter.settled(poly)
        return poly

    def value(self, index: int) -> Any:
        """Return the value of a node, as a pair of polynomials, a truth, `_NONE` or None."""
        todo = [index]
        while todo:
            node = todo[-1]
            if node in self._values:
                todo.pop()
                continue
            missing = [i for i in self._read(node) if i not in self._values]
            if missing:
                todo += reversed(missing)
                continue
            todo.pop()
            found = self._node(node)
            if isinstance(found, tuple):
                found = self._cut(f"{node}/", *found)
            self._values[node] = found
        return self._values[index]

    def _cut(self, name: str, numer: Poly, denom: Poly) -> tuple[Poly, Poly]:
        n, d, g = self.book.cut(numer, denom)
        if g != 1:
            self.claims[name] = [self.book.number(p) for p in (n, d, g)]
        return n, d

    def _read(self, index: int) -> list[int]:
        """Return what has to be known first; of a choice, what its first true branch needs."""
        tag, *rest = self._rows[index]
        if tag in ("number", "name", *REDUCTIONS):
            return []
        if tag == "compare":
            return list(rest[1:])
        if tag != "choice":
            return list(rest)
        read = []
        for value, condition in rest:
            read.append(condition)
            found = self._values.get(condition)
            if condition not in self._values or found is None or found is _NONE:
                break
            if found is True:
                read.append(value)
                break
        return read

    def _node(self, index: int) -> Any:
        tag, *rest = self._rows[index]
        space = self.space
        match tag:
            case "number":
                found = space.constant(Fraction(rest[0]))
                return found.numer, found.denom
            case "name":
                at = space.variables.index(rest[0])
                return self.settle(space.ring.gens[at]), space.one
            case "norm" | "mean":
                own = self.book.opaque.get(index)
                return None if own is None else (space.ring.gens[own], space.one)
            case "choice":
                return self._choice(index, rest)
        args = [self._values[i] for i in self._read(index)]
        if tag in ("and", "or") and any(a is (tag == "or") for a in args):
            return tag == "or"
        if any(a is _NONE for a in args):
            if tag == "compare":  # the checker looks at comparisons only where there is a claim
                self.claims[str(index)] = ["signs"]
            return _NONE
        if any(a is None for a in args):
            return None
        match tag:
            case "and" | "or":
                return tag == "and"
            case "not":
                return not args[0]
            case "add" | "mul":
                total = args[0]
                for arg in args[1:]:
                    total = self._combine(tag, total, arg)
                return total
            case "power":
                return self._power(index, *args)
        return self._ordered(index, tag, rest, args)

    def _choice(self, index: int, branches: Sequence[Any]) -> Any:
        for at, (value, condition) in enumerate(branches):
            found = self._values.get(condition)
            if found is _NONE or found is True:
                self.claims[str(index)] = ["take", at]
                return _NONE if found is _NONE else self._values[value]
            if found is None:
                return None
        return None

    def _combine(self, tag: str, a: Any, b: Any) -> Any:
        product, settle = self.space.product, self.settle
        if tag == "mul":
            return settle(product(a[0], b[0])), settle(product(a[1], b[1]))
        if a[1] == b[1]:
            return a[0] + b[0], a[1]
        numer = settle(product(a[0], b[1])) + settle(product(b[0], a[1]))
        return numer, settle(product(a[1], b[1]))

    def _signs(self, value: Any) -> tuple[Signs, list[Any]]:
        """Return the signs of a fraction where it has a value, and how they are seen."""
        n, d, g = self.book.cut(*value)
        above, above_hint = self.hints.of(n)
        below, below_hint = self.hints.of(d)
        hint: list[Any] = [above_hint, below_hint]
        if g != 1:
            hint.append([self.book.number(p) for p in (n, d, g)])
        return frozenset(s * t for s in above for t in below - {0}), hint

    def _ordered(self, index: int, tag: str, rest: Sequence[Any], args: list[Any]) -> Any:
        hints: list[Any] = []
        total = args[0]
        self.claims[str(index)] = ["signs"]
        found: Any = None
        if tag in ("abs", "sign"):
            signs, hint = self._signs(total)
            hints.append(hint)
            if tag == "sign" and not signs:
                found = _NONE
            elif tag == "sign":
                only = self.space.constant(min(signs)) if len(signs) == 1 else None
                found = None if only is None else (only.numer, only.denom)
            elif signs <= {0, 1}:
                found = total
            elif signs <= {0, -1}:
                found = -total[0], total[1]
        for arg in args[1:]:
            difference = self._combine("add", arg, (-total[0], total[1]))
            signs, hint = self._signs(difference)
            hints.append(hint)
            if tag == "compare":
                own = {-s for s in signs}
                holds = _HOLDS[rest[0]]
                found = True if own <= holds else None if own & holds else False
                break
            if not (signs <= {0, 1} or signs <= {0, -1}):
                found = None
                break
            if (signs <= {0, 1}) == (tag == "max") or signs == {0}:
                total = arg
            found = total
        self.claims[str(index)] = ["signs", *hints]
        return found

    def _power(self, index: int, base: Any, exponent: Any) -> Any:
        e, f = exponent
        if e.is_ground and f.is_ground:
            power = Fraction(int(e.LC) if e else 0, int(f.LC))
            found, claim = self._rational(base, power, self._raised(base, exponent))
            if claim is not None:
                self.claims[str(index)] = claim
            return found
        if base[0] == base[1]:
            return self.space.one, self.space.one
        if not base[0] and self._signs(exponent)[0] == {1}:
            return self.space.ring.zero, self.space.one
        return self._law(index, Quotient(*base), Quotient(*exponent))

    def _raised(self, base: Any, exponent: Any) -> Quotient | None:
        """Return a power as the prover sees it: where two branches meet it may be of the other."""
        try:
            return self.converter.powers.power(Quotient(*base), Quotient(*exponent))
        except (UndefinedEverywhere, NeedSplit, Unsupported):
            return None

    def _rational(self, base: Any, power: Fraction, known: Quotient | None) -> tuple[Any, Any]:
        """Return base**power, and the claim of a root if it is one."""
        p, q = power.numerator, power.denominator
        a, b = base
        if not a and p < 0:
            return _NONE, None
        n, d = (self.settle(self.space.raised(x, abs(p))) for x in (a, b))
        n, d = (d, n) if p < 0 else (n, d)
        if q == 1:
            return (n, d), None
        if not a:
            return (self.space.ring.zero, self.space.one), None
        if known is None:
            signs, hint = self._signs(base)
            undefined = signs <= ({-1} if p > 0 else {0, -1})
            return (_NONE, ["none", *hint]) if undefined else (None, None)
        return self._root((n, d), q, known, self.settle(self.space.product(a, b)))

    def _root(self, value: Any, q: int, known: Quotient, inside: Poly | None) -> tuple[Any, Any]:
        """Return a root and its claim; `inside` has the sign of what stands under it."""
        d, number = value[1], self.book.number
        w, v = self.settle(known.numer), self.settle(known.denom)
        divides: Any = None
        if not v.is_ground:
            power_of = self.space.one
            for times in range(1, q + 1):
                power_of = self.settle(self.space.product(power_of, d))
                other = self._quotient(power_of, v)
                if other is None:
                    other = self._by_power(power_of, v, q)
                if other is not None:
                    divides = [other, times]
                    break
        above, below = self.hints.of(w, always=True)[1], self.hints.of(v)[1]
        real, units = self._real(w, inside), self._units(v)
        return (w, v), ["root", number(w), number(v), divides, above, below, real, units]

    def _units(self, denominator: Poly) -> list[Any]:
        """Return what divides a denominator, so is not 0, though its sign might be 0."""
        found = []
        if not denominator.is_ground:
            for base, _ in self.book.factorer.factor(denominator).powers:
                rest, left = divided(denominator, base)
                if not left and 0 in self.hints.of(base)[0]:
                    found.append([self.book.number(base), self.book.number(rest)])
        return found

    def _by_power(self, whole: Poly, part: Poly, q: int) -> int | None:
        """Return what times a polynomial with roots is `whole`, if a power of it divides that."""
        before = self.settle(self.space.raised(part, q - 1))
        quotient, left = divided(whole, self.settle(self.space.product(before, part)))
        if left:
            return None
        return self.book.number(self.settle(self.space.product(before, quotient)))

    def _real(self, root: Poly, inside: Poly | None) -> list[Any]:
        """Say why the generators in a root are real where what stands under it is not negative."""
        found = []
        indices: set[int] = set()
        todo = [root]
        while todo:  # the root of a root is real where the inner one is
            new = {*self.space.occurring(todo.pop())} - indices - self.real
            indices |= new
            todo += [
                self.space.generators[i].radicand for i in new if self.space.generators[i].degree
            ]
        for index in sorted(indices):
            generator = self.space.generators[index]
            if not generator.degree:
                continue
            signs, hint = self.hints.of(generator.radicand)
            if inside is not None and not signs <= {0, 1}:
                by, left = divided(inside, self.settle(generator.radicand))
                if not left:
                    hint = ["quotient", self.book.number(by), self.hints.of(by)[1], None]
            found.append([self.book.places(index), hint])
        return found

    def _law(self, index: int, base: Quotient, exponent: Quotient) -> Any:
        """Return base**exponent as a product of generators, times a constant power."""
        known = self._raised((base.numer, base.denom), (exponent.numer, exponent.denom))
        if known is None:
            return None
        space, number, places = self.space, self.book.number, self.book.places
        terms, constant = self.converter.powers.exponents(exponent)
        parts: list[Any] = []
        found: list[tuple[int, Fraction, int]] = []
        for base_part, count in self.converter.powers.bases(base):
            inner = space.index_of(base_part)
            deeper = space.powers.get(inner)
            own, first = (base_part, space.one) if deeper is None else deeper
            for term, share in terms:
                key = ("power", own.numer, own.denom, space.product(first, term), Fraction(1))
                if key not in space.keys:
                    return None
                found.append((space.keys[key], share * count, len(parts)))
            divides = self._quotient(base.denom, own.numer) if count < 0 else None
            hint = self._signs((own.numer, own.denom))[1][:2]
            numbers = number(own.numer), number(own.denom)
            parts.append(
                [*numbers, count, None if deeper is None else places(inner), divides, hint]
            )
        degree = lcm(constant.denominator, *(share.denominator for _, share, _ in found))
        pair = (base.numer, base.denom)
        value, rest = self._rational(pair, constant * degree, None)
        if not isinstance(value, tuple):
            return value
        over, under = value
        factors = []
        for at, share, part in found:
            times = int(share * degree)
            factors.append([places(at), times, part])
            raised = space.raised(space.ring.gens[at], abs(times))
            over = self.settle(space.product(over, raised)) if times > 0 else over
            under = self.settle(space.product(under, raised)) if times < 0 else under
        root = None
        if degree > 1:
            (over, under), root = self._root((over, under), degree, known, None)
        self.claims[str(index)] = ["law", degree, str(constant), parts, factors, rest, root]
        return over, under

    def _quotient(self, whole: Poly, part: Poly) -> int | None:
        quotient, left = divided(whole, part)
        return None if left else self.book.number(quotient)
