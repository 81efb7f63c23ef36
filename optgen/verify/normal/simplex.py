"""Exact linear programming, as small as it can be: is there x >= 0 with A*x = b?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

Row = tuple[list[Fraction], Fraction]
"""Coefficients of one equation, and its right side."""

_MOST_STEPS = 400


def combination(rows: Sequence[Row], step: Callable[[], None]) -> list[Fraction] | None:
    """Return some x >= 0 that solves all equations; None if there is none or it takes long.

    The first phase of the simplex method with the rule of Bland (1977), which cannot cycle.

    Args:
        rows: The equations; all have the same number of coefficients.
        step: Called in each step; it may raise to end the search.
    """
    width = len(rows[0][0])
    table = [
        ([-c for c in left], -right) if right < 0 else (list(left), right) for left, right in rows
    ]
    basis = [width + i for i in range(len(table))]  # one more variable for each row, not wanted
    cost = [sum((left[j] for left, _ in table), Fraction(0)) for j in range(width)]
    missing = sum((right for _, right in table), Fraction(0))
    for _ in range(_MOST_STEPS):
        step()
        if missing == 0:
            found = [Fraction(0)] * width
            for row, variable in enumerate(basis):
                if variable < width:
                    found[variable] = table[row][1]
            return found
        entering = next((j for j, c in enumerate(cost) if c > 0), None)
        if entering is None:
            return None
        ratios = [
            (right / left[entering], basis[i], i)
            for i, (left, right) in enumerate(table)
            if left[entering] > 0
        ]
        if not ratios:
            return None
        _, _, leaving = min(ratios)
        pivot_left, pivot_right = table[leaving]
        pivot = pivot_left[entering]
        pivot_left = [c / pivot for c in pivot_left]
        pivot_right /= pivot
        for i, (left, right) in enumerate(table):
            factor = left[entering]
            if i != leaving and factor:
                table[i] = (
                    [a - factor * b for a, b in zip(left, pivot_left, strict=True)],
                    right - factor * pivot_right,
                )
        factor = cost[entering]
        cost = [a - factor * b for a, b in zip(cost, pivot_left, strict=True)]
        missing -= factor * pivot_right
        table[leaving], basis[leaving] = (pivot_left, pivot_right), entering
    return None
