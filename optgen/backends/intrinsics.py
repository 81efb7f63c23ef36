"""Prints IR expressions as CUDA: each rounding an intrinsic, nothing left to contraction."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from optgen.backends.expressions import rounding
from optgen.ir import ROUNDINGS, DType, Expr, Literal, Operation, Ref

_INFIX = {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "&&",
    "or": "||",
}
_ROUNDED = {"add", "sub", "mul", "div", "sqrt"}

C_TYPES = {DType.FLOAT32: "float", DType.FLOAT64: "double"}

HELPERS: dict[str, str] = {
    "sign": """/* 1 above 0, -1 below, +0 at both zeros, NaN at NaN */
static __device__ __forceinline__ {t} sign_{s}({t} x) {{
  return x > {zero} ? {one} : x < {zero} ? -{one} : x == {zero} ? {zero} : x;
}}""",
    "max": """/* the larger; NaN if either is NaN; a zero result is +0 */
static __device__ __forceinline__ {t} max_{s}({t} a, {t} b) {{
  return {add}((a > b || a != a) ? a : b, {zero});
}}""",
    "min": """/* the smaller; NaN if either is NaN; a zero result is +0 */
static __device__ __forceinline__ {t} min_{s}({t} a, {t} b) {{
  return {add}((a < b || a != a) ? a : b, {zero});
}}""",
}


def intrinsic(name: str, dtype: DType) -> str:
    """Return the intrinsic that rounds to nearest: `__fadd_rn` or `__dadd_rn`."""
    return f"__{'f' if dtype is DType.FLOAT32 else 'd'}{name}_rn"


def literal(value: float, dtype: DType) -> str:
    """Return a constant that reads back as the float64 `value`, rounded once to `dtype`."""
    if dtype is DType.FLOAT64:
        return repr(float(value))
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if np.isinf(rounded):  # CUDA has no word for it without a header
        return "__int_as_float(0x7f800000)" if rounded > 0 else "__int_as_float(0xff800000)"
    return f"{rounded!r}f"


def helper(name: str, dtype: DType) -> str:
    """Return the device function of one helper operation."""
    return HELPERS[name].format(
        t=C_TYPES[dtype],
        s=dtype.value,
        zero=literal(0.0, dtype),
        one=literal(1.0, dtype),
        add=intrinsic("add", dtype),
    )


def helpers_in(exprs: Iterable[Expr]) -> tuple[str, ...]:
    """Return the helper operations that some expressions use, in alphabetical order."""
    found: set[str] = set()
    for expr in exprs:
        if isinstance(expr, Operation):
            found |= {expr.name} & set(HELPERS)
            found |= set(helpers_in(expr.operands))
    return tuple(sorted(found))


class CudaPrinter:
    """Prints expressions of one type.

    Args:
        dtype: The arithmetic type.
        name: How a name is written: a local variable or a field of the struct.
    """

    def __init__(self, dtype: DType, name: Callable[[str], str]) -> None:
        self._dtype = dtype
        self._name = name

    def expression(self, expr: Expr) -> str:
        """Return an expression as CUDA."""
        match expr:
            case Ref(name):
                return self._name(name)
            case Literal(value):
                return literal(float(value), self._dtype)
            case Operation("neg", (value,)):
                return f"-{self._operand(value)}"
            case Operation("not", (value,)):
                return f"!{self._operand(value)}"
            case Operation("to_float32", (value,)):
                return f"(double)__double2float_rn({self.expression(value)})"
            case Operation(name, operands) if name in ROUNDINGS:
                return rounding(name, [self.expression(o) for o in operands])
            case Operation("abs", (value,)):
                function = "fabsf" if self._dtype is DType.FLOAT32 else "fabs"
                return f"{function}({self.expression(value)})"
            case Operation("select", (mask, yes, no)):
                parts = (self._operand(mask), self._operand(yes), self._operand(no))
                return "{} ? {} : {}".format(*parts)
            case Operation(name, (left, right)) if name in _INFIX:
                return f"{self._operand(left)} {_INFIX[name]} {self._operand(right)}"
            case Operation(name, operands):
                function = (
                    intrinsic(name, self._dtype)
                    if name in _ROUNDED
                    else f"{name}_{self._dtype.value}"
                )
                return f"{function}({', '.join(self.expression(o) for o in operands)})"

    def _operand(self, expr: Expr) -> str:
        text = self.expression(expr)
        infix = isinstance(expr, Operation) and expr.name in {*_INFIX, "select", "neg", "not"}
        return f"({text})" if infix else text
