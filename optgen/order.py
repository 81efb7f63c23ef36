"""The order in which operands are evaluated and printed: ours, never sympy's.

Products multiply host scalars first, then factors in order of declaration; sums
add values per element first, in order of declaration, then host scalars. The
declaration order of a rule is: param, states, grad, further inputs, step,
hyperparameters, then each `Let` where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from optgen.arithmetic import Node, Number, Product, names
from optgen.roles import Role, role_of, roles
from optgen.spec import Let, OptimizerSpec


@dataclass(frozen=True, slots=True)
class Order:
    """Ranks and roles of the names of one rule.

    Attributes:
        ranks: Position of each name in the declaration order.
        roles: Role of each name.
    """

    ranks: dict[str, int]
    roles: dict[str, Role]

    @classmethod
    def of(cls, spec: OptimizerSpec) -> Order:
        """Return the order of a rule's names."""
        declared = ["param", *(b.name for b in spec.state), "grad"]
        declared += [symbol.name for symbol in spec.inputs]
        declared += ["step", *(h.name for h in spec.hyperparameters)]
        declared += [a.name for a in spec.rule if isinstance(a, Let)]
        return cls({name: rank for rank, name in enumerate(declared)}, roles(spec))

    def role(self, node: Node) -> Role:
        """Return the role of an expression."""
        return role_of(node, self.roles)

    def factors(self, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the factors of a product in the order in which they are multiplied."""
        return tuple(sorted(nodes, key=lambda n: (self.role(n), self._first(n), repr(n))))

    def terms(self, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the terms of a sum in the order in which they are added; a subtraction last."""

        def key(node: Node) -> tuple[object, ...]:
            negative = isinstance(node, Product) and node.coefficient < 0
            negative = negative or (isinstance(node, Number) and node.value < 0)
            scalar = self.role(node) is Role.HOST
            constant = not isinstance(node, Number)
            return (negative, scalar, constant, self._last(node), self._first(node), repr(node))

        return tuple(sorted(nodes, key=key))

    def _first(self, node: Node) -> int:
        return min((self.ranks[n] for n in names(node)), default=-1)

    def _last(self, node: Node) -> int:
        """Return the rank of what a term is about: its last name with a value per element."""
        ranks = [self.ranks[n] for n in names(node) if self.roles[n] is not Role.HOST]
        return max(ranks or [self.ranks[n] for n in names(node)], default=-1)
