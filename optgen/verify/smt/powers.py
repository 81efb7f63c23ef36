"""Powers and roots as z3 terms.

A root is the number r >= 0 with r**q = radicand; beta**step is a variable that lies
between 0 and 1 where beta does.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from optgen.domains import REAL, Domain
from optgen.verify.serialise import Tree
from optgen.verify.smt.terms import Beyond, Term, Terms, Value, product

_LARGEST_POWER = 64


class PowerTerms:
    """Raises values to powers.

    Args:
        terms: Where the facts go.
        domains: Domain of each variable; the others are real.
        definitions: What the names that are no variables stand for.
        always: Ids of the nodes that are evaluated at every point at which the trees are.
    """

    def __init__(
        self,
        terms: Terms,
        domains: Mapping[str, Domain],
        definitions: Mapping[str, Tree],
        always: frozenset[int],
    ) -> None:
        self._t = terms
        self._domains = domains
        self._definitions = definitions
        self._always = always

    def power(self, tree: Tree, base: Value) -> Value:
        """Return a power; raises `Beyond`.

        Args:
            tree: The power.
            base: The value of its base.
        """
        terms, constant = self._linear(tree[2])
        if not terms:
            return self._constant_power(tree, base, constant)
        signed = product(base.numer, base.denom)
        if self._may_be_negative(tree[1]):
            # An integer power of a negative number has a value, of which nothing is said here.
            free = self._t.fresh("free", signed, tuple(sorted(terms.items())), constant, "below")
            inside = Value(self._t.z3.If(signed < 0, self._t.number(1), base.numer), base.denom)
            value = self._raised(tree, inside, terms, constant)
            defined = self._t.all(base.defined, value.defined)
            return self._t.either(signed < 0, Value(free), value, defined)
        return self._raised(tree, base, terms, constant)

    def _may_be_negative(self, tree: Tree) -> bool:
        if tree[0] == "name" and tree[1] in self._definitions:
            return self._may_be_negative(self._definitions[tree[1]])
        if tree[0] == "name":
            return not self._domains.get(tree[1], REAL).nonnegative
        if tree[0] == "number":
            return bool(tree[1] < 0)
        return tree[0] not in ("abs", "norm")

    def _raised(
        self, tree: Tree, base: Value, terms: Mapping[str, Fraction], constant: Fraction
    ) -> Value:
        """Return base**(terms + constant) for a base that is not negative."""
        signed = product(base.numer, base.denom)
        result = Value(self._t.number(1), None, base.defined)
        for name, share in sorted(terms.items()):
            domain = self._domains.get(name, REAL)
            start = domain.low or Fraction(0)
            constant += share * start
            atom = self._atom(base, name, share.denominator, domain)
            result = self._t.combine(
                "mul", result, self._integer_power(tree, atom, share.numerator)
            )
        if constant >= 0:
            return self._t.combine("mul", result, self._constant_power(tree, base, constant))
        # Where the base is 0 and the exponent positive there is a value, so that nothing may be
        # said of it: any number stands for it there.
        free, _ = self._t.fresh("free", signed, tuple(sorted(terms.items())), constant)
        lowered = self._constant_power(tree, Value(base.numer, base.denom), -constant)
        whole = Value(
            result.numer if lowered.denom is None else result.numer * lowered.denom,
            product(result.denom, lowered.numer),
        )
        return self._t.either(signed == 0, Value(free), whole, base.defined)

    def _linear(self, tree: Tree) -> tuple[dict[str, Fraction], Fraction]:
        """Return an exponent as shares of variables and a constant; raises `Beyond`."""
        match tree:
            case ("number", number):
                return {}, number
            case ("name", name):
                if name in self._definitions:
                    return self._linear(self._definitions[name])
                return {name: Fraction(1)}, Fraction(0)
            case ("add", *parts):
                terms: dict[str, Fraction] = {}
                total = Fraction(0)
                for more, constant in map(self._linear, parts):
                    total += constant
                    for name, share in more.items():
                        terms[name] = terms.get(name, Fraction(0)) + share
                return {name: share for name, share in terms.items() if share}, total
            case ("mul", *parts):
                shares: dict[str, Fraction] = {}
                factor = Fraction(1)
                for more, constant in map(self._linear, parts):
                    if more and shares:
                        break
                    if more:
                        if constant:
                            break
                        shares = more
                    else:
                        factor *= constant
                else:
                    if shares:
                        return {name: share * factor for name, share in shares.items()}, Fraction()
                    return {}, factor
        raise Beyond("an exponent that is not linear in its variables")

    def _require(self, tree: Tree, value: Value, condition: Term) -> Value:
        """Return a value that is defined where a condition holds too."""
        if id(tree) in self._always:
            self._t.facts.append(condition)
            return value
        return Value(value.numer, value.denom, self._t.all(value.defined, condition))

    def _constant_power(self, tree: Tree, base: Value, exponent: Fraction) -> Value:
        if exponent.denominator != 1:
            base = self._root(tree, base, exponent.denominator)
        return self._integer_power(tree, base, exponent.numerator)

    def _integer_power(self, tree: Tree, base: Value, exponent: int) -> Value:
        if abs(exponent) > _LARGEST_POWER:
            raise Beyond(f"the power {exponent}")
        if exponent < 0:
            inverse = Value(
                self._t.number(1) if base.denom is None else base.denom,
                base.numer,
                base.defined,
            )
            base = self._require(tree, inverse, base.numer != 0)
        numer, denom = self._t.number(1), None
        for _ in range(abs(exponent)):
            numer, denom = numer * base.numer, product(denom, base.denom)
        return Value(self._t.z3.simplify(numer) if exponent == 0 else numer, denom, base.defined)

    def _root(self, tree: Tree, base: Value, degree: int) -> Value:
        if degree > _LARGEST_POWER:
            raise Beyond(f"a root of degree {degree}")
        signed = product(base.numer, base.denom)
        denom = self._t.number(1) if base.denom is None else base.denom
        root, _ = self._t.fresh("root", degree, base.numer, denom)
        power = root
        for _ in range(degree - 1):
            power = power * root
        rule = (power if base.denom is None else power * base.denom) == base.numer
        if id(tree) in self._always:
            self._t.facts += [root >= 0, rule]
            if base.denom is not None:  # else it follows from the rule
                self._t.facts.append(signed >= 0)
            return Value(root, None, base.defined)
        has_value = self._t.all(signed >= 0, None if base.denom is None else base.denom != 0)
        self._t.facts += [root >= 0, self._t.z3.Implies(has_value, rule)]
        return Value(root, None, self._t.all(base.defined, signed >= 0))

    def _atom(self, base: Value, name: str, degree: int, domain: Domain) -> Value:
        """Return base**((name - start)/degree), with what is known of it; base >= 0 is."""
        low = domain.low or Fraction(0)
        one = self._t.number(1)
        denom = one if base.denom is None else base.denom
        atom, new = self._t.fresh("power", base.numer, denom, name, degree)
        if not new:
            return Value(atom)
        positive = base.numer * denom > 0
        facts = [atom >= 0, self._t.z3.Implies(positive, atom > 0)]
        if domain.low is not None:  # the exponent is not negative
            below = (base.numer - denom) * denom
            counted = self._t.z3.Real(f"v.{name}")
            start = self._t.number(low)
            implies, both = self._t.z3.Implies, self._t.z3.And
            facts += [
                implies(below <= 0, atom <= 1),
                implies(below >= 0, atom >= 1),
                implies(counted == start, atom == 1),
                implies(both(base.numer == 0, counted > start), atom == 0),
            ]
            if domain.integer and degree == 1:
                later = both(base.numer * denom >= 0, below <= 0, counted > start)
                facts.append(implies(later, atom * denom * denom <= base.numer * denom))
        if degree > 1:
            whole, power = self._atom(base, name, 1, domain), atom
            for _ in range(degree - 1):
                power = power * atom
            facts.append(whole.numer == power)
        for fact in facts:
            self._t.facts.append(self._t.z3.Implies(denom != 0, fact))
        return Value(atom)
