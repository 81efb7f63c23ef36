"""`--given [left.|right.]NAME=EXPR`: what the hyperparameters of each side stand for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from optgen.domains import Domain
from optgen.errors import UsageError, nearest
from optgen.spec import OptimizerSpec
from optgen.symbols import Abs, Max, Min, sqrt, symbol
from optgen.verify.deadline import Deadline
from optgen.verify.runs.placing import Place, place

SIDES = ("left", "right")

_FUNCTIONS: Mapping[str, Callable[..., sympy.Expr]] = {
    "sqrt": sqrt,
    "Max": Max,
    "Min": Min,
    "Abs": Abs,
}
_ARITY = {"sqrt": (1, 1), "Abs": (1, 1), "Max": (2, 8), "Min": (2, 8)}
_EXAMPLE = "write for example beta2=beta1 or right.weight_decay=left.weight_decay/lr"
_LONGEST = 20_000  # characters of a substitution
_DEEPEST = 60  # levels of brackets and functions
_BITS = 4096  # of a constant on the way
_SECONDS = 2.0  # to show that an expression never lies in its domain
_CHAINS = ((ast.Add, ast.Sub), (ast.Mult, ast.Div))


@dataclass(frozen=True, slots=True)
class Given:
    """The hyperparameters of two rules, brought to one set of variables.

    Attributes:
        values: For each side, an expression over the variables for each of its hyperparameters.
        domains: Domain of each variable.
    """

    values: Mapping[str, Mapping[str, sympy.Expr]]
    domains: Mapping[str, Domain]


_LARGEST = 2**1023
"""Larger numbers are no hyperparameter of any kernel, and would keep the decider busy for ever."""


def _too_large(item: _Item) -> UsageError:
    return UsageError(
        "a number is larger or smaller than a hyperparameter can be",
        where=_short(item.text),
        fix="use numbers between about 1e-308 and 1e308",
    )


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    sides: tuple[str, ...]
    name: str
    tree: ast.expr
    source: str


def read_given(
    left: OptimizerSpec,
    right: OptimizerSpec,
    given: Sequence[str],
    deadline: Deadline | None = None,
) -> Given:
    """Read substitutions; the hyperparameters of two rules are the same if their names are.

    Args:
        left: A rule.
        right: Another.
        given: Substitutions, `[left.|right.]NAME=EXPR`.
        deadline: When to stop looking whether values lie in their domains at all.

    Raises:
        UsageError: A text cannot be read, names what does not exist, defines a
            hyperparameter twice or by itself, or gives a value that is certainly outside
            the domain.
    """
    soon = (deadline or Deadline.after(_SECONDS)).sooner(_SECONDS)
    return _Reader({"left": left, "right": right}, given).read(soon)


class _Reader:
    def __init__(self, specs: Mapping[str, OptimizerSpec], given: Sequence[str]) -> None:
        self._domains = {
            (side, h.name): h.domain for side in SIDES for h in specs[side].hyperparameters
        }
        self._taken = frozenset(
            str(s.name)
            for spec in specs.values()
            for s in (*spec.inputs, *(b.symbol for b in spec.state), *(a.target for a in spec.rule))
        )
        self._items: dict[tuple[str, str], _Item] = {}
        for text in given:
            item = self._parse(text)
            for side in item.sides:
                if (side, item.name) in self._items:
                    raise UsageError(
                        f"{side}.{item.name} is given twice",
                        where=text,
                        fix="leave one of the two away",
                    )
                self._items[side, item.name] = item
        self._values: dict[tuple[str, str], sympy.Expr] = {}

    def read(self, deadline: Deadline) -> Given:
        values: dict[str, dict[str, sympy.Expr]] = {side: {} for side in SIDES}
        for side, name in self._domains:
            values[side][name] = self._value(side, name, ())
        domains: dict[str, Domain] = {}
        for (side, name), domain in self._domains.items():
            assert isinstance(domain, Domain)
            if (side, name) not in self._items:
                variable = self._variable(name)
                domains[variable] = _common(name, domains.get(variable, domain), domain)
        for key, item in self._items.items():
            self._check_value(key, item, domains, deadline)
        return Given(values, domains)

    def _variable(self, name: str) -> str:
        """Return the name of a hyperparameter in both rules; one may use its own for a state."""
        while name in self._taken:
            name += "_"
        return name

    def _parse(self, text: str) -> _Item:
        if len(text) > _LONGEST:
            raise UsageError(
                f"a substitution of {len(text)} characters cannot be read",
                where=f"{text[:40]}...",
                fix=f"use at most {_LONGEST} characters",
            )
        target, equals, source = text.partition("=")
        side, dot, name = target.strip().rpartition(".")
        if not equals or not name or (dot and side not in SIDES):
            raise UsageError(
                f"'{text}' is not of the form [left.|right.]NAME=EXPR",
                where=text or "an empty substitution",
                fix=_EXAMPLE,
            )
        having = tuple(s for s in SIDES if (s, name) in self._domains and side in ("", s))
        if not having:
            raise self._unknown(name, (side,) if side else SIDES, text)
        try:
            tree = ast.parse(source.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UsageError(
                f"'{_short(source.strip())}' cannot be read as an expression",
                where=_short(text),
                fix=_EXAMPLE,
            ) from None
        return _Item(text, having, name, tree, source.strip())

    def _unknown(self, name: str, sides: Sequence[str], text: str) -> UsageError:
        known = sorted({n for s, n in self._domains if s in sides})
        who = "neither rule has" if len(sides) > 1 else f"the {sides[0]} rule has no"
        listed = ", ".join(known) or "none"
        return UsageError(
            f"{who} hyperparameter '{name}'" if len(sides) == 1 else f"{who} a '{name}'",
            where=text,
            fix=nearest(name, known) or f"the hyperparameters are: {listed}",
        )

    def _value(self, side: str, name: str, path: tuple[tuple[str, str], ...]) -> sympy.Expr:
        """Return what a hyperparameter of one side stands for."""
        key = (side, name)
        if key in self._values:
            return self._values[key]
        item = self._items.get(key)
        if item is None:
            return symbol(self._variable(name))
        if key in path:
            chain = " -> ".join(f"{s}.{n}" for s, n in (*path[path.index(key) :], key))
            other = "right" if side == "left" else "left"
            raise UsageError(
                f"'{name}' is given by itself: {chain}",
                where=item.text,
                fix=f"use other hyperparameters, or that of the other rule: {other}.{name}",
            )
        value = self._expression(item.tree, side, item, (*path, key), 0)
        self._values[key] = value
        return value

    def _expression(
        self,
        tree: ast.expr,
        side: str,
        item: _Item,
        path: tuple[tuple[str, str], ...],
        level: int,
    ) -> sympy.Expr:
        if level > _DEEPEST:
            raise UsageError(
                f"an expression with more than {_DEEPEST} levels cannot be read",
                where=_short(item.text),
                fix="write it with fewer brackets",
            )

        def read(part: ast.expr) -> sympy.Expr:
            return self._expression(part, side, item, path, level + 1)

        value = self._read(tree, side, item, path, read)
        if value.is_Rational and max(int(value.p).bit_length(), int(value.q).bit_length()) > _BITS:
            raise _too_large(item)
        if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            raise UsageError(
                f"'{_short(item.source)}' has no real value",
                where=_short(item.text),
                fix="mend the expression",
            )
        return value

    def _read(
        self,
        tree: ast.expr,
        side: str,
        item: _Item,
        path: tuple[tuple[str, str], ...],
        read: Callable[[ast.expr], sympy.Expr],
    ) -> sympy.Expr:
        match tree:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if isinstance(number, int) and number < _LARGEST:  # 0x10 is one too
                    return sympy.Integer(number)
                text = ast.get_source_segment(item.source, tree) or str(number)
                digits = set(text.lower().split("e")[0]) & set("123456789")
                if abs(number) >= _LARGEST or (digits and not number):
                    raise _too_large(item)
                return sympy.Rational(text.replace("_", ""))
            case ast.Name(id=name):
                other = "right" if side == "left" else "left"
                for owner in (side, other):
                    if (owner, name) in self._domains:
                        return self._value(owner, name, path)
                raise self._unknown(name, SIDES, item.text)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in SIDES:
                if (owner, name) not in self._domains:
                    raise self._unknown(name, (owner,), item.text)
                return self._value(owner, name, path)
            case ast.UnaryOp(ast.USub(), operand):
                return -read(operand)
            case ast.BinOp(_, ast.Add() | ast.Sub(), _):
                terms = _chain(tree, _CHAINS[0])
                return sympy.Add(*(-read(t) if inverse else read(t) for t, inverse in terms))
            case ast.BinOp(_, ast.Mult() | ast.Div(), _):
                factors = _chain(tree, _CHAINS[1])
                return sympy.Mul(*(1 / read(t) if inverse else read(t) for t, inverse in factors))
            case ast.BinOp(left, ast.Pow(), right):
                exponent = read(right)
                base = read(left)
                if exponent.is_Integer and abs(exponent) <= 16:
                    if base.is_Rational and abs(base) not in (0, 1):
                        bits = max(abs(int(base.p)), int(base.q)).bit_length()
                        if bits * abs(int(exponent)) > _LARGEST.bit_length():
                            raise _too_large(item)
                    return base**exponent
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                least, most = _ARITY[name]
                if least <= len(args) <= most:
                    return _FUNCTIONS[name](*map(read, args))
        raise UsageError(
            f"'{_short(ast.get_source_segment(item.source, tree) or '')}' is not allowed in an "
            "expression",
            where=_short(item.text),
            fix="use numbers, hyperparameters, + - * /, small integer powers, "
            + ", ".join(sorted(_FUNCTIONS)),
        )

    def _check_value(
        self,
        key: tuple[str, str],
        item: _Item,
        domains: Mapping[str, Domain],
        deadline: Deadline,
    ) -> None:
        """Refuse a value that certainly never lies in the domain of its hyperparameter."""
        domain, value = self._domains[key], self._values[key]
        assert isinstance(domain, Domain)
        if value.is_Rational and len(value.free_symbols) == 0:
            found: Place = "may be" if _fraction(value) in domain else "outside"
        else:
            found = place(value, domain, domains, deadline)
        shown = _short(str(value)) if value.count_ops() < 100 else _short(item.source)
        name = f"{key[0]}.{key[1]}"
        if found == "undefined":
            raise UsageError(
                f"'{_short(item.source)}' has no real value",
                where=_short(item.text),
                fix="mend the expression",
            )
        if found == "outside":
            raise UsageError(
                f"{shown} lies outside {domain}, the domain of {name}"
                + (", whatever its hyperparameters are" if value.free_symbols else ""),
                where=_short(item.text),
                fix="give a value inside the domain",
            )
        if found == "too near":
            raise UsageError(
                f"whether {shown} lies in {domain}, the domain of {name}, cannot be told",
                where=_short(item.text),
                fix="write the number itself, without roots",
            )


def _fraction(value: sympy.Expr) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:80]}..."


def _chain(
    tree: ast.expr, operators: tuple[type[ast.operator], type[ast.operator]]
) -> list[tuple[ast.expr, bool]]:
    """Return the operands of a - b + c, however many, and whether each is taken inversely."""
    found: list[tuple[ast.expr, bool]] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, operators):
        found.append((tree.right, isinstance(tree.op, operators[1])))
        tree = tree.left
    return [(tree, False), *reversed(found)]


def _common(name: str, a: Domain, b: Domain) -> Domain:
    """Return the intersection of two domains."""
    low, low_open = max(
        ((d.low, d.low_open) for d in (a, b) if d.low is not None), default=(None, True)
    )
    high, high_closed = min(
        ((d.high, not d.high_open) for d in (a, b) if d.high is not None), default=(None, False)
    )
    try:
        return Domain(low, high, low_open, not high_closed, a.integer or b.integer)
    except ValueError:
        raise UsageError(
            f"no value of '{name}' lies in the domains of both rules, {a} and {b}",
            where=name,
            fix=f"give it on one side: right.{name}=...",
        ) from None
