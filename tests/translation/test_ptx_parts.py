"""Integers, conditions and reals of the PTX reader, and what the parser was taught for it."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from optgen.crosscheck.ptx import PtxUnsupported, parse
from optgen.translation.ptx_conditions import Fork, Less, Not, equal, evaluate, implied, less
from optgen.translation.ptx_difference import describe
from optgen.translation.ptx_flow import flow
from optgen.translation.ptx_integers import (
    Quotients,
    add,
    linear_in,
    multiply,
    replace,
    subtract,
    symbol,
    symbols,
)
from optgen.translation.ptx_reals import Reals
from optgen.translation.terms import Terms
from optgen.verify.verdicts import Unsupported

X, Y, N = symbol("x"), symbol("y"), symbol("n")


def value(number, env, known=None):
    """Evaluate a number; quotients by their definitions."""
    for name in symbols(number):
        if name in env:
            number = replace(number, name, env[name])
        else:
            numerator, by = known.defined[name]
            number = replace(number, name, value(numerator, env, known) // by)
    assert isinstance(number, int)
    return number


def random_number(rng):
    total = rng.randrange(-9, 10)
    for each in (X, Y, multiply(X, Y)):
        total = add(total, multiply(rng.randrange(0, 9), each))
    return total


def test_quotients_and_remainders_are_those_of_integers():
    rng = random.Random(1)
    for _ in range(300):
        known = Quotients({"x": 15, "y": 7})
        number = add(random_number(rng), 9)
        by = rng.choice((1, 2, 4, 8, 16))
        quotient, rest = known.quotient(number, by), known.remainder(number, by)
        for x, y in itertools.product((0, 1, 7, 15), (0, 3, 7)):
            env = {"x": x, "y": y}
            whole = value(number, env)
            assert value(quotient, env, known) == whole // by
            assert value(rest, env, known) == whole % by


def test_bounds_and_bits_hold():
    rng = random.Random(2)
    known = Quotients({"x": 15, "y": 7})
    for _ in range(200):
        number = random_number(rng)
        low, high = known.least_value(number), known.largest_value(number)
        mask = known.bits(number)
        for x, y in itertools.product(range(16), range(8)):
            found = value(number, {"x": x, "y": y})
            assert low <= found <= high
            assert mask is None or found | mask == mask


def test_conditions_mean_what_they_compare():
    rng = random.Random(3)
    known, store = Quotients(), Terms()
    for _ in range(200):
        left, right = random_number(rng), random_number(rng)
        for build, meaning in ((less, int.__lt__), (equal, int.__eq__)):
            condition = build(left, right)
            for x, y in itertools.product((0, 1, 2, 5), repeat=2):
                env = {"x": x, "y": y}
                wanted = meaning(value(left, env), value(right, env))
                try:
                    found = evaluate(condition, {}, known, store)
                except Fork as fork:
                    zero = value(fork.atom.poly, env)
                    holds = zero < 0 if isinstance(fork.atom, Less) else zero == 0
                    found = evaluate(condition, {fork.atom: holds}, known, store)
                assert found == wanted


def test_what_is_implied_is_true():
    """Whatever one fact says about an atom holds wherever the fact does."""
    rng = random.Random(4)
    known = Quotients()
    said = 0
    for _ in range(2000):
        atoms = [less(random_number(rng), random_number(rng)) for _ in range(2)]
        atoms = [a.condition if isinstance(a, Not) else a for a in atoms]
        if any(isinstance(a, bool) for a in atoms):
            continue
        holds = rng.random() < 0.5
        found = implied(atoms[1], {atoms[0]: holds}, known)
        if found is None:
            continue
        said += 1
        for x, y in itertools.product(range(5), repeat=2):
            env = {"x": x, "y": y}
            if (value(atoms[0].poly, env) < 0) == holds:
                assert (value(atoms[1].poly, env) < 0) == found
    assert said > 300


def test_linear_parts():
    number = add(multiply(X, add(Y, 3)), N)
    assert linear_in(number, "x") == (add(Y, 3), N)
    assert linear_in(multiply(X, X), "x") is None
    assert str(subtract(multiply(4, multiply(X, Y)), 1)) == "4*x*y - 1"


PTX = """
.version 8.0
.target sm_80
.address_size 64
.global .align 1 .b8 table[3] = {{1, 2, 3}};
.visible .entry k(.param .u64 k_0)
{limits}
{{
  .reg .b32 %r<4>;
  mov.u32 %r1, {source};
  ret;
}}
"""


def test_required_blocks_and_tables():
    for limits, found in (
        (".reqntid 128", (128, True)),
        (".maxntid 256, 1, 1", (256, False)),
        ("", (None, False)),
    ):
        entry = parse(PTX.format(limits=limits, source="%tid.x")).entries["k"]
        assert (entry.max_threads, entry.exact_threads) == found
    with pytest.raises(PtxUnsupported):
        parse(PTX.format(limits="", source="table"))


LOOP = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry k()
{
  .reg .b32 %r<4>;
  .reg .pred %p<4>;
  mov.u32 %r1, 0;
  setp.lt.u32 %p1, %r1, 3;
  @%p1 bra $A;
  add.u32 %r1, %r1, 5;
  bra.uni $B;
$A:
  add.u32 %r1, %r1, 1;
  @%p1 bra $A;
$B:
  ret;
}
"""


def test_the_graph_of_a_kernel():
    found = flow(parse(LOOP).entries["k"])
    assert found.meets[2] == 7
    assert found.loops == {5: frozenset((5, 6))}


def test_differences_are_found_inside():
    store = Terms()
    p, g = store.element("param", "float32"), store.element("grad", "float32")
    lr = store.scalar("lr", "float32")

    def update(rounding):
        step = store.make("mul", "float32", (lr, g), rounding=rounding)
        return store.make("sub", "float32", (p, step), rounding="nearest")

    said = describe(update("nearest"), update("approx"), {})
    assert said == "rounds approximately instead of to nearest"
    said = describe(update("nearest"), store.make("sub", "float32", (p, lr), None, "nearest"), {})
    assert said == "computes lr instead of mul(grad, lr)"


def test_what_has_no_meaning_over_the_reals_is_unsupported():
    store = Terms()
    x = store.element("x", "float32")
    reals = Reals({}, {})
    for term in (
        store.constant("inf", "float32"),
        store.constant("nan", "float32"),
        store.make("lg2", "float32", (x,)),
        store.make("element", "float32", payload=("x", 1)),
    ):
        with pytest.raises(Unsupported):
            reals.tree(term)
    assert reals.tree(store.constant("-0", "float32")) == ("number", Fraction(0))
