"""One form for choices: masks and selects that mean the same are the same term."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from optgen.translation import expand
from optgen.translation.terms import Terms

SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 2.5]


def value(term, env):
    """Evaluate a term on float64 numbers, by IEEE's meaning of each operation."""
    parts = term.operands
    match term.operation:
        case "element":
            return env[term.payload]
        case "constant":
            return bool(term.payload) if term.type == "mask" else float(term.payload)
        case "select":
            return value(parts[1 if value(parts[0], env) else 2], env)
        case "lt":
            return value(parts[0], env) < value(parts[1], env)
        case "eq":
            return value(parts[0], env) == value(parts[1], env)
        case "add":
            return value(parts[0], env) + value(parts[1], env)
    raise AssertionError(term.operation)


def bits(number):
    return "nan" if math.isnan(number) else math.copysign(1, number), number


MEANINGS = {
    "max": lambda a, b: np.nan if a != a or b != b else max(a, b) + 0.0,
    "min": lambda a, b: np.nan if a != a or b != b else min(a, b) + 0.0,
    "sign": lambda a: a if a != a else (a > 0) * 1.0 - (a < 0) * 1.0 + 0.0,
}


@pytest.mark.parametrize("name", MEANINGS)
def test_helpers_mean_what_the_table_of_operations_says(name):
    meaning = MEANINGS[name]
    arity = meaning.__code__.co_argcount
    store = Terms()
    operands = [store.element(n, "float64") for n in "ab"[:arity]]
    term = expand.operation(store, name, *operands)
    for given in itertools.product(SPECIAL, repeat=arity):
        found = value(term, dict(zip("ab", given, strict=False)))
        assert str(bits(found)) == str(bits(float(meaning(*given))))


def formula(rng, store, terms, depth):
    """Return a random mask and the same mask as a Python function."""
    if depth == 0:
        name = rng.choice(("lt", "le", "gt", "ge", "eq", "ne"))
        a, b = rng.choices(list(terms), k=2)
        op = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[name]
        mask = expand.operation(store, name, terms[a], terms[b])
        return mask, lambda env: eval(f"{a} {op} {b}", {}, env)
    name = rng.choice(("and", "or", "not"))
    left, f = formula(rng, store, terms, depth - 1)
    right, g = formula(rng, store, terms, depth - 1)
    if name == "not":
        return expand.operation(store, name, left), lambda env: not f(env)
    both = {"and": lambda env: f(env) and g(env), "or": lambda env: f(env) or g(env)}[name]
    return expand.operation(store, name, left, right), both


def test_random_choices_keep_their_meaning_and_have_one_form():
    """Masks with the same values everywhere are one term, masks with others are not."""
    rng = random.Random(7)
    inputs = [dict(zip("xyz", v, strict=True)) for v in itertools.product(SPECIAL, repeat=3)]
    store = Terms()
    terms = {n: store.element(n, "float64") for n in "xyz"}
    forms = {}
    for _ in range(400):
        mask, meaning = formula(rng, store, terms, rng.randrange(3))
        values = tuple(bool(meaning(env)) for env in inputs)
        assert values == tuple(bool(value(mask, env)) for env in inputs)
        forms.setdefault(values, set()).add(mask)
    several = sum(len(found) > 1 for found in forms.values())
    assert several <= 0.1 * len(forms)  # transitivity (x<y, y<z: x<z) is not used


def test_negation_and_order_of_branches_do_not_matter():
    store = Terms()
    x, y = store.element("x", "float32"), store.element("y", "float32")
    one = store.constant(Fraction(1), "float32")
    above = expand.operation(store, "gt", x, y)
    positive = expand.operation(store, "gt", y, one)
    both = expand.operation(store, "and", above, positive)
    joined = expand.choose(store, both, x, y)
    nested = expand.choose(store, above, expand.choose(store, positive, x, y), y)
    neither = expand.operation(
        store,
        "or",
        expand.operation(store, "not", positive),
        expand.operation(store, "not", above),
    )
    assert joined is nested
    assert joined is expand.choose(store, neither, y, x)
    assert joined is not expand.choose(store, both, y, x)


def test_flushed_comparisons_are_others():
    store = Terms()
    x, y = store.element("x", "float32"), store.element("y", "float32")
    assert expand.compare(store, "lt", x, y) is not expand.compare(store, "lt", x, y, flushed=True)


def test_negated_constants_are_constants():
    store = Terms()
    for value_, negated in ((Fraction(0), "-0"), (Fraction(1, 2), Fraction(-1, 2)), ("nan", "nan")):
        constant = store.constant(value_, "float64")
        assert expand.negative(store, constant) is store.constant(negated, "float64")
