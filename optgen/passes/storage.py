"""Narrower types for the arrays of a kernel: every rounding becomes an operation.

In: a kernel, hoisted, whose buffers have the arithmetic type. Out: buffers of the mix;
each stored value is rounded to its type by the last assignment to its name. With a
master copy the rule runs on it and the parameter is its rounding; with Kahan's
compensation the rule runs on parameter plus compensation.

A state that a later stage reads is rounded where it is computed, so that a sum and
the pass that uses the sum see the same numbers. Elsewhere rounding comes last: what a
stage has in hand it uses in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from optgen.errors import UsageError
from optgen.ir import (
    RANDOM,
    Argument,
    Assign,
    Buffer,
    DType,
    Elementwise,
    Expr,
    Half,
    Kernel,
    Operation,
    Ref,
    Scalars,
    StorageType,
)
from optgen.storage import Storage
from optgen.validate import validate

MASTER, COMPENSATION = "master", "kahan_comp"
FULL = "full_param"
_ROUNDINGS = {DType.FLOAT32: "to_float32"} | {t: f"to_{t.value}" for t in Half}
_SEED = Argument(
    "seed",
    Fraction(0),
    "[0, 4294967296)",
    "0.0 <= seed < 4294967296.0",
    "chooses the random numbers of stochastic rounding; an integer, a fraction is cut off",
)
_SMALLEST_FLOAT16 = Fraction(1, 2**24)


def store_as(kernel: Kernel, storage: Storage) -> Kernel:
    """Return a kernel whose arrays have the types of a mix.

    Args:
        kernel: What `run_passes` gives for `storage.arithmetic`.
        storage: The mix.

    Raises:
        UsageError: The numbers of this rule cannot work in this mix; it says why.
    """
    if storage.uniform:
        return kernel
    _check_names(kernel, storage)
    types = {"param": storage.param, "grad": storage.grad, "input": storage.grad}
    buffers = [replace(b, dtype=types.get(b.role, storage.state)) for b in kernel.buffers]
    if storage.master is not None:
        buffers.append(Buffer(MASTER, "state", storage.master, copies="param"))
    if storage.kahan:
        buffers.append(Buffer(COMPENSATION, "state", storage.param))
    mixed = replace(
        kernel,
        name=f"{kernel.name}_{storage.identifier}",
        buffers=tuple(buffers),
        arguments=_arguments(kernel, storage),
        mix=str(storage),
    )
    if storage.master is not None:
        mixed = _on_stages(mixed, _with_master)
    if storage.kahan:
        mixed = _on_stages(mixed, _with_compensation)
    return validate(_rounded(mixed, storage), "storage")


def _check_names(kernel: Kernel, storage: Storage) -> None:
    taken = {b.name for b in kernel.buffers} | {a.name for a in kernel.arguments}
    taken |= {a.target for s in kernel.stages for a in s.body} | {a.target for a in kernel.host}
    ours = {*RANDOM, MASTER, COMPENSATION, FULL, "seed", "random", "number", "steps"}
    for name in sorted(taken & ours):
        raise UsageError(
            f"storage '{storage}' has a use of its own for the name '{name}' of {kernel.name}",
            fix=f"rename '{name}' in the rule",
        )


def _arguments(kernel: Kernel, storage: Storage) -> tuple[Argument, ...]:
    """Return the hyperparameters; eps must be a float16 where squares are kept in float16."""
    squares = kept_squares(kernel)
    if storage.rounding == "stochastic":
        states = any(b.role == "state" for b in kernel.buffers)
        if storage.param is not Half.BFLOAT16 and not states:
            raise UsageError(
                f"storage '{storage}': {kernel.name} has no state, so nothing is in bfloat16",
                fix="leave '+stochastic' out, or keep the parameter in bfloat16",
            )
        return (*kernel.arguments, _SEED)
    if storage.state is not Half.FLOAT16 or not squares:
        return kernel.arguments
    if "eps" not in {a.name for a in kernel.arguments}:
        raise UsageError(
            f"storage '{storage}': {kernel.name} keeps squares of gradients in {squares[0]}; in "
            "float16 they vanish for gradients below 0.0002, and no eps takes their place",
            fix="keep states in bfloat16 or float32",
        )
    return tuple(_above_smallest(a, squares[0]) if a.name == "eps" else a for a in kernel.arguments)


def _above_smallest(eps: Argument, state: str) -> Argument:
    least = repr(float(_SMALLEST_FLOAT16))
    return replace(
        eps,
        domain=f"[{least}, oo): {state} is kept in float16, and where its squares vanish "
        "eps alone divides; it must not be below the smallest float16",
        condition=f"{least} <= eps < np.inf",
    )


def kept_squares(kernel: Kernel) -> tuple[str, ...]:
    """Return the states that hold squares of gradients, or higher powers."""
    degrees = {b.name: Fraction(int(b.role == "grad")) for b in kernel.buffers}
    for _ in range(2):  # a state may be read above the line that writes it
        for stage in kernel.stages:
            for assign in stage.body:
                degrees[assign.target] = _degree(assign.value, degrees)
    return tuple(b.name for b in kernel.buffers if b.role == "state" and degrees[b.name] >= 2)


def _degree(expr: Expr, degrees: dict[str, Fraction]) -> Fraction:
    """Return the highest power of the gradient's size with which an expression grows."""
    if isinstance(expr, Ref):
        return degrees.get(expr.name, Fraction(0))
    if not isinstance(expr, Operation):
        return Fraction(0)
    found = [_degree(o, degrees) for o in expr.operands]
    match expr.name:
        case "mul":
            return sum(found, Fraction(0))
        case "div":
            return found[0] - found[1]
        case "sqrt":
            return found[0] / 2
        case "sign":
            return Fraction(0)
        case "select":
            return max(found[1:])
        case _:
            return max(found)


