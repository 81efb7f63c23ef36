"""Pairs of whole rules: the catalogue's, rewritten line by line or changed in one place."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache

import mpmath
import sympy

from fuzz import digits
from fuzz.digits import NoValue, Number
from fuzz.judging import Limits, Outcome
from fuzz.rewriting import rewritten
from fuzz.trees import SCOPE, Tree
from optgen.domains import REAL, STEP, Domain
from optgen.errors import OptgenError
from optgen.loader import load_catalogue
from optgen.spec import OptimizerSpec
from optgen.symbols import mean, norm, symbol
from optgen.verify import compare
from optgen.verify.comparison import Comparison
from optgen.verify.mutants import mutants
from optgen.verify.serialise import serialise
from optgen.verify.verdicts import Unsupported

_RUNS = 24
_STEPS = 3
Element = dict[str, Number]


@cache
def _catalogue() -> tuple[OptimizerSpec, ...]:
    return tuple(load_catalogue().values())


@cache
def _mutants(index: int) -> tuple[tuple[OptimizerSpec, str], ...]:
    return tuple((m.spec, m.change) for m in mutants(_catalogue()[index]))


def make_rules(seed: int, number: int) -> tuple[OptimizerSpec, OptimizerSpec, str]:
    """Return two rules and how the second was made of the first."""
    rng = random.Random(f"rules:{seed}:{number}")
    while True:
        index = rng.randrange(len(_catalogue()))
        spec = _catalogue()[index]
        other, change = spec, ""
        if rng.random() < 0.5:
            if not _mutants(index):
                continue
            other, change = rng.choice(_mutants(index))
        try:
            other = _rewritten(other, rng, rng.randint(0 if change else 1, 3))
        except (OptgenError, Unsupported, TypeError, ValueError):
            continue  # what is no longer a rule
        if other.rule != spec.rule:
            return spec, other, change


def _rewritten(spec: OptimizerSpec, rng: random.Random, lines: int) -> OptimizerSpec:
    rule = list(spec.rule)
    scope: dict[str, Domain] = {"param": REAL, "grad": REAL, "step": STEP}
    scope |= {h.name: h.domain for h in spec.hyperparameters if isinstance(h.domain, Domain)}
    scope |= {b.name: b.domain for b in spec.state if isinstance(b.domain, Domain)}
    for i in rng.sample(range(len(rule)), min(lines, len(rule))):
        tree = serialise(rule[i].value)
        known = {name: d for name, d in scope.items() if name in _read(tree)}
        token = SCOPE.set(known or {"param": REAL})
        try:
            new, _ = rewritten(tree, rng, rng.randint(1, 4))
        finally:
            SCOPE.reset(token)
        rule[i] = replace(rule[i], value=to_sympy(new))
    return replace(spec, rule=tuple(rule))


def _read(tree: Tree) -> set[str]:
    if tree[0] == "name":
        return {tree[1]}
    return {found for part in tree if isinstance(part, tuple) for found in _read(part)}


def to_sympy(tree: Tree) -> sympy.Basic:
    """Return a tree as a sympy expression."""
    match tree[0]:
        case "number":
            return sympy.Rational(tree[1].numerator, tree[1].denominator)
        case "name":
            return symbol(tree[1])
        case "choice":
            return sympy.Piecewise(*((to_sympy(v), to_sympy(c)) for v, c in tree[1:]))
        case "compare":
            return sympy.Rel(to_sympy(tree[2]), to_sympy(tree[3]), tree[1])
        case "and" if len(tree) == 1:
            return sympy.true
    functions = {
        **{"add": sympy.Add, "mul": sympy.Mul, "power": sympy.Pow, "max": sympy.Max},
        **{"min": sympy.Min, "abs": sympy.Abs, "sign": sympy.sign, "norm": norm, "mean": mean},
        **{"and": sympy.And, "or": sympy.Or, "not": sympy.Not},
    }
    return functions[tree[0]](*map(to_sympy, tree[1:]))


def judge_rules(seed: int, number: int, limits: Limits) -> Outcome:
    """Make a pair of rules, have it compared, and check the verdict by runs of our own."""
    left, right, change = make_rules(seed, number)
    start = time.perf_counter()
    found = compare(left, right, timeout=4 * limits.decider, seed=number)
    seconds = time.perf_counter() - start
    wrong, runs = "", 0
    if found.verdict == "equal":
        wrong, runs = _contradicted(left, right, random.Random(number))
    elif found.verdict == "different":
        wrong = _unseen(left, right, found)
    said = ""
    if limits.z3:
        from optgen.verify.smt.opinion import second_opinion

        said, why = second_opinion(left, right, found, limit=4 * limits.z3)
        if said == "disagrees":
            wrong = f"{wrong}; {why}".strip("; ")
    keep = bool(wrong) or found.verdict == "unknown"
    lines = [f"{a.name}={a.value}" for a, b in zip(right.rule, left.rule, strict=False) if a != b]
    return Outcome(
        number,
        ("mutated" if change else "rewritten", "a rule" if change else "", "rule"),
        found.verdict,
        found.reason,
        seconds,
        said,
        runs,
        wrong=wrong,
        pair=(left.name, "; ".join([change, *lines])) if keep else ("", ""),
    )


def _contradicted(left: OptimizerSpec, right: OptimizerSpec, rng: random.Random) -> tuple[str, int]:
    """Return a run in which rules that are held equal differ, and how many runs had values."""
    hyper = {h.name: h.domain for spec in (left, right) for h in spec.hyperparameters}
    clear = 0
    for attempt in range(_RUNS):
        size = 2 if attempt % 4 == 3 else 1
        inputs = ["param", *(f"grad_{k}" for k in range(1, _STEPS + 1))]
        names = [f"{n}[{e}]" if size > 1 else n for n in inputs for e in range(size)]
        domains: dict[str, Domain] = {**hyper, **dict.fromkeys(names, REAL)}  # type: ignore[arg-type]
        point = next(digits.points((), domains, rng, 1 + attempt % 5))
        differs = _differ(left, right, point, _STEPS, size)
        clear += differs is not None
        if differs:
            return f"equal, but not in the run {point}", clear
    return "", clear


def _unseen(left: OptimizerSpec, right: OptimizerSpec, found: Comparison) -> str:
    """Return what is wrong with a witness; empty if it shows a difference."""
    assert found.witness is not None
    point = {name: Fraction(value) for name, value in found.witness.items()}
    if found.reachable:
        size = sum(name.startswith("param[") for name in point) or 1
        steps = sum(name in (f"grad_{k}", f"grad_{k}[0]") for k in range(1, 9) for name in point)
        differs = _differ(left, right, point, steps, size)
    else:
        differs = _differ_in_one_step(left, right, point, found.matching or {})
    return "" if differs else f"different, but not seen to be so at {point}"


def _differ(
    left: OptimizerSpec, right: OptimizerSpec, point: Mapping[str, Fraction], steps: int, size: int
) -> bool | None:
    """Whether parameters or query points of a run differ at some step; None if not clear."""
    for number in digits.DIGITS:
        seen = []
        for more in (number, 4 * number):
            try:
                with mpmath.workdps(more):
                    runs = [_run(spec, point, steps, size) for spec in (left, right)]
                    seen.append([_distance(a, b) for a, b in zip(*runs, strict=True)])
            except NoValue:
                break
        if len(seen) == 2:
            small = mpmath.mpf(10) ** (-number // 2)
            return any(a > small and abs(a - b) < a / 100 for a, b in zip(*seen, strict=True))
    return None


def _distance(a: Number, b: Number) -> mpmath.mpf:
    a, b = digits.as_real(a), digits.as_real(b)
    return abs(a - b) / max(mpmath.mpf(1), abs(a), abs(b))


def _run(spec: OptimizerSpec, point: Mapping[str, Fraction], steps: int, size: int) -> list[Number]:
    """Return query points and parameters behind every step, element by element."""

    def at(name: str, e: int) -> Fraction:
        return point[f"{name}[{e}]" if size > 1 else name]

    env: list[Element] = [
        {h.name: point[h.name] for h in spec.hyperparameters}
        | {b.name: Fraction(b.initial) for b in spec.state}
        | {"param": at("param", e)}
        for e in range(size)
    ]
    lines = [(a.name, serialise(a.value)) for a in spec.rule]
    query = serialise(spec.query)
    trace: list[Number] = []
    for k in range(1, steps + 1):
        for e, element in enumerate(env):
            element |= {"grad": at(f"grad_{k}", e), "step": Fraction(k)}
        trace += _values(query, env)
        for name, tree in lines:
            for element, value in zip(env, _values(tree, env), strict=True):
                element[name] = value
        trace += [element["param"] for element in env]
    return trace


def _values(tree: Tree, env: list[Element]) -> list[Number]:
    whole = _without_sums(tree, env)
    return [digits.evaluate(whole, element) for element in env]  # type: ignore[arg-type]


def _without_sums(tree: Tree, env: list[Element]) -> Tree:
    """Put the values of norms and means in their places."""
    if tree[0] in ("norm", "mean"):
        values = _values(tree[1], env)
        if tree[0] == "mean":
            return (
                "mul",
                ("number", Fraction(1, len(env))),
                ("add", *(("number", v) for v in values)),
            )
        squares = [("power", ("number", v), ("number", Fraction(2))) for v in values]
        return ("power", ("add", *squares), ("number", Fraction(1, 2)))
    return tuple(_without_sums(part, env) if isinstance(part, tuple) else part for part in tree)


def _differ_in_one_step(
    left: OptimizerSpec,
    right: OptimizerSpec,
    point: Mapping[str, Fraction],
    matching: Mapping[str, str],
) -> bool:
    for number in digits.DIGITS:
        seen = []
        for more in (number, 4 * number):
            try:
                with mpmath.workdps(more):
                    after = [
                        _after(spec, point, back)
                        for spec, back in (
                            (left, {a: a for a in matching}),
                            (right, {b: a for a, b in matching.items()}),
                        )
                    ]
                    pairs = [("param", "param"), ("?query", "?query"), *matching.items()]
                    seen.append(
                        [
                            _distance(after[0][a], after[1][b])
                            if a in after[0] and b in after[1]
                            else mpmath.mpf(0)
                            for a, b in pairs
                        ]
                    )
            except NoValue:
                break
        if len(seen) == 2:
            small = mpmath.mpf(10) ** (-number // 2)
            return any(a > small and abs(a - b) < a / 100 for a, b in zip(*seen, strict=True))
    return False


def _after(spec: OptimizerSpec, point: Mapping[str, Fraction], back: Mapping[str, str]) -> Element:
    some = Fraction(1, 2)  # of what neither side reads
    env: Element = {h.name: point.get(h.name, some) for h in spec.hyperparameters}
    env |= {b.name: point.get(back.get(b.name, ""), Fraction(b.initial)) for b in spec.state}
    env |= {name: point.get(name, some) for name in ("param", "grad")}
    env["step"] = point.get("step", Fraction(1))
    lines = [("?query", spec.query), *((a.name, a.value) for a in spec.rule)]
    for name, value in lines:
        try:
            (env[name],) = _values(serialise(value), [env])
        except (NoValue, KeyError):  # a state may differ though a later line has no value
            env.pop(name, None)
    return env
