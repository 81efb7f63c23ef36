"""What z3 says to a comparison of two rules: the second opinion on a whole verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from optgen.domains import REAL, STEP, Domain
from optgen.spec import OptimizerSpec
from optgen.verify.comparison import Comparison
from optgen.verify.deadline import Deadline
from optgen.verify.given import Given, read_given
from optgen.verify.proof import Equation
from optgen.verify.serialise import Tree
from optgen.verify.sides import Side, Step, rename
from optgen.verify.smt import LIMIT, Answer, Opinion, ask, ask_at

Start = Mapping[str, Tree]


def second_opinion(
    left: OptimizerSpec, right: OptimizerSpec, found: Comparison, limit: float = LIMIT
) -> tuple[Opinion, str]:
    """Return what z3 says to a comparison, and in words why.

    To "equal" it agrees if it finds no state and gradient at which a step of the matched
    states gives different values; to "different" if it finds the values at the witness
    to be different.

    Args:
        left: The rule on the left.
        right: The rule on the right.
        found: What `compare` found of them.
        limit: Seconds for z3.
    """
    if found.verdict == "unknown":
        return "abstains", "there is no verdict"
    given = read_given(left, right, found.given)
    sides = tuple(
        Side.of(label, spec, given.values[label])
        for label, spec in (("left", left), ("right", right))
    )
    if found.verdict == "equal":
        return _of_equal(sides, given, found.matching or {}, limit)
    answer = _at_witness(sides, found, limit)
    if answer.word == "equal":
        return "disagrees", "z3 holds the two sides equal at the witness"
    return ("agrees", "") if answer.word == "different" else ("abstains", answer.reason)


def _of_equal(
    sides: Sequence[Side], given: Given, matching: Mapping[str, str], limit: float
) -> tuple[Opinion, str]:
    equations, definitions = _one_step(sides, matching, {})
    known = {**given.domains, "step": STEP, **_domains(sides, given, matching, limit)}
    answer = ask(equations, known, definitions, limit / 2)
    if answer.word == "equal":
        return "agrees", ""
    # The first step is from the initial states only: no other state is free there.
    initial = {b.name: Fraction(b.initial) for b in sides[0].spec.state}
    start: dict[str, Tree] = {a: ("number", initial[a]) for a in matching}
    first, after_first = _one_step(sides, matching, {**start, "step": ("number", Fraction(1))})
    begins = ask(first, given.domains, after_first, limit / 4)
    if begins.word == "different":
        return "disagrees", f"z3 holds the first step different at {_words(begins)}"
    later = {**known, "step": replace(STEP, low=Fraction(2))}
    goes_on = ask(equations, later, definitions, limit / 4)
    if goes_on.word == begins.word == "equal":
        return "agrees", ""
    if goes_on.word == "different" and _all_states_are_met(sides, matching):
        return "disagrees", f"z3 holds a step different at {_words(goes_on)}"
    return "abstains", goes_on.reason or begins.reason or answer.reason


def _all_states_are_met(sides: Sequence[Side], matching: Mapping[str, str]) -> bool:
    """Whether no state is left that a run may never reach: there is none."""
    return not matching


def _words(answer: Answer) -> str:
    return ", ".join(f"{name}={value}" for name, value in answer.point)


def _domains(
    sides: Sequence[Side], given: Given, matching: Mapping[str, str], limit: float
) -> dict[str, Domain]:
    """Return the domains of matched states that both rules keep."""
    kept = [side.kept_domains(given.domains, Deadline.after(limit))[0] for side in sides]
    found = {}
    for a, b in matching.items():
        same = kept[0].get(a, REAL) == kept[1].get(b, REAL)
        found[_variable(sides, a)] = kept[0].get(a, REAL) if same else REAL
    return found


def _variable(sides: Sequence[Side], state: str) -> str:
    inputs = {i.name for side in sides for i in side.spec.inputs}
    return f"{state}_before" if state in inputs else state


def _one_step(
    sides: Sequence[Side], matching: Mapping[str, str], known: Start
) -> tuple[list[Equation], dict[str, Tree]]:
    """Return what should be equal behind a step, of which `known` may fix what it starts from."""
    names: dict[str, Tree] = {a: known.get(a, ("name", _variable(sides, a))) for a in matching}
    more = {"step": known["step"]} if "step" in known else {}
    left = sides[0].step({**names, **more})
    right = sides[1].step({**{b: names[a] for a, b in matching.items()}, **more})
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
        equations, definitions = _one_step(sides, found.matching or {}, {})
        return _any_differs(equations, point, definitions, limit)
    steps = 0
    while f"grad_{steps + 1}" in point:
        steps += 1
    definitions = {}
    runs = []
    for side in sides:
        state: dict[str, Tree] = {b.name: ("number", Fraction(b.initial)) for b in side.spec.state}
        state["param"] = ("name", "param")
        queries: list[Tree] = []
        for k in range(1, steps + 1):
            step = _numbered(side, state, k, definitions)
            queries.append(step.query)
            state = {name: step.value(name) for name in state}
        runs.append((state["param"], queries))
    (left, left_queries), (right, right_queries) = runs
    equations = [Equation("param", left, right)]
    equations += [
        Equation("query", a, b) for a, b in zip(left_queries, right_queries, strict=True) if a != b
    ]
    return _any_differs(equations, point, definitions, limit)


def _numbered(side: Side, state: Start, k: int, definitions: dict[str, Tree]) -> Step:
    """Return step `k` from a state; its definitions go to `definitions`, under names of its own."""
    inputs = [str(s.name) for s in side.spec.inputs]
    start: dict[str, Tree] = {**state, "step": ("number", Fraction(k))}
    start |= {name: ("name", f"{name}_{k}") for name in ("grad", *inputs)}
    step = side.step(start)
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
