"""What happens to a gradient before the rule sees it, in the same trip over memory.

In: a kernel that reads `grad`. Out: one that reads `scaled_grad = grad_factor*grad`, where
`grad_factor` is a host value of three more arguments: the gradient is divided by `grad_scale`
(loss scaling), multiplied by `clip_coef` (clipping by a norm) and turned around by `maximize`.
With their defaults the factor is 1 and changes no bit. It belongs to kernels, not to rules: a
kernel is proved to be its rule at the scaled gradient.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from optgen.ir import Argument, Assign, Elementwise, Expr, Kernel, Literal, Operation, Ref, Stage

FACTOR, SCALED = "grad_factor", "scaled_grad"
ARGUMENTS = (
    Argument(
        name="grad_scale",
        default=Fraction(1),
        domain="(0, oo)",
        condition="0.0 < grad_scale < np.inf",
        doc="the gradient is divided by it",
    ),
    Argument(
        name="clip_coef",
        default=Fraction(1),
        domain="[0, oo)",
        condition="0.0 <= clip_coef < np.inf",
        doc="the gradient is multiplied by it",
    ),
    Argument(
        name="maximize",
        default=Fraction(0),
        domain="False or True",
        condition="maximize in (0.0, 1.0)",
        doc="whether to walk up instead of down: the gradient is turned around",
        flag=True,
    ),
)
"""Arguments of every kernel, behind those of its rule."""
FORMULA = "(1 - 2*maximize)*clip_coef/grad_scale"


def _factor() -> Expr:
    """Return `FORMULA`; only the division rounds."""
    doubled = Operation("mul", (Literal(Fraction(2)), Ref("maximize")))
    sign = Operation("sub", (Literal(Fraction(1)), doubled))
    clipped = Operation("mul", (sign, Ref("clip_coef")))
    return Operation("div", (clipped, Ref("grad_scale")))


def prologue(kernel: Kernel) -> Kernel:
    """Let a kernel scale its gradient first."""
    return replace(
        kernel,
        arguments=(*kernel.arguments, *ARGUMENTS),
        host=(*kernel.host, Assign(FACTOR, _factor(), f"{FACTOR} = {FORMULA}")),
        stages=tuple(_scaled(stage) for stage in kernel.stages),
    )


_SCALING = Assign(SCALED, Operation("mul", (Ref(FACTOR), Ref("grad"))), f"{SCALED} = {FACTOR}*grad")


def _scaled(stage: Stage) -> Stage:
    if not isinstance(stage, Elementwise) or "grad" not in stage.loads:
        return stage
    body = tuple(replace(a, value=_renamed(a.value, "grad", SCALED)) for a in stage.body)
    sums = tuple(replace(r, value=_renamed(r.value, "grad", SCALED)) for r in stage.reductions)
    return replace(stage, body=(_SCALING, *body), reductions=sums)


def _renamed(expr: Expr, old: str, new: str) -> Expr:
    match expr:
        case Ref(name):
            return Ref(new) if name == old else expr
        case Operation(name, operands):
            return Operation(name, tuple(_renamed(o, old, new) for o in operands))
    return expr


def without_prologue(kernel: Kernel) -> Kernel:
    """Return the kernel that `prologue` was given; a kernel without one as it is.

    What is no prologue of this form, a second reading of the gradient say, stays where it is.
    """
    names = {a.name for a in ARGUMENTS}
    if kernel.arguments[-len(ARGUMENTS) :] != ARGUMENTS:
        return kernel
    stages: list[Stage] = []
    for stage in kernel.stages:
        if isinstance(stage, Elementwise) and stage.body[:1] == (_SCALING,):
            body = tuple(
                replace(a, value=_renamed(a.value, SCALED, "grad")) for a in stage.body[1:]
            )
            sums = tuple(
                replace(r, value=_renamed(r.value, SCALED, "grad")) for r in stage.reductions
            )
            bare = replace(stage, body=body, reductions=sums)
            if _scaled(bare) == stage:
                stage = bare
        stages.append(stage)
    return replace(
        kernel,
        arguments=tuple(a for a in kernel.arguments if a.name not in names),
        host=tuple(a for a in kernel.host if a.target != FACTOR),
        stages=tuple(stages),
    )
