"""Rewrite rules: each gives an expression with the same values, written differently.

A rule may lose or gain points at which there is a value (u/u, conjugates); nothing
is taken for granted, and every verdict is checked by sampling.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.expressions import condition
from fuzz.laws_of_branches import (
    abs_of_product,
    abs_otherwise,
    as_difference,
    as_sign_times_abs,
    de_morgan,
    into_choice,
    max_by_abs,
    max_by_choice,
    max_by_min,
    max_scaled,
    max_shifted,
    max_squared,
    same_branch,
    sign_otherwise,
    turn_choice,
    turn_comparison,
)
from fuzz.laws_of_powers import (
    conjugate,
    expand_square,
    fourth_root,
    into_root,
    merge_roots,
    reciprocal_power,
    root_law,
    root_of_square,
    shift_exponent,
    square_of_power,
    square_of_root,
)
from fuzz.laws_of_sums import (
    add_and_subtract,
    by_positive,
    common_denominator,
    commute,
    difference_of_squares,
    distribute,
    double_reciprocal,
    factor_out,
    join_denominators,
    odd_number,
    opaque,
    regroup,
    split_fraction,
    twice_half,
)
from fuzz.trees import SCOPE, Tree, choice, put, sites, size, variables

Rule = Callable[[Tree, random.Random], Tree | None]
_LARGEST = 220  # nodes


def rewritten(tree: Tree, rng: random.Random, times: int) -> tuple[Tree, tuple[str, ...]]:
    """Return an equal expression, and the rules that were applied."""
    used: list[str] = []
    tries = 0
    while len(used) < times and tries < 40 * times and size(tree) < _LARGEST:
        tries += 1
        path, node = rng.choice(list(sites(tree)))
        fitting = [r for tag in (node[0], "any") for r in RULES.get(tag, ())]
        if node[0] in ("compare", "and", "or", "not"):
            fitting = list(RULES.get(node[0], ()))
        if not fitting:
            continue
        rule = rng.choice(fitting)
        new = rule(node, rng)
        if new is not None and new != node:
            tree = put(tree, path, new)
            used.append(rule.__name__)
    return tree, tuple(used)


def case_split(t: Tree, rng: random.Random) -> Tree | None:
    """Return a choice between a tree and what a rule makes of it."""
    other, _ = rewritten(t, rng, 1) if size(t) < 40 else (t, ())
    pool = tuple(variables(t)) or tuple(sorted(SCOPE.get()))
    return choice(condition(rng, pool), t, other)


_ALL: tuple[Rule, ...] = (
    *(by_positive, by_positive, add_and_subtract, twice_half, case_split, double_reciprocal),
    *(root_of_square, fourth_root, as_difference, as_sign_times_abs),
)
_LARGEST_OF_TWO: tuple[Rule, ...] = (
    *(commute, max_by_abs, max_by_choice, max_by_min, max_shifted, max_scaled, max_squared),
    *(into_choice, max_by_abs),
)
RULES: dict[str, tuple[Rule, ...]] = {
    "any": _ALL,
    "add": (
        *(commute, regroup, factor_out, common_denominator, into_choice, difference_of_squares),
        *(commute, factor_out, common_denominator),
    ),
    "mul": (
        *(commute, regroup, distribute, split_fraction, join_denominators, into_root),
        *(merge_roots, into_choice, distribute, split_fraction),
    ),
    "power": (
        *(expand_square, square_of_root, root_law, root_law, conjugate, shift_exponent),
        *(shift_exponent, square_of_power, reciprocal_power, into_choice),
    ),
    "max": _LARGEST_OF_TWO,
    "min": _LARGEST_OF_TWO,
    "abs": (abs_otherwise, abs_otherwise, abs_of_product, into_choice),
    "sign": (sign_otherwise, sign_otherwise, abs_of_product, into_choice),
    "choice": (turn_choice, same_branch),
    "number": (odd_number,),
    "norm": (opaque,),
    "compare": (turn_comparison,),
    "and": (de_morgan,),
    "or": (de_morgan,),
}
"""Rules by the tag of the node they apply to."""
