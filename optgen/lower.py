"""From a rule to a kernel: roles, stages around reductions, every operation in its place.

Input: a checked `OptimizerSpec`. Output: a `Kernel` whose right-hand sides still
hold integer powers and host arithmetic; the passes take those out. Nothing is
simplified and nothing crosses a `Let`.
"""

from __future__ import annotations

from fractions import Fraction

from optgen import ir
from optgen.arithmetic import (
    Call,
    Choice,
    Logic,
    Name,
    Node,
    Number,
    Power,
    Product,
    Relation,
    Root,
    Sum,
    arrange,
    names,
)
from optgen.domains import Domain
from optgen.errors import SpecError
from optgen.ir import Assign, DType, Expr, Kernel, Operation, Ref
from optgen.notation.text import rule_lines
from optgen.order import Order
from optgen.roles import Role
from optgen.spec import Assignment, Hyperparameter, OptimizerSpec
from optgen.stages import Stages, buffers


def lower(spec: OptimizerSpec, dtype: DType) -> Kernel:
    """Lower a rule to one kernel.

    Args:
        spec: The rule; `spec.rule` is read in order.
        dtype: Type of every buffer and of the arithmetic.

    Returns:
        A kernel whose stages alternate element-wise and per-tensor.

    Raises:
        SpecError: A value that a later stage needs cannot be computed again, or the rule
            has inputs or no hyperparameter.
    """
    if spec.inputs:
        raise SpecError(
            f"rule '{spec.name}' takes inputs besides the gradient; no backend prints them yet",
            where=spec.location,
            fix="leave `inputs` empty",
        )
    if not spec.hyperparameters:
        raise SpecError(
            f"rule '{spec.name}' has no hyperparameter; no backend prints such a rule yet",
            where=spec.location,
            fix="declare the step size: Hyperparameter(lr, ...)",
        )
    order = Order.of(spec)
    expressions = _Expressions(order)
    stages = Stages(spec, order)
    host: list[Assign] = []
    lines = zip(spec.rule, rule_lines(spec), strict=True)
    for index, (assignment, formula) in enumerate(lines):
        node = arrange(assignment.value)
        role = order.role(node)
        if role is Role.HOST and order.roles[assignment.name] is Role.HOST:
            host.append(Assign(assignment.name, expressions.lower(node), formula))
        elif role is Role.TENSOR and order.roles[assignment.name] is Role.TENSOR:
            stages.add_scalar(assignment, expressions.reduced(node, stages, assignment), formula)
        else:
            _check_scalar_reads(spec, index, node)
            stages.add(assignment, node, expressions.lower(node), formula)
    return Kernel(
        name=spec.identifier,
        arithmetic=dtype,
        buffers=buffers(spec, dtype),
        arguments=tuple(_argument(h) for h in spec.hyperparameters),
        scalar_states=tuple(
            ir.ScalarState(b.name, Fraction(b.initial)) for b in spec.state if b.shape == "scalar"
        ),
        host=tuple(host),
        stages=stages.finish(),
    )


def _check_scalar_reads(spec: OptimizerSpec, index: int, node: Node) -> None:
    """The host program runs before any element: no element may see a scalar state's old value."""
    later = {a.name for a in spec.rule[index + 1 :]}
    scalars = {b.name for b in spec.state if b.shape == "scalar"}
    for name in sorted(names(node) & later & scalars):
        assignment = spec.rule[index]
        raise SpecError(
            f"'{assignment.name}' reads the scalar state '{name}' before the line that writes it",
            where=f"{assignment.location}, rule {index + 1} ({assignment.name})",
            fix=f"keep the old value first: Let(old_{name}, {name})",
        )


def _argument(hyperparameter: Hyperparameter) -> ir.Argument:
    name, domain = hyperparameter.name, hyperparameter.domain
    assert isinstance(domain, Domain)
    low = "-np.inf" if domain.low is None else repr(float(domain.low))
    high = "np.inf" if domain.high is None else repr(float(domain.high))
    above = "<" if domain.low is None or domain.low_open else "<="
    below = "<" if domain.high is None or domain.high_open else "<="
    return ir.Argument(
        name=name,
        default=Fraction(hyperparameter.default),
        domain=str(domain),
        condition=f"{low} {above} {name} {below} {high}",
        doc=hyperparameter.doc,
    )


_COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_CALLS = {"Abs": "abs", "Max": "max", "Min": "min", "sign": "sign"}


