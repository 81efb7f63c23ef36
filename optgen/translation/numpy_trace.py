"""NumPy code, run on values that remember how they were made.

Arrays and scalars of this module take part in real NumPy calls (`__array_ufunc__`,
`__array_function__`) and hold terms instead of numbers: running a generated module on
them gives, for each output, the term it computes. An array is a row of pieces, each with
one term for all its elements; a term says from which elements, by their distance.

What is not modelled is refused (`Unsupported`): conversions to numbers or arrays, other
ufuncs, indices that are no slices, operands of different lengths, reading what was never
written. A comparison that Python decides by is followed both ways (`numpy_kernels`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from optgen.translation import expand
from optgen.translation.kernel_terms import constant, convert, power
from optgen.translation.numpy_memory import Memory, shifted
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

_HALVES: Mapping[object, TermType] = {np.float16: "float16"}

UFUNCS: Mapping[str, str] = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "sqrt": "sqrt",
    "negative": "neg", "absolute": "abs", "sign": "sign", "maximum": "maximum",
    "minimum": "minimum", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "equal": "eq", "not_equal": "ne", "logical_and": "and",
    "logical_or": "or", "logical_not": "not", "power": "pow",
}  # fmt: skip
"""Ufuncs whose meaning is that of an operation of the IR, or one of NumPy's two extremes."""


@dataclass(slots=True)
class Tracer:
    """What all values of one run share.

    Attributes:
        store: Where terms are built.
        decide: Says which way Python goes at a mask.
    """

    store: Terms
    decide: Callable[[Term], bool]

    def operation(self, name: str, operands: Sequence[Term]) -> Term:
        """Return what a ufunc makes of its operands.

        NumPy's `maximum` and `minimum` leave open which zero they give: their term is
        only that of the IR once +0 has been added.
        """
        if name in ("maximum", "minimum"):
            return self.store.make(name, operands[0].type, tuple(operands))
        if name == "pow":
            return power(self.store, "pow", *operands)
        if name == "add" and operands[0].operation in ("maximum", "minimum"):
            zero = self.store.constant(Fraction(0), operands[0].type)
            if operands[1] is zero:
                inner = operands[0]
                return expand.extreme(self.store, inner.operation[:3], *inner.operands)
        return expand.operation(self.store, name, *operands)

    def term(self, value: object, kind: TermType) -> Term:
        """Return the term of a scalar or of a Python number, which takes the type beside it."""
        match value:
            case Scalar():
                return value.term
            case bool() | np.bool_():
                return expand.truth(self.store, bool(value))
            case float() | int() | np.floating() | np.integer():
                return constant(self.store, float(value), kind)
        raise Unsupported(f"a {type(value).__name__} beside traced values")


