"""Functions of bits are canonical, and arithmetic on them is that of machines."""

from __future__ import annotations

import itertools
import random

import pytest

from optgen.translation.bits import vectors
from optgen.translation.bits.diagrams import NO, YES, Diagrams
from optgen.translation.bits.vectors import Vector
from optgen.verify.verdicts import Unsupported


def free(diagrams, word, width):
    return Vector(tuple(diagrams.bit(place, word) for place in range(width)))


def test_equal_functions_are_one_node():
    diagrams = Diagrams()
    a, b, c = (diagrams.bit(0, word) for word in range(3))
    left = diagrams.both(a, diagrams.either(b, c))
    right = diagrams.either(diagrams.both(a, b), diagrams.both(c, a))
    assert left == right
    assert left not in (a, NO, YES)
    assert diagrams.differ(left, right) == NO
    assert diagrams.either(a, diagrams.negate(a)) == YES
    assert diagrams.negate(diagrams.negate(left)) == left


def test_every_function_of_three_bits_has_a_node_of_its_own():
    diagrams = Diagrams()
    bits = [diagrams.bit(0, word) for word in range(3)]
    found = set()
    for table in itertools.product((NO, YES), repeat=8):
        node = NO
        for place, value in enumerate(table):
            row = YES
            for index, bit in enumerate(bits):
                holds = place >> index & 1
                row = diagrams.both(row, bit if holds else diagrams.negate(bit))
            node = diagrams.choose(row, value, node)
        for place, value in enumerate(table):
            words = {index: place >> index & 1 for index in range(3)}
            assert diagrams.number((node,), words) == value
        found.add(node)
    assert len(found) == 256


def test_an_example_makes_a_function_hold():
    diagrams = Diagrams()
    x = free(diagrams, 0, 8)
    node = vectors.equal(diagrams, x, vectors.exactly(0x5A, 8))
    assert diagrams.example(node) == {0: 0x5A}
    assert diagrams.example(NO) is None
    assert diagrams.example(YES) == {}


OPERATIONS = {
    "add": (vectors.add, lambda a, b: a + b),
    "subtract": (vectors.subtract, lambda a, b: a - b),
    "and": (lambda d, a, b: vectors.logic(d, "and", a, b), lambda a, b: a & b),
    "or": (lambda d, a, b: vectors.logic(d, "or", a, b), lambda a, b: a | b),
    "xor": (lambda d, a, b: vectors.logic(d, "xor", a, b), lambda a, b: a ^ b),
}


def signed(value, width):
    return value - (1 << width) if value >> (width - 1) else value


@pytest.mark.parametrize("name", OPERATIONS)
def test_arithmetic_is_that_of_machines(name):
    symbolic, exact = OPERATIONS[name]
    diagrams, width = Diagrams(), 6
    found = symbolic(diagrams, free(diagrams, 0, width), free(diagrams, 1, width))
    for a, b in itertools.product(range(1 << width), repeat=2):
        wanted = exact(a, b) & ((1 << width) - 1)
        assert diagrams.number(found.bits, {0: a, 1: b}) == wanted


@pytest.mark.parametrize(
    "name", ["eq", "ne", *(f"{sign}{c}" for sign in "us" for c in ("lt", "le", "gt", "ge"))]
)
def test_comparisons_are_those_of_machines(name):
    diagrams, width = Diagrams(), 5
    node = vectors.compared(diagrams, name, free(diagrams, 0, width), free(diagrams, 1, width))
    for a, b in itertools.product(range(1 << width), repeat=2):
        x, y = (signed(v, width) if name[0] == "s" else v for v in (a, b))
        word = name if name in ("eq", "ne") else name[1:]
        wanted = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}
        assert diagrams.number((node,), {0: a, 1: b}) == wanted[word]


def test_shifts_and_widths():
    diagrams, width = Diagrams(), 8
    x = free(diagrams, 0, width)
    for value in (0, 1, 0x80, 0xA5, 0xFF, 0x7F):
        number = {0: value}

        def of(vector, number=number):
            return diagrams.number(vector.bits, number)

        for by in range(width + 1):
            assert of(vectors.shift_left(x, by)) == value << by & 0xFF
            assert of(vectors.shift_right(x, by)) == value >> by
            assert of(vectors.shift_right(x, by, signed=True)) == signed(value, 8) >> by & 0xFF
        assert of(vectors.resized(x, 4)) == value & 15
        assert of(vectors.resized(x, 12)) == value
        assert of(vectors.resized(x, 12, signed=True)) == signed(value, 8) & 0xFFF
        assert of(vectors.joined((x, vectors.exactly(3, 2)))) == value | 3 << 8


def test_a_choice_needs_one_width():
    diagrams = Diagrams()
    with pytest.raises(Unsupported, match="3 and 4"):
        vectors.choose(diagrams, YES, vectors.exactly(0, 3), vectors.exactly(0, 4))


def test_functions_that_grow_too_large_are_given_up(monkeypatch):
    from optgen.translation.bits import diagrams as module

    monkeypatch.setattr(module, "_MOST", 200)
    diagrams = Diagrams()
    numbers = random.Random(0)

    def grow(node):
        for _ in range(10_000):
            bits = [diagrams.bit(numbers.randrange(64), numbers.randrange(8)) for _ in range(2)]
            node = diagrams.differ(node, diagrams.both(*bits))

    with pytest.raises(Unsupported, match="too large"):
        grow(NO)
