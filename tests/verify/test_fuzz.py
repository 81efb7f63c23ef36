"""A small seeded part of the fuzz campaign, and its judges: they do see wrong verdicts."""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from optgen.verify.verdicts import Certificate, Proved, Refuted, Undecided

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HAS_Z3 = importlib.util.find_spec("z3") is not None
SEED, PAIRS, PARTS = 7, 120, 3
MOST_NODES = 50


def part_of_campaign(name: str) -> Any:
    """Return a module of the campaign's package, which lies beside its script."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    return importlib.import_module(f"fuzz.{name}")


judging = part_of_campaign("judging")
digits = part_of_campaign("digits")
trees = part_of_campaign("trees")
rewriting = part_of_campaign("rewriting")
expressions = part_of_campaign("expressions")
mutating = part_of_campaign("mutating")

x, y, v = map(trees.name, ("x", "y", "v"))
one, root, sub = trees.ONE, trees.root, trees.sub


def small_pairs() -> list[int]:
    """Return pairs that together take a few seconds: the campaign has the larger ones too."""
    found: list[int] = []
    number = 0
    while len(found) < PAIRS:
        pair = judging.make(SEED, number)
        if trees.size(pair.left) + trees.size(pair.right) <= MOST_NODES:
            found.append(number)
        number += 1
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_fuzzed_pairs_are_decided_rightly(part: int) -> None:
    limits = judging.Limits(decider=2.0, z3=0.3 if HAS_Z3 else 0.0, points=40)
    outcomes = [judging.judge(SEED, number, limits) for number in small_pairs()[part::PARTS]]
    for outcome in outcomes:
        assert not outcome.wrong, (outcome.number, outcome.wrong, outcome.pair)
    count = [sum(o.verdict == word for o in outcomes) for word in ("equal", "different")]
    assert min(count) > len(outcomes) // 5, count
    assert sum(count) >= 0.9 * len(outcomes), [o.pair for o in outcomes if o.verdict == "unknown"]
    unknown = [(o.number, o.reason, o.pair) for o in outcomes if o.verdict == "unknown"]
    assert len(unknown) <= len(outcomes) // 6, unknown


def test_fuzzed_rules_are_compared_rightly() -> None:
    rules = part_of_campaign("rules")
    limits = judging.Limits(decider=2.0, z3=0.3 if HAS_Z3 else 0.0)
    outcomes = [rules.judge_rules(SEED, number, limits) for number in range(8)]
    for outcome in outcomes:
        assert not outcome.wrong, (outcome.number, outcome.wrong, outcome.pair)
    assert sum(o.verdict == "unknown" for o in outcomes) <= 2, outcomes


def test_the_same_seed_gives_the_same_pairs() -> None:
    assert [judging.make(3, n) for n in range(20)] == [judging.make(3, n) for n in range(20)]
    assert judging.make(3, 0) != judging.make(4, 0)


def verdict_on(monkeypatch: pytest.MonkeyPatch, verdict: object, number: int) -> Any:
    monkeypatch.setattr(judging, "decide_trees", lambda *_, **__: verdict)
    return judging.judge(SEED, number, judging.Limits(z3=0.0))


def numbers(word: str) -> list[int]:
    """Return pairs that a change made different for certain, or that rewriting made."""
    found = []
    for number in range(60):
        pair = judging.make(SEED, number)
        if word == "different" and pair.change == "a dropped part":
            found.append(number)
        if word == "equal" and pair.made == "rewritten":
            found.append(number)
    return found


def test_a_wrong_equal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    proved = Proved(Certificate((), (), ()))
    outcomes = [verdict_on(monkeypatch, proved, n) for n in numbers("different")]
    assert any("equal, but not at" in outcome.wrong for outcome in outcomes)
    assert all("its certificate is rejected" in outcome.wrong for outcome in outcomes)


def test_a_wrong_different_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in numbers("equal")[:5]:
        pair = judging.make(SEED, number)
        names = sorted({*trees.variables(pair.left), *trees.variables(pair.right)})
        point = tuple((name, Fraction(1, 1 + (name in "ab"))) for name in names)
        outcome = verdict_on(monkeypatch, Refuted(point, "0", "1"), number)
        assert "not seen to be so" in outcome.wrong


def test_a_witness_outside_the_domain_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (number, *_) = [n for n in range(60) if "v" in trees.variables(judging.make(SEED, n).left)]
    outcome = verdict_on(monkeypatch, Refuted((("v", Fraction(-1)),), "0", "1"), number)
    assert "outside the domain of v" in outcome.wrong


def test_an_unknown_is_never_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict_on(monkeypatch, Undecided("no proof"), 0).wrong == ""


def test_sampling_sees_what_sixty_digits_show() -> None:
    point = {"x": Fraction(2), "v": Fraction(2)}
    tiny = trees.add(x, trees.number(mutating.TINY))
    assert digits.differ(x, tiny, point) is True  # fractions are exact
    assert digits.differ(("max", x, tiny), x, point) is True
    rough = trees.add(root(v), trees.number(mutating.TINY))
    assert digits.differ(root(v), rough, point, most=1) is False
    assert digits.differ(root(v), rough, point, most=2) is True
    assert digits.differ(trees.power(root(v), 2), v, point) is False  # rounded, and not seen
    assert digits.differ(root(trees.neg(v)), v, point) is None
    assert digits.differ(trees.power(sub(x, v), -1), v, point) is None
    noise = ("sign", sub(trees.power(root(v), 2), v))
    assert digits.differ(noise, trees.ZERO, point) is None  # rounding would decide the branch


def test_points_lie_in_their_domains_and_meet_branches() -> None:
    rng = random.Random(1)
    step = trees.choice(trees.compare(">", x, trees.number(Fraction(7, 3))), one, trees.ZERO)
    names = ("x", "v", "b", "step")
    domains = {name: trees.DOMAINS[name] for name in names}
    found = list(digits.points((step,), domains, rng, 120))
    assert len(found) >= 120
    assert all(point[name] in domains[name] for point in found for name in names)
    near = [abs(point["x"] - Fraction(7, 3)) for point in found]
    assert min(near) == 0
    assert any(0 < gap < Fraction(1, 10**10) for gap in near)
    assert any(point["v"] == 0 for point in found)


LAWS = sorted(
    {law for laws in rewriting.RULES.values() for law in laws}, key=lambda law: str(law.__name__)
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: str(law.__name__))
def test_a_law_keeps_values(law: Any) -> None:
    """What rewriting makes is equal wherever both have a value, and each law has work to do."""
    rng = random.Random(5)
    tags = {tag for tag, laws in rewriting.RULES.items() if law in laws}
    changed = 0
    for _ in range(2000):
        tree = expressions.shaped(rng) if rng.random() < 0.3 else expressions.expression(rng, 3)
        if rng.random() < 0.4:
            tree, _ = rewriting.rewritten(tree, rng, 4)
        fitting = [node for _, node in trees.sites(tree) if node[0] in tags or "any" in tags]
        fitting = [node for node in fitting if "any" not in tags or node[0] in mutating.VALUES]
        if not fitting:
            continue
        node = rng.choice(fitting)
        new = law(node, rng)
        if new is None or new == node:
            continue
        changed += 1
        if node[0] in ("compare", "and", "or", "not"):
            node, new = (trees.choice(c, x, trees.add(x, one)) for c in (node, new))
        names = sorted({*trees.variables(node), *trees.variables(new)})
        domains = {name: trees.DOMAINS[name] for name in names}
        for point in digits.points((), domains, rng, 6):
            assert digits.differ(node, new, point, most=1) is not True, (node, new, point)
        if changed == 6:
            return
    assert changed, "the law was never of use"
