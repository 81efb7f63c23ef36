"""Is a kernel what its rule says? Reads it back as real algebra and compares the two.

The host program runs first, then the stages, each from the buffers as last
stored; the new parameter and every new state must equal those of the rule's own
one-step map, as `decide` proves it. Rounding, overflow, NaN and signed zeros are
not looked at: literals are the numbers they name, sums are exact.

A kernel scales its gradient first (`passes.prologue`): the rest is proved to be the rule at
whatever gradient comes out of that, and the factor to be what it says.

The sum of `x*x` is read as `norm(x)**2` and any other sum as `mean(value)*numel`,
the only two that rules can ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal as OneOf

from optgen.domains import STEP, Domain
from optgen.ir import (
    Assign,
    Elementwise,
    Expr,
    Kernel,
    Literal,
    Operation,
    Reduction,
    Ref,
    reads,
    stage_expressions,
)
from optgen.passes.prologue import FACTOR, SCALED, without_prologue
from optgen.spec import OptimizerSpec
from optgen.verify.deadline import Deadline
from optgen.verify.decision import decide_trees
from optgen.verify.runs.sides import Side
from optgen.verify.serialise import Tree, holds, names
from optgen.verify.verdicts import Proved, Refuted, Unsupported

Outcome = OneOf["equal", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class LoweringProof:
    """Whether a kernel computes its rule over the reals.

    Attributes:
        outcome: `"equal"` only if every output is proved equal, `"different"` only if one
            is shown to differ.
        detail: Where it differs, or what could not be settled; empty if equal.
    """

    outcome: Outcome
    detail: str = ""


def prove_lowering(
    spec: OptimizerSpec, kernel: Kernel, deadline: Deadline | None = None
) -> LoweringProof:
    """Prove that a kernel computes what its rule says, over the reals.

    States are taken to lie in their domains, which `verify_algebra` proves of each rule.

    Args:
        spec: The rule.
        kernel: A kernel lowered from it, before, between or after the passes.
        deadline: When to give up; ten seconds from now by itself.
    """
    deadline = deadline or Deadline.after(10)
    scaling = _scaling(kernel, deadline)
    if scaling is not None:
        return scaling
    kernel = without_prologue(kernel)
    interface = _interface(spec, kernel)
    if interface:
        return LoweringProof("different", interface)
    try:
        program = read_back(kernel)
        step = Side.of("rule", spec, {}).step({})
    except Unsupported as error:
        return LoweringProof("unknown", str(error))
    definitions = {**step.definitions, **program.definitions}
    domains = {str(s.name): domain for s, domain in spec.domains.items()} | {"numel": STEP}
    unknown: list[str] = []
    for output in ("param", *(b.name for b in spec.state)):
        left, right = step.value(output), program.value(output)
        verdict = decide_trees(left, right, domains, definitions, deadline=deadline)
        match verdict:
            case Refuted(point, rule_value, kernel_value):
                where = ", ".join(f"{name}={value}" for name, value in point)
                if _is_a_tensor(point, (left, right), definitions):
                    detail = f"{output} is {rule_value} by the rule, {kernel_value} in the kernel"
                    return LoweringProof("different", f"{detail}, at {where}")
                unknown.append(f"{output}: no tensor was found that tells them apart")
            case Proved(undefined=where) if where:
                unknown.append(f"{output} has a value on one side only, at {where}")
            case Proved():
                pass
            case _:
                unknown.append(f"{output}: {verdict.reason}")
    if unknown:
        return LoweringProof("unknown", "; ".join(unknown))
    return LoweringProof("equal")


def _scaling(kernel: Kernel, deadline: Deadline) -> LoweringProof | None:
    """Prove the factor of the gradient, or say what it is instead; None if all is well."""
    bare = without_prologue(kernel)
    if bare == kernel:
        return None
    reads_factor = any(
        FACTOR in reads(expr) or SCALED in reads(expr)
        for stage in bare.stages
        for expr in stage_expressions(stage)
    )
    if reads_factor:
        return LoweringProof("unknown", "the gradient is not scaled once, where it is read")
    try:
        reader = _Reader()
        known: dict[str, Tree] = {a.name: ("name", a.name) for a in kernel.arguments}
        known |= {s.name: ("name", s.name) for s in kernel.scalar_states}
        known |= {name: ("name", name) for name in ("step", "numel")}
        reader.run(kernel.host, known)
        factor = known[FACTOR]
    except (KeyError, Unsupported) as error:
        return LoweringProof("unknown", f"{FACTOR}: {error}")
    inverse: Tree = ("power", ("name", "grad_scale"), _MINUS_ONE)
    twice: Tree = ("mul", ("number", Fraction(-2)), ("name", "maximize"))
    sign: Tree = ("add", ("number", Fraction(1)), twice)
    wanted: Tree = ("mul", sign, ("name", "clip_coef"), inverse)
    domains = {
        "grad_scale": Domain(Fraction(0), None, low_open=True),
        "clip_coef": Domain(Fraction(0), None, low_open=False),
        "maximize": Domain(Fraction(0), Fraction(1), low_open=False, high_open=False),
    }
    verdict = decide_trees(wanted, factor, domains, reader.definitions, deadline=deadline)
    match verdict:
        case Proved():
            return None
        case Refuted(point, right, found):
            where = ", ".join(f"{name}={value}" for name, value in point)
            return LoweringProof(
                "different", f"{FACTOR} is {found} in the kernel instead of {right}, at {where}"
            )
    return LoweringProof("unknown", f"{FACTOR}: {verdict.reason}")


def _interface(spec: OptimizerSpec, kernel: Kernel) -> str:
    """Say how what is kept between steps differs; empty if it does not."""
    wanted = {b.name: (b.shape, Fraction(b.initial)) for b in spec.state}
    found = {b.name: ("param", b.initial) for b in kernel.buffers if b.role == "state"}
    found |= {s.name: ("scalar", s.initial) for s in kernel.scalar_states}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            words = [
                "none" if state is None else f"{state[0]} from {state[1]}"
                for state in (wanted.get(name), found.get(name))
            ]
            return f"state {name} is {words[0]} in the rule, {words[1]} in the kernel"
    return ""


def _is_a_tensor(
    point: tuple[tuple[str, Fraction], ...],
    trees: tuple[Tree, ...],
    definitions: Mapping[str, Tree],
) -> bool:
    """Whether a point belongs to some tensor.

    A point holds the value of one element. One element alone will do, and so will
    `numel` equal ones where no norm is read: their mean is the element.
    """
    if dict(point).get("numel", Fraction(1)) == 1:
        return True
    seen: set[str] = set()
    todo = list(trees)
    while todo:
        tree = todo.pop()
        if holds(tree, ("norm",)):
            return False
        new = sorted((names(tree) & definitions.keys()) - seen)
        seen.update(new)
        todo += [definitions[name] for name in new]
    return True


@dataclass(frozen=True, slots=True)
class Program:
    """A kernel as a one-step map.

    Attributes:
        definitions: What every name set by the kernel stands for.
        latest: Where each output has its value behind the step.
    """

    definitions: Mapping[str, Tree]
    latest: Mapping[str, Tree]

    def value(self, name: str) -> Tree:
        """Return the value of the parameter or of a state behind the step."""
        return self.latest.get(name, ("name", name))


def read_back(kernel: Kernel) -> Program:
    """Return the one-step map of a kernel.

    Raises:
        Unsupported: It reads a name without a value, or holds an operation of unknown meaning.
    """
    reader = _Reader()
    known: dict[str, Tree] = {name: ("name", name) for name in ("step", "numel")}
    known |= {a.name: ("name", a.name) for a in kernel.arguments}
    known |= {s.name: ("name", s.name) for s in kernel.scalar_states}
    reader.run(kernel.host, known)
    latest = {s.name: known[s.name] for s in kernel.scalar_states}
    memory: dict[str, Tree] = {b.name: ("name", b.name) for b in kernel.buffers}
    for stage in kernel.stages:
        local = dict(known)
        if isinstance(stage, Elementwise):
            local |= {name: _found(memory, name) for name in stage.loads}
            reader.run(stage.body, local)
            for reduction in stage.reductions:
                known[reduction.target] = reader.total(reduction, local)
            memory |= {name: _found(local, name) for name in stage.stores}
        else:
            reader.run(stage.body, local)
            known |= {name: _found(local, name) for name in stage.exports}
    return Program(reader.definitions, latest | memory)


def _found(values: Mapping[str, Tree], name: str) -> Tree:
    if name not in values:
        raise Unsupported(f"the kernel reads {name}, which has no value there")
    return values[name]


_MINUS_ONE: Tree = ("number", Fraction(-1))
_HALF: Tree = ("number", Fraction(1, 2))
_ALWAYS: Tree = ("and",)
_SAME = {"add", "mul", "abs", "sign", "max", "min", "and", "or", "not"}
"""Operations that trees have under the same name."""

_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


@dataclass(slots=True)
class _Reader:
    """Turns assignments into definitions, one for each write."""

    definitions: dict[str, Tree] = field(default_factory=dict)

    def run(self, body: tuple[Assign, ...], values: dict[str, Tree]) -> None:
        """Run assignments in order; `values` says where each name has its value."""
        for assign in body:
            values[assign.target] = self._define(assign.target, self.tree(assign.value, values))

    def total(self, reduction: Reduction, values: Mapping[str, Tree]) -> Tree:
        """Return the sum of a value over all elements of the tensor."""
        match reduction.value:
            case Operation("mul", (left, right)) if left == right:
                norm: Tree = ("norm", self.tree(left, values))
                total: Tree = ("power", norm, ("number", Fraction(2)))
            case value:
                total = ("mul", ("mean", self.tree(value, values)), ("name", "numel"))
        return self._define(reduction.target, total)

    def _define(self, target: str, tree: Tree) -> Tree:
        name = f"kernel.{len(self.definitions)}.{target}"
        self.definitions[name] = tree
        return ("name", name)

    def tree(self, expr: Expr, values: Mapping[str, Tree]) -> Tree:
        """Return the value of an expression."""
        match expr:
            case Ref(name):
                return _found(values, name)
            case Literal(value):
                return ("number", value)
            case Operation(name, operands):
                return self._operation(name, tuple(self.tree(o, values) for o in operands))

    def _operation(self, name: str, operands: tuple[Tree, ...]) -> Tree:
        if name in _SAME:
            return (name, *operands)
        if name in _COMPARISONS:
            return ("compare", _COMPARISONS[name], *operands)
        match name, operands:
            case "sub", (a, b):
                return ("add", a, ("mul", _MINUS_ONE, b))
            case "neg", (a,):
                return ("mul", _MINUS_ONE, a)
            case "div", (a, b):
                return ("mul", a, ("power", b, _MINUS_ONE))
            case "sqrt", (a,):
                return ("power", a, _HALF)
            case "select", (mask, yes, no):
                return ("choice", (yes, mask), (no, _ALWAYS))
            case "pow", (base, exponent):
                return ("power", base, exponent)
            case (("power" | "ipow"), (base, exponent)) if self._whole(exponent):
                return ("power", base, exponent)
            case (("power" | "ipow"), _):
                raise Unsupported(f"{name} is given an exponent that is not seen to be whole")
        raise Unsupported(f"the kernel holds the unknown operation {name}")

    def _whole(self, tree: Tree) -> bool:
        """Whether a value is an integer at every step: made of `step` and integers."""
        match tree:
            case "number", Fraction() as value:
                return value.denominator == 1
            case "name", str(name):
                definition = self.definitions.get(name)
                return name == "step" if definition is None else self._whole(definition)
            case (("add" | "mul"), *terms):
                return all(self._whole(term) for term in terms)
        return False
