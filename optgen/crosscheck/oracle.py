"""The rule itself at 50 digits: what a step should give, straight from the spec.

Nothing of lowering, the IR or a backend is used: sympy turns each right-hand
side into mpmath arithmetic, and the rule is read line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import sympy

from optgen.spec import OptimizerSpec
from optgen.symbols import REDUCTIONS, norm

DIGITS = 50

Column = list[Any]  # one mpf per element, or a single mpf


def oracle_step(
    spec: OptimizerSpec,
    values: Mapping[str, Sequence[float] | float],
    hyperparameters: Mapping[str, float],
    step: int,
) -> dict[str, Column]:
    """Return the parameter and all states after one step, at `DIGITS` digits.

    Args:
        spec: The rule.
        values: `param`, `grad` and every state: a list with one float per element, or
            a float for a scalar state.
        hyperparameters: One float each; those of a kernel's prologue scale the gradient.
        step: Number of the update.
    """
    with mpmath.workdps(DIGITS):
        known: dict[str, Any] = {"step": mpmath.mpf(step)}
        known |= {name: mpmath.mpf(value) for name, value in hyperparameters.items()}
        for name, value in values.items():
            scalar = isinstance(value, int | float)
            known[name] = mpmath.mpf(value) if scalar else [mpmath.mpf(v) for v in value]  # type: ignore[union-attr]
        if "grad_scale" in known:
            sign = -1 if known["maximize"] else 1
            factor = sign * known["clip_coef"] / known["grad_scale"]
            known["grad"] = [factor * g for g in known["grad"]]
        for assignment in spec.rule:
            value = _evaluate(assignment.value, known)
            if isinstance(known.get(assignment.name), list) and not isinstance(value, list):
                value = [value] * len(known[assignment.name])  # one value for every element
            known[assignment.name] = value
        return {name: known[name] for name in values if name != "grad"}


def _evaluate(value: sympy.Expr, known: Mapping[str, Any]) -> Any:
    """Return the value of one right-hand side: a column if it reads one, else a number."""
    extra: dict[sympy.Symbol, Any] = {}
    for call in sorted(value.atoms(*REDUCTIONS), key=str):
        symbol = sympy.Dummy()
        extra[symbol] = _reduce(call, known)
        value = value.xreplace({call: symbol})
    symbols = sorted(value.free_symbols - set(extra), key=str)
    function = sympy.lambdify([*symbols, *extra], value, modules="mpmath")
    columns = [known[s.name] for s in symbols]
    lengths = {len(c) for c in columns if isinstance(c, list)}
    if not lengths:
        return _real(function, *columns, *extra.values())
    return [
        _real(function, *(c[i] if isinstance(c, list) else c for c in columns), *extra.values())
        for i in range(lengths.pop())
    ]


def _real(function: Callable[..., Any], *values: Any) -> Any:
    """Return a real value; a division by 0 and the root of a negative number have none."""
    try:
        value = function(*values)
    except ZeroDivisionError:
        return mpmath.nan
    return mpmath.nan if isinstance(value, mpmath.mpc) else mpmath.mpf(value)


def _reduce(call: sympy.Expr, known: Mapping[str, Any]) -> Any:
    column = known[call.args[0].name]
    if isinstance(call, norm):
        return mpmath.sqrt(mpmath.fsum(x * x for x in column))
    return mpmath.fsum(column) / len(column)
