"""Does a NumPy module's `_ipow` multiply as the IR says? Followed at many exponents."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType

from optgen.translation import expand
from optgen.translation.numpy_trace import Scalar, Tracer
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

EXPONENTS = (*range(-9, 70), 127, 128, 1000, 12345, 2**17 - 1, 2**30, 2**53 - 1)


def powers_differ(module: ModuleType) -> str:
    """Say at which exponent a module multiplies otherwise; empty if at none of `EXPONENTS`."""
    store = Terms()
    base = store.scalar("base", "float64")
    for exponent in EXPONENTS:
        try:
            found = module._ipow(Scalar(Tracer(store, _never), base), exponent)
        except (TypeError, ValueError, ZeroDivisionError, Unsupported) as error:
            return f"the power {exponent} cannot be followed: {error}"
        if not isinstance(found, Scalar | float):
            return f"the power {exponent} gives a {type(found).__name__}"
        term = found.term if isinstance(found, Scalar) else _number(store, float(found))
        if term is not power_term(store, base, exponent):
            return f"the power {exponent} is multiplied in another order"
    return ""


def _never(mask: Term) -> bool:
    raise Unsupported("a power decides by the value of its base")


def _number(store: Terms, value: float) -> Term:
    return store.constant(Fraction(value), "float64")


def power_term(store: Terms, base: Term, exponent: int) -> Term:
    """Return binary exponentiation, low bit first; a negative exponent divides 1 by it."""
    if exponent < 0:
        one = _number(store, 1.0)
        return expand.operation(store, "div", one, power_term(store, base, -exponent))
    result = _number(store, 1.0)
    for bit in range(exponent.bit_length()):
        if exponent >> bit & 1:
            result = expand.operation(store, "mul", result, base)
        base = expand.operation(store, "mul", base, base)
    return result
