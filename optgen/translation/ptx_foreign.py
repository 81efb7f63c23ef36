"""Does a PTX kernel that optgen did not write compute a rule? Proved, refuted, or unknown.

The kernel is read as terms (`ptx_reading`), these as real algebra (`ptx_reals`), and
each array that the rule updates is decided against the rule's one-step map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal as OneOf

from optgen.domains import STEP
from optgen.spec import OptimizerSpec
from optgen.translation.ptx_bind import Binding
from optgen.translation.ptx_reading import read_ptx
from optgen.translation.ptx_reals import Reals
from optgen.translation.terms import Term, Terms
from optgen.verify.deadline import Deadline, OutOfTime, within
from optgen.verify.decision import decide_trees
from optgen.verify.runs.sides import Side
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Proved, Refuted, Unsupported

Outcome = OneOf["proved", "refuted", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one array.

    Attributes:
        output: The array.
        outcome: `"proved"`: equal over the reals, for every element; `"refuted"`: not;
            `"unknown"`: neither was shown.
        detail: A witness, or why it is not known.
        witness: The exact values at which it differs.
    """

    output: str
    outcome: Outcome
    detail: str = ""
    witness: tuple[tuple[str, Fraction], ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignProof:
    """What was found for one kernel.

    Attributes:
        findings: One for each array that the rule updates, or one for the kernel.
        notes: What is assumed of the launch, the arrays and the constants.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Refuted if any array is, proved if all are."""
        found = {finding.outcome for finding in self.findings}
        if "refuted" in found:
            return "refuted"
        return "proved" if found == {"proved"} else "unknown"


def check_foreign(
    ptx: str,
    entry: str,
    spec: OptimizerSpec,
    binding: Binding,
    *,
    given: Mapping[str, Tree],
    literals: Mapping[Fraction, Fraction],
    timeout: float = 20,
) -> ForeignProof:
    """Compare one entry with a rule.

    Args:
        ptx: The PTX text.
        entry: Name of the kernel.
        spec: The rule.
        binding: What the kernel's parameters mean.
        given: Values of hyperparameters, over the other ones.
        literals: What constants stand for that are not the shortest decimals.
        timeout: Seconds after which the rest is unknown.
    """
    deadline = Deadline.after(timeout)
    try:
        return within(
            deadline, lambda: _check(ptx, entry, spec, binding, given, literals, deadline)
        )
    except OutOfTime as error:
        reason = str(error)
    except Exception as error:
        # The one boundary at which a crash becomes an answer: nothing is proved by it.
        reason = f"the reading failed: {type(error).__name__}: {error}"
    return ForeignProof((Finding(entry, "unknown", reason),))


def _check(
    ptx: str,
    entry: str,
    spec: OptimizerSpec,
    binding: Binding,
    given: Mapping[str, Tree],
    literals: Mapping[Fraction, Fraction],
    deadline: Deadline,
) -> ForeignProof:
    try:
        reading = read_ptx(ptx, entry, binding.signature, Terms())
        step = Side.of("rule", spec, {}).step({})
    except Unsupported as error:
        return ForeignProof((Finding(entry, "unknown", str(error)),))
    reals = Reals(binding.meanings, literals)
    domains = {str(s.name): domain for s, domain in spec.domains.items()} | {"numel": STEP}
    findings = []
    outputs = ("param", *(b.name for b in spec.state if b.shape == "param"))
    scalar_states = [b.name for b in spec.state if b.shape != "param"]
    if scalar_states:
        said = f"{scalar_states[0]} is one value for each tensor, which a kernel does not keep"
        return ForeignProof((Finding(entry, "unknown", said),), reading.notes)
    stray = {name for path in reading.paths for name in path.outputs} - {*outputs}
    findings += [Finding(name, "refuted", f"{name} is written") for name in sorted(stray)]
    for output in outputs:
        terms = {id(p.outputs.get(output)): p.outputs.get(output) for p in reading.paths}
        found = [
            _decide(
                output, step.value(output), term, reals, step.definitions, domains, given, deadline
            )
            for term in terms.values()
        ]
        order = ("refuted", "unknown", "proved")
        findings.append(min(found, key=lambda f: order.index(f.outcome)))
    notes = [*reading.notes]
    notes += [
        f"the constant {_text(c)} stands for {_text(literals.get(c, c))}"
        for c in sorted(reals.constants)
        if c.denominator != 1
    ]
    return ForeignProof(tuple(findings), tuple(notes))


def _text(value: Fraction) -> str:
    """Return a fraction as a decimal where it is a short one."""
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    return f"{number!r}" if Fraction(repr(number)) == value else str(value)


def _decide(
    output: str,
    wanted: Tree,
    term: Term | None,
    reals: Reals,
    definitions: Mapping[str, Tree],
    domains: Mapping[str, object],
    given: Mapping[str, Tree],
    deadline: Deadline,
) -> Finding:
    try:
        found: Tree = ("name", output) if term is None else reals.tree(term)
    except Unsupported as error:
        return Finding(output, "unknown", str(error))
    verdict = decide_trees(
        wanted,
        found,
        domains,  # type: ignore[arg-type]
        {**definitions, **reals.definitions, **given},
        deadline=deadline,
    )
    match verdict:
        case Refuted(point, rule_value, kernel_value):
            where = ", ".join(f"{name}={value}" for name, value in point)
            detail = f"{output} is {rule_value} by the rule, {kernel_value} in the kernel"
            return Finding(output, "refuted", f"{detail}, at {where}", point)
        case Proved(undefined=where) if where:
            return Finding(output, "unknown", f"it has a value on one side only, at {where}")
        case Proved():
            return Finding(output, "proved")
        case _:
            return Finding(output, "unknown", verdict.reason)
