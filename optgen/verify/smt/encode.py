"""Expressions and conditions as z3 terms."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import ModuleType
from typing import Any

from optgen.domains import REAL, Domain
from optgen.verify.serialise import Tree, in_order, parts_of, upwards
from optgen.verify.smt.powers import PowerTerms
from optgen.verify.smt.terms import Beyond, Condition, Term, Terms, Value


class Encoder:
    """Turns the trees of one question into terms, and gathers what is known of their variables.

    Args:
        z3: The module.
        trees: Everything that will be encoded: decides what is needed at every point.
        domains: Domain of each variable; the others are real.
        definitions: What the names that are no variables stand for.

    Attributes:
        variables: The term of each variable met.
    """

    def __init__(
        self,
        z3: ModuleType,
        trees: tuple[Tree, ...],
        domains: Mapping[str, Domain],
        definitions: Mapping[str, Tree],
    ) -> None:
        self.variables: dict[str, Term] = {}
        self._terms = Terms(z3)
        self._domains = domains
        self._definitions = definitions
        always = _needed_everywhere(trees, definitions)
        self._powers = PowerTerms(self._terms, domains, definitions, always)
        self._named: dict[str, Value] = {}

    @property
    def facts(self) -> list[Term]:
        """What is known of all variables, and where the trees have values."""
        return self._terms.facts

    def value(self, tree: Tree) -> Value:
        """Return an expression as a value; raises `Beyond`."""
        for name in in_order((tree,), self._definitions):
            if name in self._named:
                continue
            if name in self._definitions:
                self._named[name] = upwards(self._definitions[name], self._node)
            else:
                self._named[name] = Value(self._variable(name))
        found: Value = upwards(tree, self._node)
        return found

    def differ(self, a: Value, b: Value) -> Term:
        """Return the condition that two values are defined and differ."""
        return self._terms.all(a.defined, b.defined, self._terms.gap(a, b)[0] != 0)

    def agree(self, a: Value, b: Value) -> Term:
        """Return the condition that two values are defined and the same."""
        return self._terms.all(a.defined, b.defined, self._terms.gap(a, b)[0] == 0)

    def _variable(self, name: str) -> Term:
        term = self._terms.z3.Real(f"v.{name}")
        domain = self._domains.get(name, REAL)
        if domain.low is not None:
            low = self._terms.number(domain.low)
            self._terms.facts.append(term > low if domain.low_open else term >= low)
        if domain.high is not None:
            high = self._terms.number(domain.high)
            self._terms.facts.append(term < high if domain.high_open else term <= high)
        self.variables[name] = term
        return term

    def _node(self, tree: Tree, parts: tuple[Any, ...]) -> Any:
        tag = tree[0]
        if not isinstance(tag, str):
            return parts  # a branch of a choice
        match tag:
            case "number":
                return Value(self._terms.number(tree[1].numerator), self._denominator(tree[1]))
            case "name":
                return self._named[tree[1]]
            case "add" | "mul" | "max" | "min":
                total = parts[0]
                for part in parts[1:]:
                    total = self._terms.combine(tag, total, part)
                return total
            case "power":
                return self._powers.power(tree, parts[0])
            case "abs" | "sign":
                return self._terms.of_sign(tag, parts[0])
            case "norm" | "mean":
                return self._opaque(tag, parts[0])
            case "choice":
                return self._terms.choice(parts)
            case "compare":
                return self._terms.compare(tree[1], *parts)
            case "and" | "or":
                join = self._terms.z3.And if tag == "and" else self._terms.z3.Or
                if not parts:
                    return Condition(self._terms.z3.BoolVal(tag == "and"))
                terms = [part.term for part in parts]
                return Condition(join(terms), self._terms.all(*(part.defined for part in parts)))
            case "not":
                return Condition(self._terms.z3.Not(parts[0].term), parts[0].defined)
        raise Beyond(f"no term for '{tag}'")

    def _denominator(self, value: Fraction) -> Term:
        return None if value.denominator == 1 else self._terms.number(value.denominator)

    def _opaque(self, tag: str, arg: Value) -> Value:
        """Return a norm or mean: the same for the same argument as written, else unrelated."""
        simplify = self._terms.z3.simplify
        numer = simplify(arg.numer, som=True)
        denom = self._terms.number(1) if arg.denom is None else simplify(arg.denom, som=True)
        term, _ = self._terms.fresh(tag, numer, denom)
        if tag == "norm":
            self._terms.facts.append(term >= 0)
        return Value(term, None, arg.defined)


def _needed_everywhere(trees: tuple[Tree, ...], definitions: Mapping[str, Tree]) -> frozenset[int]:
    """Return the ids of the nodes that are evaluated at every point at which the trees are."""
    found: set[int] = set()
    todo = list(trees)
    while todo:
        node = todo.pop()
        if id(node) in found:
            continue
        found.add(id(node))
        if node[0] == "choice":
            todo.append(node[1][1])
        elif node[0] == "name":
            if node[1] in definitions:
                todo.append(definitions[node[1]])
        else:
            todo += parts_of(node)
    return frozenset(found)
