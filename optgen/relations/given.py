"""Substitutions for `relate`: values on both sides, over the hyperparameters on the left."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from optgen.domains import Domain
from optgen.errors import UsageError
from optgen.relations.maps import Pair
from optgen.spec import OptimizerSpec
from optgen.verify.given import read_given


def read_pair(left: OptimizerSpec, right: OptimizerSpec, given: Sequence[str]) -> Pair:
    """Return two rules with what is given put in.

    Raises:
        UsageError: A substitution cannot be read or used, or the rules are given different
            things at each step.
    """
    inputs = [{str(s.name) for s in spec.inputs} for spec in (left, right)]
    if inputs[0] != inputs[1]:
        only = sorted(inputs[0] ^ inputs[1])
        raise UsageError(
            f"only one of {left.name} and {right.name} is given {', '.join(only)} at each step",
            where=f"{left.name} and {right.name}",
            fix="relate rules whose steps are given the same",
        )
    read = read_given(left, right, given)
    named = {(side, name) for text in given for side, name in _targets(text)}
    values = dict(read.values["left"])
    base: dict[str, Domain] = {}
    for hyper in left.hyperparameters:
        if ("left", hyper.name) not in named:
            assert isinstance(hyper.domain, Domain)
            base[str(values[hyper.name])] = hyper.domain
    fixed: dict[str, sympy.Expr] = {
        h.name: read.values["right"][h.name]
        for h in right.hyperparameters
        if ("right", h.name) in named
    }
    for name, value in (*values.items(), *fixed.items()):
        strange = sorted({str(s) for s in value.free_symbols} - set(base))
        if strange:
            raise UsageError(
                f"'{name}' is given by {', '.join(strange)} of {right.name}, which is sought",
                where=f"{name}={value}",
                fix=f"use numbers and hyperparameters of {left.name}",
            )
    return Pair(left, right, values, base, fixed)


def _targets(text: str) -> list[tuple[str, str]]:
    """Return the sides and the name that a substitution is for."""
    side, dot, name = text.partition("=")[0].strip().rpartition(".")
    return [(side, name)] if dot else [("left", name), ("right", name)]
