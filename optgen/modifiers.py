"""Functions from rule to rule: what can be added to more than one optimizer.

Each works on the rule as data and returns a new spec whose `full_name` ends in
`+modifier`. `name` gives the short name that users type.
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from optgen.arithmetic import arrange, names
from optgen.assignment import caller
from optgen.errors import SpecError
from optgen.spec import Assignment, Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    Max,
    exp_avg_sq,
    grad,
    lr,
    max_exp_avg_sq,
    norm,
    param,
    symbol,
    weight_decay,
)

__all__ = ["amsgrad", "decoupled_decay", "l2", "penalty_gradient"]


def penalty_gradient() -> sympy.Expr:
    """Return the gradient of the penalty `weight_decay/2 * norm(param)**2`, by differentiation."""
    return sympy.diff(weight_decay / 2 * norm(param) ** 2, param)


def l2(
    spec: OptimizerSpec,
    *,
    default: str = "1e-2",
    name: str = "",
    summary: str = "",
    references: tuple[Reference, ...] = (),
    notes: tuple[str, ...] = (),
) -> OptimizerSpec:
    """Add the gradient of `weight_decay/2 * norm(param)**2` to the gradient (coupled decay).

    The term then passes through everything the rule does to a gradient, moments
    and preconditioner included.
    """
    regularized = symbol("grad_regularized")
    penalized = Let(regularized, grad + penalty_gradient(), doc="gradient of loss plus penalty")
    return _modified(
        spec,
        "l2",
        name,
        summary or f"{spec.summary.rstrip('.')}, with an L2 penalty in the loss.",
        hyperparameters=_with_decay(spec, default, "factor of the L2 penalty"),
        rule=(penalized, *(_rename(a, grad, regularized) for a in spec.rule)),
        choices=_choose(spec, "decay", "l2"),
        references=references,
        notes=notes,
    )


def decoupled_decay(
    spec: OptimizerSpec,
    *,
    default: str = "1e-2",
    name: str = "",
    summary: str = "",
    references: tuple[Reference, ...] = (),
    notes: tuple[str, ...] = (),
) -> OptimizerSpec:
    """Shrink the parameter by `lr*weight_decay` before the step; the gradient is not touched."""
    _require(spec, lr, "decoupled_decay")
    shrink = Set(param, param - lr * weight_decay * param, doc="decay, before the step")
    return _modified(
        spec,
        "decoupled_decay",
        name,
        summary or f"{spec.summary.rstrip('.')}, with decay applied to the parameter.",
        hyperparameters=_with_decay(spec, default, "decay per step is lr*weight_decay"),
        rule=(shrink, *spec.rule),
        choices=_choose(spec, "decay", "decoupled, times lr, before the step"),
        references=references,
        notes=notes,
    )


def amsgrad(
    spec: OptimizerSpec,
    *,
    name: str = "",
    summary: str = "",
    references: tuple[Reference, ...] = (),
    notes: tuple[str, ...] = (),
) -> OptimizerSpec:
    """Divide by the largest second moment so far; the maximum is taken before bias correction."""
    writes = [i for i, a in enumerate(spec.rule) if isinstance(a, Set) and a.target == exp_avg_sq]
    if not writes:
        raise SpecError(
            f"amsgrad needs a rule that writes exp_avg_sq, and '{spec.name}' does not",
            where=caller(),
            fix="apply it to adam or to one of its relatives",
        )
    cut = writes[-1] + 1
    largest = Set(max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq))
    state = StateBuffer(max_exp_avg_sq, domain="[0, oo)", doc="largest exp_avg_sq so far")
    after = tuple(_rename(a, exp_avg_sq, max_exp_avg_sq) for a in spec.rule[cut:])
    return _modified(
        spec,
        "amsgrad",
        name,
        summary or f"{spec.summary.rstrip('.')}, with a second moment that never shrinks.",
        state=(*spec.state, state),
        rule=(*spec.rule[:cut], largest, *after),
        choices=_choose(spec, "max", "before bias correction"),
        references=references,
        notes=notes,
    )


def _with_decay(spec: OptimizerSpec, default: str, doc: str) -> tuple[Hyperparameter, ...]:
    if any(h.symbol == weight_decay for h in spec.hyperparameters):
        raise SpecError(
            f"'{spec.name}' has a weight_decay already",
            where=caller(),
            fix="apply l2 or decoupled_decay, and that once",
        )
    return (*spec.hyperparameters, Hyperparameter(weight_decay, default, "[0, oo)", doc))


def _choose(spec: OptimizerSpec, axis: str, choice: str) -> tuple[tuple[str, str], ...]:
    """Return the choices of a rule with one of them made anew, in its place."""
    return tuple({**dict(spec.choices), axis: choice}.items())


def _rename(assignment: Assignment, old: sympy.Symbol, new: sympy.Symbol) -> Assignment:
    return replace(assignment, value=assignment.value.xreplace({old: new}))


def _require(spec: OptimizerSpec, needed: sympy.Symbol, modifier: str) -> None:
    if not any(needed.name in names(arrange(a.value)) for a in spec.rule):
        raise SpecError(
            f"{modifier} needs a rule that uses '{needed}', and '{spec.name}' does not",
            where=caller(),
            fix=f"declare {needed} as a hyperparameter of '{spec.name}'",
        )


def _modified(
    spec: OptimizerSpec,
    modifier: str,
    name: str,
    summary: str,
    *,
    references: tuple[Reference, ...],
    notes: tuple[str, ...],
    **changes: object,
) -> OptimizerSpec:
    full_name = f"{spec.full_name}+{modifier}"
    return replace(
        spec,
        name=name or full_name,
        full_name=full_name,
        summary=summary,
        references=(*spec.references, *references),
        notes=(*spec.notes, *notes),
        **changes,  # type: ignore[arg-type]
    )
