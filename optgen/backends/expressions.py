"""Prints IR expressions as C: plain operators, parentheses only where C would group otherwise.

C evaluates `a * b * c` from the left, as it stands, and no flag we compile with allows it
to do otherwise; each operation rounds once to the type of its operands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optgen.ir import ROUNDINGS, DType, Expr, Literal, Operation, Ref

C_TYPES = {DType.FLOAT32: "float", DType.FLOAT64: "double"}

_BINARY = {
    "add": ("+", 4), "sub": ("-", 4), "mul": ("*", 5), "div": ("/", 5),
    "lt": ("<", 3), "le": ("<=", 3), "gt": (">", 3), "ge": (">=", 3),
    "eq": ("==", 2), "ne": ("!=", 2), "and": ("&", 1), "or": ("|", 1),
}  # fmt: skip
"""Operators, and how tightly they bind; masks are 0 or 1, so `&` and `|` need no branch."""
_UNARY, _ATOM, _SELECT = 6, 7, 0

HELPERS: dict[str, str] = {
    "sign": """/* 1 above 0, -1 below, +0 at both zeros, NaN at NaN */
static inline {t} sign_{s}(const {t} x) {{
  return x > {zero} ? {one} : x < {zero} ? -{one} : x == {zero} ? {zero} : x;
}}
""",
    "max": """/* the larger; NaN if either is NaN; a zero result is +0 */
static inline {t} max_{s}(const {t} a, const {t} b) {{
  return (((a > b) | (a != a)) ? a : b) + {zero};
}}
""",
    "min": """/* the smaller; NaN if either is NaN; a zero result is +0 */
static inline {t} min_{s}(const {t} a, const {t} b) {{
  return (((a < b) | (a != a)) ? a : b) + {zero};
}}
""",
    "ipow": """/* an integer power by binary exponentiation: the same bits on every machine */
static inline {t} ipow_{s}({t} base, const {t} exponent) {{
  {t} result = {one};
  for (uint64_t left = (uint64_t)fabs(exponent); left; left >>= 1) {{
    if (left & 1) result = result * base;
    base = base * base;
  }}
  return exponent < {zero} ? {one} / result : result;
}}
""",
}


def literal(value: float, dtype: DType) -> str:
    """Return a constant that reads back as the float64 `value`, rounded once to `dtype`."""
    with np.errstate(over="ignore"):
        rounded = float(np.dtype(dtype.value).type(value))
    if np.isinf(rounded):
        sign = "" if rounded > 0 else "-"
        return f"{sign}INFINITY" if dtype is DType.FLOAT32 else f"({sign}(double)INFINITY)"
    return f"{rounded!r}f" if dtype is DType.FLOAT32 else repr(rounded)


def rounding(name: str, operands: list[str]) -> str:
    """Return a rounding to a type of two bytes: stored and loaded again."""
    kept = "float16" if name == "to_float16" else "bfloat16"
    stochastic = "_stochastic" if name == "to_bfloat16_random" else ""
    return f"load_{kept}(store_{kept}{stochastic}({', '.join(operands)}))"


def helper(name: str, dtype: DType) -> str:
    """Return the function of one helper operation."""
    return HELPERS[name].format(
        t=C_TYPES[dtype], s=dtype.value, zero=literal(0.0, dtype), one=literal(1.0, dtype)
    )


class CPrinter:
    """Prints expressions of one type.

    Args:
        dtype: The arithmetic type.
        name: How a name is written: a local variable or a field of the struct.
    """

    def __init__(self, dtype: DType, name: Callable[[str], str]) -> None:
        self._dtype = dtype
        self._name = name

    def expression(self, expr: Expr) -> str:
        """Return an expression as C."""
        return self._print(expr)[0]

    def _print(self, expr: Expr) -> tuple[str, int]:
        """Return text, and how tightly its outermost operator binds."""
        match expr:
            case Ref(name):
                return self._name(name), _ATOM
            case Literal(value):
                text = literal(float(value), self._dtype)
                return text, _UNARY if text.startswith("-") else _ATOM
            case Operation("neg", (value,)):
                return f"-{self._inside(value, _ATOM)}", _UNARY
            case Operation("not", (value,)):
                return f"!{self._inside(value, _ATOM)}", _UNARY
            case Operation("to_float32", (value,)):
                return f"(double)(float)({self.expression(value)})", _UNARY
            case Operation(name, operands) if name in ROUNDINGS:
                return rounding(name, [self.expression(o) for o in operands]), _ATOM
            case Operation("pow", (base, exponent)):
                return f"pow({self.expression(base)}, {self.expression(exponent)})", _ATOM
            case Operation("select", (mask, yes, no)):
                mask_ = self._inside(mask, 4)  # clang warns of `&` before `?`
                yes_, no_ = (self._inside(o, _SELECT + 1) for o in (yes, no))
                return f"{mask_} ? {yes_} : {no_}", _SELECT
            case Operation(name, (left, right)) if name in _BINARY:
                operator, level = _BINARY[name]
                if level < 4:  # compilers warn of comparisons beside `&`, and readers stumble
                    level = 4
                    return (
                        f"{self._inside(left, level)} {operator} {self._inside(right, level)}",
                        _BINARY[name][1],
                    )
                return (
                    f"{self._inside(left, level)} {operator} {self._inside(right, level + 1)}",
                    level,
                )
            case Operation(name, operands):
                given = ", ".join(self.expression(o) for o in operands)
                return f"{self._function(name)}({given})", _ATOM

    def _inside(self, expr: Expr, level: int) -> str:
        text, found = self._print(expr)
        return text if found >= level else f"({text})"

    def _function(self, name: str) -> str:
        single = "f" if self._dtype is DType.FLOAT32 else ""
        return {"sqrt": f"sqrt{single}", "abs": f"fabs{single}"}.get(
            name, f"{name}_{self._dtype.value}"
        )
