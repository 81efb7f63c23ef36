"""The invariants of a spec, one function each; every error says what, where and how to mend it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy

from optgen.arithmetic import Call, Node, Number, Power, arrange, children
from optgen.assignment import Let, Set
from optgen.errors import Location, SpecError, nearest
from optgen.roles import Role, role_of, roles
from optgen.symbols import REDUCTIONS, grad, param, step
from optgen.symbols import symbol as make

if TYPE_CHECKING:
    from optgen.assignment import Assignment
    from optgen.spec import OptimizerSpec

_NAME = re.compile(r"[a-z][a-z0-9_]*(:[a-z][a-z0-9_]*)?(\+[a-z][a-z0-9_]*)*")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_C_WORDS = frozenset(
    """alignas alignof auto bool break case catch char class const constexpr const_cast continue
    decltype default delete do double dynamic_cast else enum explicit export extern false float for
    friend goto if inline int long mutable namespace new noexcept nullptr operator private protected
    public register reinterpret_cast restrict return short signed sizeof static static_assert
    static_cast struct switch template this thread_local throw true try typedef typeid typename
    union unsigned using virtual void volatile wchar_t while main asm NULL typeof inline""".split()
)
_CUDA_WORDS = frozenset(
    "blockDim blockIdx gridDim threadIdx warpSize float2 float4 double2 double4 dim3".split()
)
_GENERATED_WORDS = frozenset(
    """aligned args at block blocks chunk chunks count dtype element first grid half hyperparameters
    index init kind lane lanes map mask n np numel numpy part partials range result row scalars
    slice slot start state stop stride tensor tensors total unknown value vectors width
    work grad_scale clip_coef maximize found_inf grad_factor scaled_grad""".split()
)
"""Names that generated code uses for itself."""
_FUNCTION_WORDS = frozenset(
    """abs copysign exp fabs fabsf fmax fmaxf fmin fminf isnan log max mean min norm pow powf round
    sign sqrt sqrtf""".split()
)
"""Functions of the C library and of the notation of rules."""
_SUFFIXES = ("_v", "_e", "_sum", "_chunk")
"""What generated code adds to a name: a vector of it, one element, its sum, a part of that."""


def reserved(name: str) -> str:
    """Return the language that reserves `name`, or an empty string."""
    if keyword.iskeyword(name) or name in ("None", "True", "False"):
        return "Python"
    if name in _C_WORDS:
        return "C"
    if name in _CUDA_WORDS:
        return "CUDA"
    if name in _FUNCTION_WORDS:
        return "mathematics"
    workspace = re.fullmatch(r"(row|mask)\d+", name)
    return "generated code" if workspace or name in _GENERATED_WORDS else ""


def check_spec(spec: OptimizerSpec) -> None:
    """Raise a `SpecError` for the first invariant that does not hold."""
    _check_name(spec)
    _check_symbols(spec)
    for index, assignment in enumerate(spec.rule):
        _check_value(spec, index, assignment)
    _check_order(spec)
    _check_query(spec)
    _check_use(spec)
    _check_roles(spec)


def _place(spec: OptimizerSpec, index: int) -> str:
    assignment = spec.rule[index]
    return f"{assignment.location or spec.location}, rule {index + 1} ({assignment.name})"


def _check_name(spec: OptimizerSpec) -> None:
    for name in (spec.name, spec.full_name):
        if not _NAME.fullmatch(name):
            raise SpecError(
                f"'{name}' is not a name for a rule",
                where=spec.location,
                fix="write family[:variant][+modifier], in lower-case letters, digits and _",
            )
    if word := reserved(spec.identifier):
        raise SpecError(
            f"'{spec.name}' is a reserved word of {word}",
            where=spec.location,
            fix=f"rename the rule, for example to '{spec.name}_rule'",
        )
    if not spec.summary.strip():
        raise SpecError(
            f"rule '{spec.name}' has no summary",
            where=spec.location,
            fix="say in one sentence what it does",
        )


def _declared(spec: OptimizerSpec) -> Iterator[tuple[sympy.Symbol, str, Location | None]]:
    for symbol in (param, grad, step):
        yield symbol, "a symbol of every rule", spec.location
    for symbol in spec.inputs:
        yield symbol, "an input", spec.location
    for hyperparameter in spec.hyperparameters:
        yield hyperparameter.symbol, "a hyperparameter", hyperparameter.location
    for buffer in spec.state:
        yield buffer.symbol, "a state", buffer.location
    seen: set[sympy.Symbol] = set()
    for assignment in spec.rule:
        if isinstance(assignment, Let) and assignment.target not in seen:
            seen.add(assignment.target)
            yield assignment.target, "a Let", assignment.location


def _check_symbols(spec: OptimizerSpec) -> None:
    known: dict[str, tuple[sympy.Symbol, str]] = {}
    for symbol, role, where in _declared(spec):
        name = symbol.name
        if name in known:
            first = known[name][1]
            roles = f", both times as {role}" if role == first else f": as {first} and as {role}"
            raise SpecError(
                f"'{name}' is declared twice{roles}",
                where=where,
                fix="rename one of the two",
            )
        known[name] = (symbol, role)
        if not _IDENTIFIER.fullmatch(name):
            raise SpecError(
                f"'{name}' is not an identifier",
                where=where,
                fix="use letters, digits and _, beginning with a letter",
            )
        if word := reserved(name):
            raise SpecError(
                f"'{name}' is a reserved word of {word}",
                where=where,
                fix=f"rename it, for example to '{name}_'",
            )
        if symbol != make(name):
            raise SpecError(
                f"'{name}' is not the symbol of this name that other rules use",
                where=where,
                fix=f"make it with optgen.symbols.symbol('{name}')",
            )
    for name, (_, role) in known.items():
        for suffix in _SUFFIXES:
            if name.endswith(suffix) and name.removesuffix(suffix) in known:
                raise SpecError(
                    f"'{name}' ({role}) is what generated code makes of"
                    f" '{name.removesuffix(suffix)}'",
                    where=spec.location,
                    fix=f"choose another name than '{name}'",
                )
    for index, assignment in enumerate(spec.rule):
        symbols = assignment.value.free_symbols | {assignment.target}
        for symbol in sorted(symbols, key=str):
            declared = known.get(symbol.name)
            if declared is not None and declared[0] != symbol:
                raise SpecError(
                    f"two different symbols are called '{symbol.name}' (their assumptions differ)",
                    where=_place(spec, index),
                    fix="make every symbol with optgen.symbols.symbol('...')",
                )


def _check_value(spec: OptimizerSpec, index: int, assignment: Assignment) -> None:
    try:
        arrange(assignment.value)
    except SpecError as error:
        raise SpecError(error.what, where=_place(spec, index), fix=error.fix) from None
    for call in sorted(assignment.value.atoms(*REDUCTIONS), key=str):
        if not call.args[0].is_Symbol:
            raise SpecError(
                f"'{call}' reduces an expression without a name",
                where=_place(spec, index),
                fix="name the reduced value with a Let first",
            )
        if call != assignment.value or not isinstance(assignment, Let):
            raise SpecError(
                f"'{call}' stands inside an expression, or its value has no name",
                where=_place(spec, index),
                fix=f"write Let(..., {call}) above, and use its name here",
            )


def _check_order(spec: OptimizerSpec) -> None:
    """Every read is of something declared or written above; every write is allowed."""
    states = {buffer.symbol for buffer in spec.state}
    known = {param, grad, step, *spec.inputs, *states}
    known |= {h.symbol for h in spec.hyperparameters}
    lets = {a.target for a in spec.rule if isinstance(a, Let)}
    written: set[sympy.Symbol] = set()
    for index, assignment in enumerate(spec.rule):
        for symbol in sorted(assignment.value.free_symbols - known - written, key=str):
            later = "it is set further down" if symbol in lets else "nothing declares it"
            close = nearest(symbol.name, (s.name for s in known | written))
            raise SpecError(
                f"'{symbol}' is read before it is set: {later}",
                where=_place(spec, index),
                fix="move its Let above this line"
                if symbol in lets
                else close or "declare it as a hyperparameter or a state, or set it with a Let",
            )
        is_let = isinstance(assignment, Let)
        if is_let and assignment.target in written:
            raise SpecError(
                f"'{assignment.name}' is set by two Lets",
                where=_place(spec, index),
                fix="give the second value a name of its own",
            )
        if not is_let and assignment.target not in states | {param}:
            raise SpecError(
                f"'{assignment.name}' is neither the parameter nor a state",
                where=_place(spec, index),
                fix="declare it as a StateBuffer, or use Let for an intermediate value",
            )
        written.add(assignment.target)


def _check_roles(spec: OptimizerSpec) -> None:
    """What is reduced has a value per element; what depends on elements has constant exponents."""
    known = roles(spec)
    for index, assignment in enumerate(spec.rule):
        for node in _walk(arrange(assignment.value)):
            match node:
                case Call(function, (argument,)) if (
                    function in _REDUCTIONS and role_of(argument, known) is not Role.ELEMENT
                ):
                    raise SpecError(
                        f"'{assignment.value}' reduces what has no value per element",
                        where=_place(spec, index),
                        fix="reduce the parameter, the gradient, a state or what is made of them",
                    )
                case Power(_, exponent) if (
                    not isinstance(exponent, Number) and role_of(node, known) is not Role.HOST
                ):
                    raise SpecError(
                        "a power whose exponent is no constant depends on the elements of a tensor",
                        where=_place(spec, index),
                        fix="use integer powers and sqrt",
                    )


_REDUCTIONS = frozenset(r.__name__ for r in REDUCTIONS)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _walk(child)


def _check_query(spec: OptimizerSpec) -> None:
    """The gradient is taken at a point that is known before the step."""
    known = {symbol for symbol, role, _ in _declared(spec) if role != "a Let"} - {grad}
    for symbol in sorted(spec.query.free_symbols - known, key=str):
        raise SpecError(
            f"the query reads '{symbol}', which has no value before the step",
            where=spec.location,
            fix="write it with param, states, step and hyperparameters",
        )


def _check_use(spec: OptimizerSpec) -> None:
    written = {a.target for a in spec.rule if isinstance(a, Set)}
    read = frozenset().union(spec.query.free_symbols, *(a.value.free_symbols for a in spec.rule))
    if param not in written:
        raise SpecError(
            f"rule '{spec.name}' never writes the parameter",
            where=spec.location,
            fix="add Set(param, ...)",
        )
    for buffer in spec.state:
        if buffer.symbol not in written:
            raise SpecError(
                f"state '{buffer.name}' is never written",
                where=buffer.location,
                fix=f"add Set({buffer.name}, ...), or remove the state",
            )
    for hyperparameter in spec.hyperparameters:
        if hyperparameter.symbol not in read:
            raise SpecError(
                f"hyperparameter '{hyperparameter.name}' is not used by the rule",
                where=hyperparameter.location,
                fix="remove it, or use it",
            )
    for assignment in spec.rule:
        if isinstance(assignment, Let) and assignment.target not in read:
            raise SpecError(
                f"'{assignment.name}' is set but never read",
                where=assignment.location,
                fix="remove the Let",
            )
