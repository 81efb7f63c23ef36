"""Which rules a rule becomes when hyperparameters are put to 0, to 1, or to each other.

Every substitution of a small systematic set is tried against every rule of the
catalogue: first by runs in floats, which sort out nearly all of them, then by
`compare`, which decides. Only what is proved equal is listed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from optgen.domains import Domain
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.floats import NoValue, Program, Values
from optgen.sheet.landmarks import landmarks
from optgen.sheet.subject import Subject
from optgen.spec import OptimizerSpec
from optgen.verify.comparing import compare
from optgen.verify.verdicts import Unsupported

Substitution = tuple[tuple[str, str], ...]
"""Hyperparameters and what they are put to: a number, or another hyperparameter."""

_STEPS = 4
_EACH = 3.0
"""Seconds for one comparison."""
_START: Values = (0.625, -1.375)
_HOW = "a search over {0} substitutions against {1} rules; `compare` proves each one listed"


@dataclass(frozen=True, slots=True)
class Case:
    """Two rules that are equal under a substitution on either side.

    Attributes:
        left: A rule.
        left_given: What its hyperparameters are put to.
        right: Another.
        right_given: What those of the other are put to.
    """

    left: str
    left_given: Substitution
    right: str
    right_given: Substitution

    @property
    def given(self) -> tuple[str, ...]:
        """The substitutions as `compare` reads them."""
        sides = (("left", self.left_given), ("right", self.right_given))
        return tuple(f"{side}.{n}={v}" for side, pairs in sides for n, v in pairs)

    def __str__(self) -> str:
        return f"{_named(self.left, self.left_given)} = {_named(self.right, self.right_given)}"


def entries(subject: Subject) -> Iterator[Entry]:
    """Yield the special cases of a rule, and the rules of which it is one."""
    others = against(subject)
    found, tried = search(subject.spec, others, subject)
    how = _HOW.format(tried, len(others))
    for case in found:
        yield Entry(
            "special_cases",
            str(case),
            "proved",
            how,
            values={"left": case.left, "right": case.right, "given": list(case.given)},
        )
    if not found:
        reason = "no substitution of the set makes it equal to another rule"
        yield not_derived("special_cases", "special cases in the catalogue", reason, how)


def against(subject: Subject) -> tuple[OptimizerSpec, ...]:
    """Return the rules that a rule is compared with: the catalogue, and the landmarks."""
    others = [s for s in subject.catalogue.values() if s.name != subject.spec.name]
    more = [s for s in landmarks() if s.name not in subject.catalogue]
    return (*others, *(s for s in more if s.name != subject.spec.name))


def search(
    spec: OptimizerSpec, others: Sequence[OptimizerSpec], subject: Subject
) -> tuple[list[Case], int]:
    """Return the proved cases, smallest substitutions first, and how many were tried."""
    table = _Table((spec, *others))
    mine = table.runs(spec)
    tried = len(mine)
    candidates: list[tuple[int, Case]] = []
    for other in others:
        theirs = table.runs(other, tuple(h.name for h in spec.hyperparameters))
        tried += len(theirs)
        for own, values in mine:
            for foreign, reached in theirs:
                if _close(values, reached):
                    case = Case(spec.name, own, other.name, foreign)
                    candidates.append((len(own) + len(foreign), case))
    by_name = {s.name: s for s in (spec, *others)}
    found: list[Case] = []
    for _, case in sorted(candidates, key=lambda pair: pair[0]):
        subject.deadline.check()
        if any(_follows(case, known) for known in found):
            continue
        left, right = by_name[case.left], by_name[case.right]
        if compare(left, right, given=case.given, timeout=_EACH).verdict == "equal":
            found.append(case)
    return found, tried


class _Table:
    """Runs of rules under substitutions, with one value for each name all over."""

    def __init__(self, specs: Iterable[OptimizerSpec]) -> None:
        rng = random.Random(0)
        names: dict[str, Domain] = {}
        for spec in specs:
            for h in spec.hyperparameters:
                assert isinstance(h.domain, Domain)
                names.setdefault(h.name, h.domain)
        self._domains = names
        self._values = {name: _inside(domain, rng) for name, domain in names.items()}
        self._gradients: tuple[Values, ...] = tuple(
            (rng.uniform(-2, 2), rng.uniform(-2, 2)) for _ in range(_STEPS)
        )

    def runs(
        self, spec: OptimizerSpec, foreign: tuple[str, ...] = ()
    ) -> list[tuple[Substitution, tuple[float, ...]]]:
        """Return each substitution of a rule under which it moves, and where it goes.

        Args:
            spec: The rule.
            foreign: Hyperparameters of another rule, in whose terms this one may be put.
        """
        try:
            program = Program(spec)
        except Unsupported:
            return []
        found = []
        for substitution in self._substitutions(spec, foreign):
            try:
                reached = self._run(program, spec, substitution, self._gradients)
                still = self._run(program, spec, substitution, ((3.5, 0.25),) * _STEPS)
            except NoValue:
                continue
            if reached != still:  # lr = 0 and the like make all rules equal, and say nothing
                found.append((substitution, reached))
        return found

    def _run(
        self,
        program: Program,
        spec: OptimizerSpec,
        substitution: Substitution,
        gradients: tuple[Values, ...],
    ) -> tuple[float, ...]:
        put = dict(substitution)
        chosen = {h.name: self._value(put.get(h.name, h.name)) for h in spec.hyperparameters}
        return program.run(chosen, _START, gradients)

    def _value(self, text: str) -> float:
        return self._values[text] if text in self._values else float(text)

    def _substitutions(
        self, spec: OptimizerSpec, foreign: tuple[str, ...]
    ) -> Iterator[Substitution]:
        """Yield none, single ones and pairs of: a hyperparameter to 0, to 1, to another one."""
        names = [h.name for h in spec.hyperparameters]
        single: list[tuple[str, str]] = []
        for name in names:
            domain = self._domains[name]
            single += [(name, text) for text in ("0", "1") if int(text) in domain]
            named = foreign if foreign and name not in foreign else names
            same = [n for n in named if n != name and self._domains[n] == domain]
            single += [(name, n) for n in same if domain.high is not None]
        yield ()
        yield from ((item,) for item in single)
        for pair in combinations(single, 2):
            targets = {name for name, _ in pair}
            if len(targets) == 2 and not targets & {value for _, value in pair}:
                yield pair


def _inside(domain: Domain, rng: random.Random) -> float:
    low = float(domain.low) if domain.low is not None else -2.0
    high = float(domain.high) if domain.high is not None else low + 2.0
    value = low + (high - low) * rng.uniform(0.25, 0.75)
    return float(math.ceil(value)) if domain.integer else value


def _close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(a, b, strict=True))


def _follows(case: Case, known: Case) -> bool:
    """Whether a case says no more than one that was found, perhaps through a third rule."""
    if not set(known.left_given) <= set(case.left_given):
        return False
    if known.right == case.right:
        return set(known.right_given) <= set(case.right_given)
    # left(...) is a rule as it stands: what that one is equal to is said on its own sheet
    return bool(case.left_given and case.right_given) and not known.right_given


def _named(name: str, given: Mapping[str, str] | Substitution) -> str:
    parts = ", ".join(f"{n}={v}" for n, v in dict(given).items())
    return f"{name}({parts})" if parts else name
