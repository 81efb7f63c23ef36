"""A rule as a JSON document, and back.

Every right-hand side is given twice: as text to read, and as a tree of
operations for programs. A tree is `{"number": "1/2"}`, `{"name": "lr"}` or
`{"op": ..., "args": [...]}`; the operations are sum, product, quotient, power,
sqrt, abs, max, min, sign, norm, mean, the relations as Python spells them, and,
or, not, and choice, whose arguments are value, condition, ..., last value.
Operands stand in the order in which they are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from optgen import symbols
from optgen.arithmetic import (
    Call,
    Choice,
    Logic,
    Name,
    Node,
    Number,
    Power,
    Product,
    Relation,
    Root,
    Sum,
    arrange,
)
from optgen.errors import SpecError
from optgen.notation import text
from optgen.order import Order
from optgen.spec import (
    Assignment,
    Hyperparameter,
    Let,
    OptimizerSpec,
    Reference,
    Set,
    StateBuffer,
)

FORMAT = 1
"""Version of the document; it grows when a reader of the old form would go wrong."""


def describe(spec: OptimizerSpec) -> dict[str, Any]:
    """Return a rule as a JSON document: dicts, lists and strings; numbers are exact text."""
    order = Order.of(spec)

    def value(expr: sympy.Expr) -> dict[str, Any]:
        node = arrange(expr)
        return {"text": text.expression(node, order), "tree": _tree(node, order)}

    return {
        "format": FORMAT,
        "name": spec.name,
        "full_name": spec.full_name,
        "family": spec.family,
        "summary": spec.summary,
        "hyperparameters": [
            {"name": h.name, "default": str(h.default), "domain": str(h.domain), "doc": h.doc}
            for h in spec.hyperparameters
        ],
        "state": [
            {
                "name": b.name,
                "initial": str(b.initial),
                "shape": b.shape,
                "domain": str(b.domain),
                "doc": b.doc,
            }
            for b in spec.state
        ],
        "inputs": [symbol.name for symbol in spec.inputs],
        "query": value(spec.query),
        "rule": [
            {
                "kind": "let" if isinstance(a, Let) else "set",
                "target": a.name,
                **value(a.value),
                "doc": a.doc,
            }
            for a in spec.rule
        ],
        "choices": [list(choice) for choice in spec.choices],
        "references": [
            {"title": r.title, "url": r.url, "year": r.year, "where": r.where}
            for r in spec.references
        ],
        "notes": list(spec.notes),
    }


def read(document: Mapping[str, Any]) -> OptimizerSpec:
    """Return the rule that a document of `describe` describes; `text` is not looked at.

    Raises:
        SpecError: The document is of another form, or the rule in it is wrong.
    """
    if document.get("format") != FORMAT:
        raise SpecError(
            f"this is not a rule in format {FORMAT}: its format is {document.get('format')!r}",
            fix="write it with `optgen show NAME --as json`",
        )
    try:
        return _spec(document)
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(
            f"the description of a rule is incomplete or wrong: {type(error).__name__}: {error}",
            fix="write it with `optgen show NAME --as json`",
        ) from error


def _spec(document: Mapping[str, Any]) -> OptimizerSpec:
    return OptimizerSpec(
        name=document["name"],
        full_name=document["full_name"],
        family=document["family"],
        summary=document["summary"],
        hyperparameters=tuple(
            Hyperparameter(symbols.symbol(h["name"]), h["default"], h["domain"], h["doc"])
            for h in document["hyperparameters"]
        ),
        state=tuple(
            StateBuffer(symbols.symbol(b["name"]), b["initial"], b["shape"], b["domain"], b["doc"])
            for b in document["state"]
        ),
        inputs=tuple(symbols.symbol(name) for name in document["inputs"]),
        query=_sympy(document["query"]["tree"]),
        rule=tuple(_assignment(line) for line in document["rule"]),
        choices=tuple((axis, choice) for axis, choice in document["choices"]),
        references=tuple(Reference(**reference) for reference in document["references"]),
        notes=tuple(document["notes"]),
    )


def _assignment(line: Mapping[str, Any]) -> Assignment:
    if line["kind"] not in ("let", "set"):
        raise ValueError(f"a line is neither let nor set: {line['kind']!r}")
    target, value = symbols.symbol(line["target"]), _sympy(line["tree"])
    if line["kind"] == "let":
        return Let(target, value, doc=line["doc"])
    return Set(target, value, doc=line["doc"])


def _tree(node: Node, order: Order) -> dict[str, Any]:
    def operation(op: str, args: Sequence[Node]) -> dict[str, Any]:
        return {"op": op, "args": [_tree(a, order) for a in args]}

    match node:
        case Number(value):
            return {"number": str(value)}
        case Name(name):
            return {"name": name}
        case Sum(terms):
            return operation("sum", order.terms(terms))
        case Product(coefficient, numerators, denominators):
            above: list[Node] = [*order.factors(numerators)]
            if coefficient != 1 or not above:
                above.insert(0, Number(coefficient))
            top = operation("product", above) if len(above) > 1 else _tree(above[0], order)
            if not denominators:
                return top
            below = order.factors(denominators)
            bottom = operation("product", below) if len(below) > 1 else _tree(below[0], order)
            return {"op": "quotient", "args": [top, bottom]}
        case Power(base, exponent):
            return operation("power", (base, exponent))
        case Root(value):
            return operation("sqrt", (value,))
        case Call(function, args):
            return operation(function.lower(), args)
        case Relation(operator, left, right):
            return operation(operator, (left, right))
        case Logic(operator, args):
            return operation(operator.lower(), args)
        case Choice(branches):
            flat = [part for branch in branches[:-1] for part in branch]
            return operation("choice", (*flat, branches[-1][0]))


def _choice(*args: sympy.Basic) -> sympy.Expr:
    pairs = list(zip(args[:-1:2], args[1::2], strict=True))
    return sympy.Piecewise(*pairs, (args[-1], True))


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "sum": sympy.Add,
    "product": sympy.Mul,
    "quotient": lambda top, bottom: top / bottom,
    "power": sympy.Pow,
    "sqrt": sympy.sqrt,
    "abs": sympy.Abs,
    "max": sympy.Max,
    "min": sympy.Min,
    "sign": sympy.sign,
    **{reduction.__name__: reduction for reduction in symbols.REDUCTIONS},
    "==": sympy.Eq,
    "!=": sympy.Ne,
    "<": sympy.Lt,
    "<=": sympy.Le,
    ">": sympy.Gt,
    ">=": sympy.Ge,
    "and": sympy.And,
    "or": sympy.Or,
    "not": sympy.Not,
    "choice": _choice,
}


def _sympy(tree: Mapping[str, Any]) -> sympy.Expr:
    if "number" in tree:
        exact = Fraction(tree["number"])
        return sympy.Rational(exact.numerator, exact.denominator)
    if "name" in tree:
        return symbols.symbol(tree["name"])
    return _OPERATIONS[tree["op"]](*(_sympy(a) for a in tree["args"]))