class _Expressions:
    """Lowers arithmetic nodes, in the order of the rule."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def lower(self, node: Node) -> Expr:
        match node:
            case Number(value):
                return ir.Literal(value)
            case Name(name):
                return Ref(name)
            case Sum(terms):
                return self._sum(terms)
            case Product():
                return self._product(node)
            case Power(base, exponent):
                return self._power(base, exponent)
            case Root(value):
                return Operation("sqrt", (self.lower(value),))
            case Call(function, args):
                return self._fold(_CALLS[function], [self.lower(a) for a in args])
            case Choice(branches):
                return self._choice(branches)
            case Relation(operator, left, right):
                return Operation(_COMPARISONS[operator], (self.lower(left), self.lower(right)))
            case Logic(operator, args):
                return self._fold(operator.lower(), [self.lower(a) for a in args])

    def reduced(self, node: Node, stages: Stages, assignment: Assignment) -> Expr:
        """Lower a value per tensor, its reductions taken by the stage that is open."""
        if isinstance(node, Call) and node.function == "norm":
            (argument,) = node.args
            value = self.lower(argument)
            total = stages.reduce(assignment, Operation("mul", (value, value)))
            return Operation("sqrt", (Ref(total),))
        if isinstance(node, Call) and node.function == "mean":
            (argument,) = node.args
            total = stages.reduce(assignment, self.lower(argument))
            return Operation("div", (Ref(total), Ref("numel")))
        return self.lower(node)

    def _fold(self, name: str, operands: list[Expr]) -> Expr:
        """Chain a binary operation over its operands, from the left."""
        result = operands[0]
        if len(operands) == 1:
            return Operation(name, (result,)) if ir.OPERATIONS[name].arity == 1 else result
        for operand in operands[1:]:
            result = Operation(name, (result, operand))
        return result

    def _sum(self, terms: tuple[Node, ...]) -> Expr:
        ordered = self._order.terms(terms)
        scalars = [t for t in ordered if self._order.role(t) is Role.HOST]
        if len(scalars) > 1 and len(scalars) < len(ordered):
            others = [t for t in ordered if self._order.role(t) is not Role.HOST]
            ordered = (*others, Sum(tuple(scalars)))
        result: Expr | None = None
        for term in ordered:
            negative = _is_negative(term)
            value = self.lower(_negated(term) if negative else term)
            if result is None:
                result = Operation("neg", (value,)) if negative else value
            else:
                result = Operation("sub" if negative else "add", (result, value))
        assert result is not None
        return result

    def _product(self, node: Product) -> Expr:
        numerators = self._order.factors(node.numerators)
        denominators = self._order.factors(node.denominators)
        size = abs(node.coefficient)
        above = [self.lower(n) for n in numerators]
        below = [self.lower(n) for n in denominators]
        if _is_dyadic(size):
            multiplier, divisor = size, Fraction(1)
        else:  # x/3 stays a division: 1/3 is no binary number
            multiplier, divisor = Fraction(size.numerator), Fraction(size.denominator)
        if multiplier != 1 or not above:
            above.insert(0, ir.Literal(multiplier))
        if divisor != 1:
            below.insert(0, ir.Literal(divisor))
        result = self._fold("mul", above)
        if below:
            result = Operation("div", (result, self._fold("mul", below)))
        return Operation("neg", (result,)) if node.coefficient < 0 else result

    def _power(self, base: Node, exponent: Node) -> Expr:
        value = self.lower(base)
        if isinstance(exponent, Number):
            return Operation("power", (value, ir.Literal(exponent.value)))
        name = "ipow" if _counts_steps(exponent) else "pow"
        return Operation(name, (value, self.lower(exponent)))

    def _choice(self, branches: tuple[tuple[Node, Node], ...]) -> Expr:
        result = self.lower(branches[-1][0])
        for value, condition in reversed(branches[:-1]):
            result = Operation("select", (self.lower(condition), self.lower(value), result))
        return result


def _is_negative(node: Node) -> bool:
    return (isinstance(node, Product) and node.coefficient < 0) or (
        isinstance(node, Number) and node.value < 0
    )


def _negated(node: Node) -> Node:
    if isinstance(node, Number):
        return Number(-node.value)
    assert isinstance(node, Product)
    if node.coefficient == -1 and len(node.numerators) == 1 and not node.denominators:
        return node.numerators[0]
    return Product(-node.coefficient, node.numerators, node.denominators)


def _is_dyadic(value: Fraction) -> bool:
    return value.denominator & (value.denominator - 1) == 0


def _counts_steps(node: Node) -> bool:
    """Whether an exponent is an integer at every step: built from `step` and integers."""
    match node:
        case Number(value):
            return value.denominator == 1
        case Name(name):
            return name == "step"
        case Sum(terms):
            return all(_counts_steps(t) for t in terms)
        case Product(coefficient, numerators, denominators):
            whole = coefficient.denominator == 1 and not denominators
            return whole and all(_counts_steps(n) for n in numerators)
        case _:
            return False
