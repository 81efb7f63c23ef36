"""What a certificate states, as a JSON document: domains, expressions as one table, equations."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optgen.domains import REAL, Domain
from optgen.verify.serialise import Tree, parts_of


@dataclass(frozen=True, slots=True)
class Equation:
    """Two expressions that should be equal, under a label for people."""

    label: str
    left: Tree
    right: Tree


@dataclass(slots=True)
class Table:
    """Expressions as rows that point to earlier rows; an expression stands in one row only.

    Attributes:
        definitions: What the names that are no variables stand for; they get no rows.
        rows: The rows, as JSON.
        trees: A tree of each row.
    """

    definitions: Mapping[str, Tree]
    rows: list[list[Any]] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    _known: dict[Hashable, int] = field(default_factory=dict)
    _done: dict[int, tuple[Tree, int]] = field(default_factory=dict)

    def row(self, tree: Tree) -> int:
        """Return the number of the row of an expression or a condition."""
        todo = [tree]
        while todo:
            node = todo[-1]
            below = self._below(node)
            missing = [part for part in below if id(part) not in self._done]
            if missing and id(node) not in self._done:
                todo += reversed(missing)
                continue
            todo.pop()
            if id(node) not in self._done:
                numbers = [self._done[id(part)][1] for part in below]
                is_defined = node[0] == "name" and node[1] in self.definitions
                own = numbers[0] if is_defined else self._add(node, numbers)
                self._done[id(node)] = node, own
        return self._done[id(tree)][1]

    def _below(self, node: Tree) -> tuple[Tree, ...]:
        if node[0] == "name":
            defined = self.definitions.get(node[1])
            return () if defined is None else (defined,)
        if node[0] == "choice":
            return tuple(part for branch in node[1:] for part in branch)
        return parts_of(node)

    def _add(self, node: Tree, numbers: list[int]) -> int:
        row: list[Any]
        match node[0]:
            case "number":
                row = ["number", str(node[1])]
            case "name":
                row = ["name", node[1]]
            case "choice":
                pairs = zip(numbers[::2], numbers[1::2], strict=True)
                row = ["choice", *([value, condition] for value, condition in pairs)]
            case "compare":
                row = ["compare", node[1], *numbers]
            case tag:
                row = [tag, *numbers]
        key = (node[0], *map(str, row[1:2] if node[0] in ("number", "name", "compare") else ()))
        found = self._known.setdefault((key, tuple(numbers)), len(self.rows))
        if found == len(self.rows):
            self.rows.append(row)
            self.trees.append(node)
        return found


def state(
    equations: Sequence[Equation],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
) -> tuple[dict[str, Any], Table]:
    """Return what is stated of equations as a JSON document, and the table of its rows."""
    table = Table(definitions)
    sides = [[e.label, table.row(e.left), table.row(e.right)] for e in equations]
    names = sorted(row[1] for row in table.rows if row[0] == "name")
    variables = [[name, *_ends(domains.get(name, REAL))] for name in names]
    return {"variables": variables, "nodes": table.rows, "equations": sides}, table


def _ends(domain: Domain) -> list[Any]:
    low, high = (None if end is None else str(end) for end in (domain.low, domain.high))
    return [low, domain.low_open, high, domain.high_open, domain.integer]
