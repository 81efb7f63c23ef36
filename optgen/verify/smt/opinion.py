"""What z3 says to a comparison of two rules: the second opinion on a whole verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from optgen.domains import Domain
from optgen.spec import OptimizerSpec
from optgen.verify.certificate.statement import Equation
from optgen.verify.comparison import Comparison
from optgen.verify.given import read_given
from optgen.verify.runs.sides import Side, Step, rename
from optgen.verify.serialise import Tree
from optgen.verify.smt.ask import LIMIT, Answer, Opinion, ask, ask_at

Start = Mapping[str, Tree]


def second_opinion(
    left: OptimizerSpec, right: OptimizerSpec, found: Comparison, limit: float = LIMIT
) -> tuple[Opinion, str]:
    """Return what z3 says to a comparison, and in words why.

    To "equal" it agrees if it proves every statement of the certificate itself; to
    "different" if it finds the values at the witness to be different.

    Args:
        left: The rule on the left.
        right: The rule on the right.
        found: What `compare` found of them.
        limit: Seconds for z3.
    """
    if found.verdict == "unknown":
        return "abstains", "there is no verdict"
    if found.certificate is not None:
        return _of_statements([proof["statement"] for proof in found.certificate.proofs], limit)
    given = read_given(left, right, found.given)
    sides = tuple(
        Side.of(label, spec, given.values[label])
        for label, spec in (("left", left), ("right", right))
    )
    answer = _at_witness(sides, found, limit)
    if answer.word == "equal":
        return "disagrees", "z3 holds the two sides equal at the witness"
    return ("agrees", "") if answer.word == "different" else ("abstains", answer.reason)


def _of_statements(statements: Sequence[Mapping[str, Any]], limit: float) -> tuple[Opinion, str]:
    """Return what z3 says to the statements of a certificate, taken as it is written."""
    if not statements:
        return "abstains", "nothing is stated"
    reason = ""
    for statement in statements:
        answer = ask(*_question(statement), limit / len(statements))
        if answer.word == "different":
            where = ", ".join(f"{name}={value}" for name, value in answer.point)
            return "disagrees", f"z3 holds what is certified different at {where}"
        reason = reason or answer.reason
    return ("abstains", reason) if reason else ("agrees", "")


def _question(
    statement: Mapping[str, Any],
) -> tuple[list[Equation], dict[str, Domain], dict[str, Tree]]:
    """Return the equations of a statement, the domains in it, and what its rows stand for."""
    domains = {
        name: Domain(_end(low), _end(high), low_open, high_open, whole)
        for name, low, low_open, high, high_open, whole in statement["variables"]
    }
    definitions: dict[str, Tree] = {}
    rows: list[Tree] = []
    for row in statement["nodes"]:
        tree = _tree(row, rows)
        if row[0] in ("number", "name", "compare", "and", "or", "not"):
            rows.append(tree)
            continue
        definitions[f"%{len(rows)}"] = tree
        rows.append(("name", f"%{len(rows)}"))
    equations = [Equation(label, rows[a], rows[b]) for label, a, b in statement["equations"]]
    return equations, domains, definitions


def _tree(row: Sequence[Any], rows: Sequence[Tree]) -> Tree:
    match row:
        case ["number", text]:
            return ("number", Fraction(text))
        case ["name", name]:
            return ("name", name)
        case ["choice", *pairs]:
            return ("choice", *((rows[value], rows[condition]) for value, condition in pairs))
        case ["compare", operator, *parts]:
            return ("compare", operator, *(rows[part] for part in parts))
    return (row[0], *(rows[part] for part in row[1:]))


def _end(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _variable(sides: Sequence[Side], state: str) -> str:
    inputs = {i.name for side in sides for i in side.spec.inputs}
    return f"{state}_before" if state in inputs else state


def _one_step(
    sides: Sequence[Side], matching: Mapping[str, str]
) -> tuple[list[Equation], dict[str, Tree]]:
    """Return what should be equal behind a step."""
    names: dict[str, Tree] = {a: ("name", _variable(sides, a)) for a in matching}
    left = sides[0].step(names)
    right = sides[1].step({b: names[a] for a, b in matching.items()})
    equations = [Equation("param", left.value("param"), right.value("param"))]
    equations += [Equation(a, left.value(a), right.value(b)) for a, b in matching.items()]
    if left.query != right.query:
        equations.append(Equation("query", left.query, right.query))
    return equations, {**left.definitions, **right.definitions}


def _at_witness(sides: Sequence[Side], found: Comparison, limit: float) -> Answer:
    assert found.witness is not None
    point = {name: Fraction(value) for name, value in found.witness.items()}
    if any(name.startswith("param[") for name in point):
        return Answer("unknown", "the witness has several elements")
    if not found.reachable:
        equations, definitions = _one_step(sides, found.matching or {})
        return _any_differs(equations, point, definitions, limit)
    steps = 0
    while f"grad_{steps + 1}" in point:
        steps += 1
    changing = [name.removesuffix("_1") for name in point if name.endswith("_1")]
    definitions = {}
    runs = []
    for side in sides:
        state: dict[str, Tree] = {b.name: ("number", Fraction(b.initial)) for b in side.spec.state}
        state["param"] = ("name", "param")
        queries: list[Tree] = []
        for k in range(1, steps + 1):
            step = _numbered(side, {**state, **_at_step(changing, k)}, k, definitions)
            queries.append(step.query)
            state = {name: step.value(name) for name in state}
        runs.append((state["param"], queries))
    (left, left_queries), (right, right_queries) = runs
    equations = [Equation("param", left, right)]
    equations += [
        Equation("query", a, b) for a, b in zip(left_queries, right_queries, strict=True) if a != b
    ]
    return _any_differs(equations, point, definitions, limit)


def _at_step(names: Sequence[str], k: int) -> dict[str, Tree]:
    return {name: ("name", f"{name}_{k}") for name in names}


def _numbered(side: Side, state: Start, k: int, definitions: dict[str, Tree]) -> Step:
    """Return step `k` from a state; its definitions go to `definitions`, under names of its own."""
    step = side.step({**state, "step": ("number", Fraction(k))})
    new: dict[str, Tree] = {name: ("name", f"{k}.{name}") for name in step.definitions}
    for name, tree in step.definitions.items():
        definitions[f"{k}.{name}"] = rename(tree, new)
    latest = {name: rename(tree, new) for name, tree in step.latest.items()}
    return Step({}, latest, rename(step.query, new))


def _any_differs(
    equations: Sequence[Equation],
    point: Mapping[str, Fraction],
    definitions: Mapping[str, Tree],
    limit: float,
) -> Answer:
    """Return the answer at a point: different if one equation fails there."""
    answers = [ask_at([e], point, definitions, limit / len(equations)) for e in equations]
    for word in ("different", "unknown"):
        for answer in answers:
            if answer.word == word:
                return answer
    return answers[0]
