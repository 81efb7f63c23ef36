"""From expressions to the normal form: fractions of polynomials, in one region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from optgen.domains import NONNEGATIVE, REAL
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field, Generator, Poly, Quotient, Reduced
from optgen.verify.normal.powers import Powers
from optgen.verify.normal.regions import NeedSplit, Region
from optgen.verify.normal.roots import Roots
from optgen.verify.normal.signs import SignReader
from optgen.verify.serialise import RELATIONS, Tree, parts_of
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Program:
    """What the names in an expression stand for.

    Attributes:
        definitions: Names that are defined by expressions; the others are variables.
        variables: Index of each variable's generator.
        from_one: Whether exponents count from the lower end of a variable's domain.
        same: Finds out whether two arguments of norms or means with branches are the same.
    """

    definitions: Mapping[str, Tree]
    variables: Mapping[str, int]
    from_one: bool = False
    same: Callable[[Program, Factorer, Tree, Tree, bool], object | None] | None = None


class Converter:
    """Converts the expressions of one program in one region, each name once.

    Args:
        program: What names stand for.
        factorer: Factors polynomials of the field in which the normal forms live.
        region: The region.
    """

    def __init__(self, program: Program, factorer: Factorer, region: Region) -> None:
        self.space: Field = factorer.space
        self.region = region
        self.signs = SignReader(self.space, factorer, region)
        self._program = program
        self._powers = Powers(self.signs, Roots(self.signs), program.from_one)
        self._done: dict[int, tuple[Tree, Quotient]] = {}
        self._everywhere: Converter | None = None

    @property
    def program(self) -> Program:
        """What names stand for."""
        return self._program

    @property
    def powers(self) -> Powers:
        """Raises to powers in the region."""
        return self._powers

    def settled(self, poly: Poly) -> Poly:
        """Return a polynomial with the variables that the region fixes put in place."""
        return self._settle(poly).numer

    def convert(self, tree: Tree) -> Quotient:
        """Return the normal form of an expression.

        Raises:
            NeedSplit: It has different normal forms in parts of the region.
            Unsupported: It has none.
        """
        todo = [tree]
        while todo:
            node = todo[-1]
            if id(node) in self._done:
                todo.pop()
                continue
            missing = [part for part in self._needed(node) if id(part) not in self._done]
            if missing:
                todo += reversed(missing)
                continue
            todo.pop()
            self._done[id(node)] = node, self._node(node)
        return self._done[id(tree)][1]

    def _needed(self, tree: Tree) -> tuple[Tree, ...]:
        """Return what is converted before a node; a choice converts only what it takes."""
        match tree:
            case ("name", name):
                definition = self._program.definitions.get(name)
                return () if definition is None else (definition,)
            case ("norm" | "mean" | "choice", *_):
                return ()
        return parts_of(tree)

    def _node(self, tree: Tree) -> Quotient:
        space = self.space
        space.deadline.check()
        args = [self._done[id(part)][1] for part in self._needed(tree)]
        match tree[0]:
            case "number":
                return space.constant(tree[1])
            case "name":
                if args:
                    return args[0]
                return self._settle(space.ring.gens[self._program.variables[tree[1]]])
            case "norm" | "mean" as tag:
                return self._reduction(tag, tree[1])
            case "choice":
                return self._choice(tree[1:])
            case "add" | "mul" | "max" | "min" as tag:
                total = args[0]
                for arg in args[1:]:
                    total = self._combine(tag, total, arg)
                return total
            case "power":
                return self._powers.power(args[0], args[1])
            case "abs":
                return args[0] if self.signs.direction(args[0]) > 0 else space.negate(args[0])
            case "sign":
                return space.constant(self.signs.sign(args[0]))
        raise Unsupported(f"no normal form of '{tree[0]}'")

    def _combine(self, tag: str, a: Quotient, b: Quotient) -> Quotient:
        if tag == "add":
            return self.space.add(a, b)
        if tag == "mul":
            return self.space.multiply(a, b)
        upwards = self.signs.direction(self.space.subtract(b, a)) > 0
        return b if upwards == (tag == "max") else a

    def _settle(self, poly: Poly) -> Quotient:
        """Put what the region knows of variables in their places."""
        for index, value in self.region.values.items():
            if index in self.space.occurring(poly):
                poly = poly.compose(self.space.ring.gens[index], value)
        return self.space.polynomial(poly)

    def _choice(self, branches: tuple[Tree, ...]) -> Quotient:
        for value, condition in branches:
            if self._holds(condition):
                return self.convert(value)
        raise Unsupported("a choice without a value")

    def _holds(self, tree: Tree) -> bool:
        match tree:
            case ("and", *conditions):
                return all(self._holds(c) for c in conditions)
            case ("or", *conditions):
                return any(self._holds(c) for c in conditions)
            case ("not", condition):
                return not self._holds(condition)
            case ("compare", operator, left, right):
                difference = self.space.subtract(self.convert(left), self.convert(right))
                return self.signs.sign(difference) in RELATIONS[operator]
        raise Unsupported(f"no condition '{tree[0]}'")

    def _reduction(self, tag: str, arg: Tree) -> Quotient:
        """A norm or mean is opaque, and known by its argument on the whole domain.

        A region is of one element only; the other elements may lie elsewhere.
        """
        space = self.space
        shape = space.shapes.number(arg, self._program.definitions)
        for known in space.reduced[tag]:
            if known.shape == shape:
                return self._opaque(tag, known)
        value: Quotient | None = None
        with suppress(NeedSplit):
            value = self._on_the_whole_domain().convert(arg)
        model = next((m for m in space.reduced[tag] if self._alike(tag, m, arg, value)), None)
        key = shape if model is None else model.key
        space.reduced[tag].append(Reduced(shape, key, arg, value))
        return self._opaque(tag, space.reduced[tag][-1])

    def _alike(self, tag: str, known: Reduced, arg: Tree, value: Quotient | None) -> bool:
        """Whether an argument is that of a known norm or mean, whatever the elements are."""
        if value is not None and known.value is not None:
            opposite = tag == "norm" and self.space.same(known.value, self.space.negate(value))
            return opposite or self.space.same(known.value, value)
        find = self._program.same
        if find is None:
            return False
        factorer = self.signs.factorer
        return find(self._program, factorer, known.arg, arg, tag == "norm") is not None

    def _opaque(self, tag: str, known: Reduced) -> Quotient:
        domain = NONNEGATIVE if tag == "norm" else REAL
        inside = "..." if known.value is None else self.space.quotient_text(known.value)
        key = (tag, known.key)
        atom = self.space.generator(key, lambda: Generator(f"{tag}({inside})", domain))
        return self.space.polynomial(atom)

    def _on_the_whole_domain(self) -> Converter:
        if self._everywhere is None:
            self._everywhere = Converter(self._program, self.signs.factorer, Region())
        return self._everywhere
