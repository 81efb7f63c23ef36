"""Terms of a foreign kernel as real algebra: roundings are left out, constants are decimals.

A constant such as `0x3F7FBE77` stands for the shortest decimal that rounds to it,
0.999; a caller may say what else one stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from optgen.translation.terms import Term
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_MINUS_ONE: Tree = ("number", Fraction(-1))
_HALF: Tree = ("number", Fraction(1, 2))
_ALWAYS: Tree = ("and",)


def decimal(value: Fraction, kind: str) -> Fraction:
    """Return the shortest decimal that is rounded to a value of a type."""
    if kind == "bfloat16":
        return value
    shortest = np.format_float_positional(np.dtype(kind).type(float(value)), unique=True)
    return Fraction(shortest)


@dataclass(slots=True)
class Reals:
    """Reads terms; each that is used is defined once.

    Args:
        meanings: What each scalar stands for.
        literals: What constants stand for, by their shortest decimals.

    Attributes:
        definitions: What each name that `tree` returns stands for.
        constants: The decimals that constants were read as.
    """

    meanings: Mapping[str, Tree]
    literals: Mapping[Fraction, Fraction]
    definitions: dict[str, Tree] = field(default_factory=dict)
    constants: dict[Fraction, None] = field(default_factory=dict)
    _names: dict[int, Tree] = field(default_factory=dict)

    def tree(self, term: Term) -> Tree:
        """Return a term's value over the reals.

        Raises:
            Unsupported: It has no such value, or is made from another element's.
        """
        found = self._names.get(id(term))
        if found is None:
            found = self._read(term)
            if term.operands:
                name = f"ptx.{len(self.definitions)}"
                self.definitions[name] = found
                found = ("name", name)
            self._names[id(term)] = found
        return found

    def _read(self, term: Term) -> Tree:
        payload = term.payload
        match term.operation:
            case "element":
                if isinstance(payload, tuple):
                    raise Unsupported(f"reads {payload[0]} of an element {payload[1]:+d} away")
                return ("name", str(payload))
            case "scalar":
                return self.meanings[str(payload)]
            case "constant":
                return self._constant(term)
            case "select":
                atom, yes, no = term.operands
                return (
                    "choice",
                    (self.tree(yes), self._condition(atom)),
                    (self.tree(no), _ALWAYS),
                )
        return self._operation(term.operation, tuple(self.tree(o) for o in term.operands))

    def _constant(self, term: Term) -> Tree:
        if isinstance(term.payload, Fraction):
            found = decimal(term.payload, term.type)
            self.constants[found] = None
            return ("number", self.literals.get(found, found))
        if term.payload == "-0":
            return ("number", Fraction(0))
        raise Unsupported(f"computes with {term.payload}")

    def _condition(self, atom: Term) -> Tree:
        if atom.operation not in ("lt", "eq"):
            raise Unsupported("chooses by the bits of values")
        left, right = atom.operands
        if atom.operation == "eq" and left is right:
            return _ALWAYS  # whether it is a number
        sign = "<" if atom.operation == "lt" else "=="
        return ("compare", sign, self.tree(left), self.tree(right))

    def _operation(self, name: str, operands: tuple[Tree, ...]) -> Tree:
        match name, operands:
            case (("add" | "mul" | "max" | "min" | "abs"), _):
                return (name, *operands)
            case "sub", (a, b):
                return ("add", a, ("mul", _MINUS_ONE, b))
            case "neg", (a,):
                return ("mul", _MINUS_ONE, a)
            case "div", (a, b):
                return ("mul", a, ("power", b, _MINUS_ONE))
            case "fma", (a, b, c):
                return ("add", ("mul", a, b), c)
            case "sqrt", (a,):
                return ("power", a, _HALF)
            case "pow", (a, b):
                return ("power", a, b)
            case "convert", (a,):
                return a
        raise Unsupported(f"computes {name}, which has no meaning here")
