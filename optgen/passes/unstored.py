"""Takes a storage mix out of a kernel again, as the real numbers see it.

In: the kernel of a mix. Out: a kernel whose arrays have the arithmetic type. Over the reals
no rounding does anything, a master copy is the parameter, and what rounding took off is 0,
at the start and after every step: `store_as` is undone, by its output alone.
"""

from __future__ import annotations

from dataclasses import replace

from optgen.errors import InternalError
from optgen.ir import ROUNDINGS, Assign, Elementwise, Expr, Kernel, Operation, Ref, Stage
from optgen.passes.storage import COMPENSATION, FULL, MASTER
from optgen.validate import validate

_PARAM = "param"


def without_storage(kernel: Kernel) -> Kernel:
    """Return a kernel without its storage mix; one that has none as it is.

    Raises:
        InternalError: What is kept of the parameter beside it is no copy and no compensation.
    """
    if not kernel.mixed:
        return kernel
    kept = [b for b in kernel.buffers if b.name not in (MASTER, COMPENSATION)]
    order = tuple(b.name for b in kept)
    plain = replace(
        kernel,
        buffers=tuple(replace(b, dtype=kernel.arithmetic) for b in kept),
        arguments=tuple(a for a in kernel.arguments if a.name != "seed" or not kernel.random),
        stages=tuple(_stage(stage, order) for stage in kernel.stages),
        mix="",
    )
    return validate(plain, "without_storage")


def _stage(stage: Stage, order: tuple[str, ...]) -> Stage:
    if not isinstance(stage, Elementwise):
        return stage
    body = []
    for assign in stage.body:
        value = _exact(assign.value)
        target = _name(assign.target)
        if value == Ref(target):
            continue  # a rounding, a copy
        if assign.target == COMPENSATION:
            if value != Operation("sub", (Ref(_PARAM), Ref(_PARAM))):
                raise InternalError(f"{COMPENSATION} is not what rounding takes off")
        else:
            body.append(Assign(target, value, assign.formula))
    loads, stores = ({_name(name) for name in names} for names in (stage.loads, stage.stores))
    return Elementwise(
        tuple(name for name in order if name in loads),
        tuple(body),
        tuple(name for name in order if name in stores),
        tuple(replace(r, value=_exact(r.value)) for r in stage.reductions),
    )


def _name(name: str) -> str:
    return _PARAM if name in (MASTER, FULL) else name


def _exact(expr: Expr) -> Expr:
    """Return an expression without roundings to types of storage."""
    if isinstance(expr, Ref):
        return Ref(_name(expr.name))
    if not isinstance(expr, Operation):
        return expr
    if expr.name in ROUNDINGS:
        return _exact(expr.operands[0])
    operands = tuple(map(_exact, expr.operands))
    if expr.name == "add" and operands[1] == Ref(COMPENSATION):
        return operands[0]
    return Operation(expr.name, operands)