@dataclass(frozen=True, slots=True)
class _Around:
    """What to put around a stage that reads or writes the parameter."""

    kernel: Kernel
    stage: Elementwise

    def renamed(self, name: str) -> tuple[Assign, ...]:
        """Return the body on another name than `param`."""
        return tuple(
            replace(
                a,
                target=name if a.target == "param" else a.target,
                value=_rename(a.value, name),
            )
            for a in self.stage.body
        )

    def with_buffers(
        self, loads: set[str], body: tuple[Assign, ...], stores: set[str], name: str
    ) -> Elementwise:
        """Return the stage on another name, its buffers in the order of the signature."""
        ordered = [b.name for b in self.kernel.buffers]
        return Elementwise(
            tuple(n for n in ordered if n in loads),
            body,
            tuple(n for n in ordered if n in stores),
            tuple(replace(r, value=_rename(r.value, name)) for r in self.stage.reductions),
        )


def _on_stages(kernel: Kernel, change: Callable[[_Around], Elementwise]) -> Kernel:
    stages = tuple(
        change(_Around(kernel, s))
        if isinstance(s, Elementwise) and "param" in {*s.loads, *s.stores}
        else s
        for s in kernel.stages
    )
    return replace(kernel, stages=stages)


def _with_master(around: _Around) -> Elementwise:
    stage = around.stage
    loads, stores, body = set(stage.loads), set(stage.stores), around.renamed(MASTER)
    if "param" in loads:
        loads = loads - {"param"} | {MASTER}
    if "param" in stores:
        stores |= {MASTER}
        body += (Assign("param", Ref(MASTER), "the parameter is its master copy, rounded"),)
    return around.with_buffers(loads, body, stores, MASTER)


def _with_compensation(around: _Around) -> Elementwise:
    stage = around.stage
    loads, stores, body = set(stage.loads), set(stage.stores), around.renamed(FULL)
    if "param" in loads:
        loads |= {COMPENSATION}
        before = Operation("add", (Ref("param"), Ref(COMPENSATION)))
        body = (Assign(FULL, before, "the parameter, and what rounding took off it"), *body)
    if "param" in stores:
        stores |= {COMPENSATION}
        rounding = _ROUNDINGS[around.kernel.buffer("param").dtype]
        left = Operation("sub", (Ref(FULL), Ref("param")))
        body += (
            Assign("param", Operation(rounding, (Ref(FULL),))),
            Assign(COMPENSATION, left, "what rounding takes off now"),
        )
    return around.with_buffers(loads, body, stores, FULL)


def _rename(expr: Expr, name: str) -> Expr:
    if isinstance(expr, Ref):
        return Ref(name) if expr.name == "param" else expr
    if isinstance(expr, Operation):
        return Operation(expr.name, tuple(_rename(o, name) for o in expr.operands))
    return expr


def _rounded(kernel: Kernel, storage: Storage) -> Kernel:
    """Round what is stored: at once where a later stage reads it, else when all is computed."""
    stages = list(kernel.stages)
    lanes = _lanes(kernel, storage)
    for index, stage in enumerate(stages):
        if isinstance(stage, Scalars):
            continue
        later = {n for s in stages[index + 1 :] if isinstance(s, Elementwise) for n in s.loads}
        body, last = list(stage.body), []
        for name in stage.stores:
            dtype = kernel.buffer(name).dtype
            if dtype is kernel.arithmetic or _is_rounded(body, name, dtype):
                continue
            rounding = _ROUNDINGS[dtype]
            given: tuple[Expr, ...] = (Ref(name),)
            if name in lanes:
                rounding, given = f"{rounding}_random", (Ref(name), Ref(lanes[name]))
            assign = Assign(name, Operation(rounding, given))
            if name in later:
                at = max(i for i, a in enumerate(body) if a.target == name)
                body.insert(at + 1, assign)
            else:
                last.append(assign)
        stages[index] = replace(stage, body=(*body, *last))
    return replace(kernel, stages=tuple(stages))


def _lanes(kernel: Kernel, storage: Storage) -> dict[str, str]:
    """Return the random number of each array that is rounded stochastically."""
    if storage.rounding == "nearest":
        return {}
    names = [b.name for b in kernel.buffers if b.writable and b.dtype is Half.BFLOAT16]
    if len(names) > len(RANDOM):
        raise UsageError(
            f"storage '{storage}': {kernel.name} writes {len(names)} arrays in bfloat16, and an "
            f"element has {len(RANDOM)} random numbers",
            fix="keep states in float32",
        )
    return dict(zip(names, RANDOM, strict=False))


def _is_rounded(body: list[Assign], name: str, dtype: StorageType) -> bool:
    """Whether the last assignment to a name rounds it to its type already."""
    last = [a.value for a in body if a.target == name][-1]
    return isinstance(last, Operation) and last.name == _ROUNDINGS[dtype]
