"""C: the host program of a rule, in float64, one function per arithmetic type.

What stages read of the step and the hyperparameters is computed here as the NumPy modules
compute it in Python: the same operations in the same order, rounded once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optgen.backends.expressions import C_TYPES, HELPERS, CPrinter, helper
from optgen.backends.layout import comment
from optgen.ir import Argument, DType, Expr, Kernel, Operation, reads, stage_expressions
from optgen.render import render

_WORDS = (
    ("seed", "(uint32_t)seed"),
    ("step_low", "(uint32_t)(uint64_t)step"),
    ("step_high", "(uint32_t)((uint64_t)step >> 32)"),
)


@dataclass(frozen=True, slots=True)
class _Host:
    """What templates/c/host.c.jinja reads: ready strings."""

    entry: str
    struct: str
    checks: tuple[str, ...]
    body: tuple[str, ...]


def helper_functions(kernels: Iterable[Kernel]) -> list[str]:
    """Return the functions that several kernels and hosts may share: each once per type."""
    used: dict[tuple[str, DType], None] = {}
    for kernel in kernels:
        host = (a.value for a in kernel.host)
        stages = (e for s in kernel.stages for e in stage_expressions(s))
        used |= {(name, DType.FLOAT64): None for name in _helpers(host)}
        used |= {(name, kernel.arithmetic): None for name in _helpers(stages)}
    return [helper(name, dtype) for name, dtype in used]


def _helpers(exprs: Iterable[Expr]) -> list[str]:
    return sorted({name for expr in exprs for name in _operations(expr)} & {*HELPERS})


def _operations(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Operation):
        yield expr.name
        for operand in expr.operands:
            yield from _operations(operand)


def host_function(kernel: Kernel, base: str, struct: str) -> str:
    """Return the function that fills the argument struct.

    Args:
        kernel: The kernel.
        base: What the names of its functions begin with.
        struct: The name of the struct.
    """
    printer = CPrinter(DType.FLOAT64, lambda name: name)
    used = {name for a in kernel.host for name in reads(a.value)} | {*kernel.scalars}
    used |= {"seed"} if kernel.random else set()
    written = {a.target for a in kernel.host}
    given = [(a.name, f"hyperparameters[{i}]") for i, a in enumerate(kernel.arguments)]
    given += [(s.name, f"scalar_states[{i}]") for i, s in enumerate(kernel.scalar_states)]
    loads = [
        f"{'' if name in written else 'const '}double {name} = {value};"
        for name, value in given
        if name in used
    ]
    local = {name for name, _ in given} & used | {"step", "numel"}
    checks = [
        f"if (!({_condition(a, f'hyperparameters[{i}]')})) return {i + 1};"
        for i, a in enumerate(kernel.arguments)
    ]
    checks += [
        f"if (hyperparameters[{i}] != 0.0 && fabs(hyperparameters[{i}]) <= 0x1p-150) "
        f"return {i + 1}; /* 0 in float */"
        for i, a in enumerate(kernel.arguments)
        if a.name in kernel.scalars and kernel.arithmetic is DType.FLOAT32
    ]
    computed: list[str] = []
    for assign in kernel.host:
        if assign.formula:
            computed += comment(assign.formula, "//", 2)
        declare = "" if assign.target in local else "const double "
        if assign.target not in local and sum(a.target == assign.target for a in kernel.host) > 1:
            declare = "double "
        computed.append(f"{declare}{assign.target} = {printer.expression(assign.value)};")
        local.add(assign.target)
    ctype = C_TYPES[kernel.arithmetic]
    cast = "" if kernel.arithmetic is DType.FLOAT64 else f"({ctype})"
    computed += [
        f"scalar_states[{i}] = {s.name};"
        for i, s in enumerate(kernel.scalar_states)
        if s.name in written
    ]
    computed += [f"args->{name} = {cast}{name};" for name in kernel.scalars]
    if kernel.random:
        computed += [f"args->{name} = {value};" for name, value in _WORDS]
    return render(
        "c/host.c.jinja",
        _Host(f"{base}_host", struct, tuple(checks), (*loads, *computed)),
    )


def _condition(argument: Argument, value: str) -> str:
    """Return the condition of an argument, in Python a chain of two comparisons, as C."""
    if argument.flag:
        return f"{value} == 0.0 || {value} == 1.0"
    low, above, _, below, high = argument.condition.replace("np.inf", "INFINITY").split(" ")
    return f"{low} {above} {value} && {value} {below} {high}"