class _Refusing:
    """Whatever would turn a traced value into a plain one is refused."""

    def __array__(self, *_: object, **__: object) -> Any:
        raise Unsupported("a traced value is turned into an array")

    def __float__(self) -> float:
        raise Unsupported("a traced value is turned into a float")

    def __int__(self) -> int:
        raise Unsupported("a traced value is turned into an integer")

    def __index__(self) -> int:
        raise Unsupported("a traced value is used as an index")

    def __iter__(self) -> Iterator[Any]:
        raise Unsupported("the elements of a traced value are looked at one by one")

    def __array_function__(
        self, function: Any, types: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if function is not np.copyto or not isinstance(args[0], View):
            raise Unsupported(f"np.{getattr(function, '__name__', function)}")
        unknown = kwargs.keys() - {"where", "casting"}
        if unknown or len(args) != 2:
            raise Unsupported("np.copyto with more than two arrays and a mask")
        args[0].copy(args[1], kwargs.get("where", True))
        return None

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or kwargs.keys() - {"out"}:
            raise Unsupported(f"np.{ufunc.__name__} called as {method} with {sorted(kwargs)}")
        (out,) = kwargs.get("out", (None,))
        operands = [*inputs, out]
        tracer = next(x.tracer for x in operands if isinstance(x, Scalar | View))
        views = [x for x in inputs if isinstance(x, View)]
        if not views and out is None:
            kind = next(x.term.type for x in inputs if isinstance(x, Scalar))
            return Scalar(tracer, tracer.operation(name, [tracer.term(x, kind) for x in inputs]))
        if not isinstance(out, View):
            raise Unsupported(f"np.{ufunc.__name__} on arrays without out=")
        out.write(name, inputs)
        return out

    def __bool__(self) -> bool:
        raise Unsupported("Python asks whether a traced value is true")


class Scalar(_Refusing):
    """A NumPy scalar: a number, or the truth of a comparison."""

    __slots__ = ("term", "tracer")

    def __init__(self, tracer: Tracer, term: Term) -> None:
        self.tracer, self.term = tracer, term

    def _with(self, name: str, other: object, *, mirrored: bool = False) -> Scalar:
        terms = [self.term, self.tracer.term(other, self.term.type)]
        if terms[0].type != terms[1].type:
            raise Unsupported(f"{terms[0].type} and {terms[1].type} in one operation")
        return Scalar(self.tracer, self.tracer.operation(name, terms[:: -1 if mirrored else 1]))

    def __add__(self, other: object) -> Scalar:
        return self._with("add", other)

    def __radd__(self, other: object) -> Scalar:
        return self._with("add", other, mirrored=True)

    def __sub__(self, other: object) -> Scalar:
        return self._with("sub", other)

    def __rsub__(self, other: object) -> Scalar:
        return self._with("sub", other, mirrored=True)

    def __mul__(self, other: object) -> Scalar:
        return self._with("mul", other)

    def __rmul__(self, other: object) -> Scalar:
        return self._with("mul", other, mirrored=True)

    def __truediv__(self, other: object) -> Scalar:
        return self._with("div", other)

    def __rtruediv__(self, other: object) -> Scalar:
        return self._with("div", other, mirrored=True)

    def __pow__(self, other: object) -> Scalar:
        return self._with("pow", other)

    def __lt__(self, other: object) -> Scalar:
        return self._with("lt", other)

    def __le__(self, other: object) -> Scalar:
        return self._with("le", other)

    def __gt__(self, other: object) -> Scalar:
        return self._with("gt", other)

    def __ge__(self, other: object) -> Scalar:
        return self._with("ge", other)

    def __eq__(self, other: object) -> Scalar:  # type: ignore[override]
        return self._with("eq", other)

    def __ne__(self, other: object) -> Scalar:  # type: ignore[override]
        return self._with("ne", other)

    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Scalar:
        return Scalar(self.tracer, self.tracer.operation("neg", [self.term]))

    def __bool__(self) -> bool:
        if self.term.type != "mask":
            raise Unsupported("Python asks whether a traced number is true")
        return self.tracer.decide(self.term)


class View(_Refusing):
    """Some elements of an array, in order."""

    __slots__ = ("memory", "start", "stop", "tracer")

    def __init__(self, tracer: Tracer, memory: Memory, start: int, stop: int) -> None:
        self.tracer, self.memory, self.start, self.stop = tracer, memory, start, stop

    @property
    def size(self) -> int:
        """How many elements there are."""
        return self.stop - self.start

    @property
    def shape(self) -> tuple[int]:
        """One dimension."""
        return (self.size,)

    @property
    def dtype(self) -> Kind:
        """The type, which also converts scalars."""
        return Kind(self.tracer, self.memory.kind)

    def reshape(self, shape: int) -> View:
        """Return the array itself, which has one dimension."""
        if shape != -1:
            raise Unsupported(f"an array in the shape {shape}")
        return self

    def astype(self, kind: object) -> View:
        """Return a new array of the same values, rounded to a type."""
        to = kind.kind if isinstance(kind, Kind) else _HALVES.get(kind)
        if to is None:
            raise Unsupported(f"an array as {kind}")
        term = convert(self.tracer.store, self.read(), to)
        return View(self.tracer, Memory.holding("converted", to, self.size, term), 0, self.size)

    def __getitem__(self, key: object) -> View:
        if not isinstance(key, slice) or key.step not in (None, 1):
            raise Unsupported(f"the index {key!r}")
        if any(isinstance(end, _Refusing) for end in (key.start, key.stop)):
            raise Unsupported("an index that is computed from values")
        start, stop, _ = key.indices(self.size)
        return View(self.tracer, self.memory, self.start + start, self.start + max(start, stop))

    def read(self) -> Term:
        """Return the term of the elements, distances counted from the first one here."""
        return shifted(self.tracer.store, self.memory.read(self.start, self.stop), self.start)

    def put(self, term: Term) -> None:
        """Write a term whose distances are counted from the first element here."""
        if term.type != self.memory.kind:
            raise Unsupported(f"{term.type} values are written into a {self.memory.kind} array")
        if self.size:
            value = shifted(self.tracer.store, term, -self.start)
            self.memory.put(self.start, self.stop, value)

    def _operand(self, value: object, kind: TermType) -> Term:
        if not isinstance(value, View):
            return self.tracer.term(value, kind)
        if value.size != self.size:
            raise Unsupported(f"arrays of {value.size} and {self.size} elements in one operation")
        return value.read()

    def write(self, name: str, inputs: Sequence[object]) -> None:
        """Write what an operation makes of its operands."""
        if not self.size:
            return
        kinds = [x.memory.kind if isinstance(x, View) else x.term.type
                 for x in inputs if isinstance(x, View | Scalar)]  # fmt: skip
        if len(set(kinds)) > 1:
            raise Unsupported(f"{' and '.join(sorted(set(kinds)))} in one operation")
        operands = [self._operand(x, kinds[0] if kinds else self.memory.kind) for x in inputs]
        self.put(self.tracer.operation(name, operands))

    def copy(self, value: object, where: object) -> None:
        """Write a value where a mask holds."""
        if not self.size:
            return
        new = self._operand(value, self.memory.kind)
        if isinstance(value, View) and new.type != "mask":
            new = convert(self.tracer.store, new, self.memory.kind)  # as NumPy's own types do
        if where is not True:
            mask = self._operand(where, "mask")
            new = expand.choose(self.tracer.store, mask, new, self.read())
        self.put(new)


class Kind:
    """The type of a traced array: converts scalars, makes arrays of its own."""

    __slots__ = ("kind", "tracer")

    def __init__(self, tracer: Tracer, kind: TermType) -> None:
        self.tracer, self.kind = tracer, kind

    @property
    def type(self) -> Kind:
        """The scalar type: the same."""
        return self

    def __call__(self, value: object) -> Scalar:
        """Return a scalar rounded to this type."""
        term = self.tracer.term(value, self.kind)
        return Scalar(self.tracer, convert(self.tracer.store, term, self.kind))
