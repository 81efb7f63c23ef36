"""Is a kernel well formed? Runs after lowering and after every pass, always."""

from __future__ import annotations

from optgen.errors import InternalError
from optgen.ir import (
    OPERATIONS,
    RANDOM,
    ROUNDINGS,
    Elementwise,
    Expr,
    Kernel,
    Operation,
    Scalars,
    kind,
    reads,
)


def validate(kernel: Kernel, after: str, *, hoisted: bool = True) -> Kernel:
    """Return the kernel unchanged, or say what is wrong with it.

    Args:
        kernel: The kernel to look at.
        after: The pass that made it, for the message.
        hoisted: Whether host arithmetic must have left the stages.

    Raises:
        InternalError: An invariant of `optgen.ir` does not hold.
    """
    problem = _first_problem(kernel, hoisted)
    if problem:
        raise InternalError(f"kernel {kernel.name} is malformed after {after}: {problem}")
    return kernel


def _first_problem(kernel: Kernel, hoisted: bool) -> str:
    defined = {"step", "numel", *(a.name for a in kernel.arguments)}
    defined |= {s.name for s in kernel.scalar_states}
    for assign in kernel.host:
        problem = _expression(assign.value, defined, on_host=True)
        if problem:
            return f"host value {assign.target}: {problem}"
        defined.add(assign.target)
    buffers = {b.name: b for b in kernel.buffers}
    if clash := defined & set(buffers):
        return f"{sorted(clash)} are both host values and buffers"
    for index, stage in enumerate(kernel.stages):
        local = set(defined)
        if isinstance(stage, Elementwise):
            if unknown := {*stage.loads, *stage.stores} - set(buffers):
                return f"stage {index} touches unknown buffers {sorted(unknown)}"
            if frozen := [s for s in stage.stores if not buffers[s].writable]:
                return f"stage {index} writes {frozen}"
            local |= {*stage.loads, *(RANDOM if kernel.mixed else ())}
        for assign in stage.body:
            problem = _expression(assign.value, local, on_host=not hoisted)
            if problem:
                return f"stage {index}, {assign.target}: {problem}"
            local.add(assign.target)
        if isinstance(stage, Elementwise):
            if missing := set(stage.stores) - {a.target for a in stage.body}:
                return f"stage {index} stores {sorted(missing)} without computing them"
            if wide := [s for s in stage.stores if not _fits(kernel, stage, s)]:
                return f"stage {index} stores {wide} without rounding them to their type"
            for reduction in stage.reductions:
                problem = _expression(reduction.value, local, on_host=not hoisted)
                if problem:
                    return f"stage {index}, sum {reduction.target}: {problem}"
                defined.add(reduction.target)
        elif isinstance(stage, Scalars):
            if missing := set(stage.exports) - {a.target for a in stage.body}:
                return f"stage {index} exports {sorted(missing)} without computing them"
            defined |= set(stage.exports)
    stored = {s for stage in kernel.stages if isinstance(stage, Elementwise) for s in stage.stores}
    if "param" not in stored:
        return "param is never stored"
    return ""


def _fits(kernel: Kernel, stage: Elementwise, name: str) -> bool:
    """Whether the last assignment to a stored name gives a value of the buffer's type."""
    dtype = kernel.buffer(name).dtype
    if dtype is kernel.arithmetic:
        return True
    last = [a.value for a in stage.body if a.target == name][-1]
    wanted = {f"to_{dtype.value}", f"to_{dtype.value}_random"} & set(ROUNDINGS)
    return isinstance(last, Operation) and last.name in wanted


def _expression(expr: Expr, defined: set[str], *, on_host: bool) -> str:
    for name in reads(expr):
        if name not in defined:
            return f"reads {name}, which has no value yet"
    return _operations(expr, on_host=on_host)


def _operations(expr: Expr, *, on_host: bool) -> str:
    if not isinstance(expr, Operation):
        return ""
    meaning = OPERATIONS.get(expr.name)
    if meaning is None:
        return f"unknown operation {expr.name}"
    if meaning.host_only and not on_host:
        return f"{expr.name} may stand on the host only"
    if len(expr.operands) != meaning.arity:
        return f"{expr.name} takes {meaning.arity} operands, not {len(expr.operands)}"
    for operand, wanted in zip(expr.operands, meaning.operands, strict=True):
        if kind(operand) != wanted:
            return f"{expr.name} takes a {wanted}, not a {kind(operand)}"
    return next((p for o in expr.operands if (p := _operations(o, on_host=on_host))), "")
