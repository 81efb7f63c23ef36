"""The parts that C is read back by: numbers, LLVM's text, C's text, one form of floats."""

import math

import pytest

from optgen.translation import expand
from optgen.translation.c.code import Float, Many, Struct, offset_of, size_of
from optgen.translation.c.floats import Settling, compared
from optgen.translation.c.integers import (
    Condition,
    Facts,
    compare,
    divided,
    minus,
    plus,
    scaled,
    symbol,
)
from optgen.translation.c.llvm import read_llvm
from optgen.translation.c.memory import Fault, Memory, Pointer, Store, read
from optgen.translation.c.source_types import number
from optgen.translation.terms import Terms
from optgen.verify.verdicts import Unsupported

N = symbol("n")


def test_linear_numbers():
    assert plus(scaled(N, 4), minus(3, scaled(N, 4))) == 3
    assert divided(plus(scaled(N, 4), 8), 4) == plus(N, 2)
    assert divided(plus(scaled(N, 4), 2), 4) is None


def test_what_follows_from_facts():
    facts = Facts([N])
    q = facts.quotient(N, 32)
    kept = scaled(q, 32)
    assert facts.never_negative(minus(N, kept))
    assert facts.never_negative(minus(plus(kept, 31), N))
    assert not facts.never_negative(minus(kept, 1))
    facts.assume(compare("uge", N, 32, facts))
    assert facts.never_negative(minus(kept, 32)), "q is a whole number"
    assert facts.quotient(N, 32) is q
    assert facts.decide(Condition(minus(N, 31), False)) is True
    assert facts.decide(Condition(minus(N, 40), True)) is None


def test_numbers_that_may_wrap_around_are_not_compared():
    facts = Facts([N])
    with pytest.raises(Unsupported, match="may be negative"):
        compare("ult", minus(N, 1), 5, facts)
    with pytest.raises(Unsupported, match="too large"):
        compare("eq", scaled(N, 1 << 40), 0, facts)
    with pytest.raises(Unsupported, match="too large"):
        facts.quotient(scaled(N, 1 << 62), 1 << 62)


def test_memory_is_guarded():
    memory = Memory("x", 8)
    store = Store()
    store.write(Pointer(memory, 4), 7, 4)
    assert read(Pointer(memory, 4), 4) == 7
    for offset in (-4, 8, 6):
        with pytest.raises(Fault):
            store.write(Pointer(memory, offset), 1, 4)
    with pytest.raises(Unsupported):
        store.write(Pointer(memory, 2), 1, 4)
    with pytest.raises(Unsupported):
        read(Pointer(memory, 0), 4)
    memory.writable = False
    with pytest.raises(Fault, match="x is written"):
        store.write(Pointer(memory, 4), 1, 4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0.1f", 0.10000000149011612), ("1e-10", 1e-10), ("16383", 16383), ("0x10u", 16)),
        *(("010", 8), ("0x1p-150", 2.0**-150)),
    ],
)
def test_constants_of_c(text, value):
    assert number(text)[0].value == value


def test_constants_that_are_not_read():
    assert number("1.0l") is None
    assert number("0x1p3l") is None
    assert number("0x1.8p3") is None
    assert number("99999999999999999999") is None


def test_layout_is_that_of_c():
    kind = Struct((Float("float32"), Float("float64"), Many(3, Float("float32"), True)))
    assert [offset_of(kind, i) for i in range(3)] == [0, 8, 16]
    assert size_of(kind) == 32


def function(body):
    return f"define float @f(float %0, float %1) {{\n{body}\n}}\n"


@pytest.mark.parametrize("flag", ["fast", "contract", "reassoc", "nsz", "arcp", "afn", "nnan"])
def test_flags_of_instructions_are_noted(flag):
    text = function(f"  %3 = fadd {flag} float %0, %1\n  ret float %3")
    assert flag in read_llvm(text).loose[0]


def test_attributes_of_functions_are_noted():
    for bad in ('"unsafe-fp-math"="true"', '"denormal-fp-math"="preserve-sign,preserve-sign"'):
        assert read_llvm(f"attributes #0 = {{ nounwind {bad} }}\n").loose
    assert not read_llvm('attributes #0 = { "denormal-fp-math"="ieee,ieee" }\n').loose


@pytest.mark.parametrize(
    "body",
    [
        "  %3 = frem float %0, %1\n  ret float %3",
        "  %3 = load volatile float, float* %0\n  ret float %3",
        "  %3 = fadd float %0, 0xK3FFF8000000000000000\n  ret float %3",
        "  switch i32 %0, label %3 [ ]",
        "  %3 = invoke float @g()\n  ret float %3",
    ],
)
def test_what_is_not_read_leaves_its_function_out(body):
    program = read_llvm(function(body))
    assert "f" not in program.functions
    with pytest.raises(Unsupported, match="line 2"):
        program.find("f")


def values(store):
    return [store.scalar(name, "float32") for name in "xyz"]


def test_one_form_of_sums_and_products():
    store = Terms()
    settle = Settling(store).settle
    x, y, z = values(store)
    zero, minus_zero, half = (store.number(v, "float32") for v in (0.0, -0.0, 0.5))

    def op(name, *operands):
        return expand.operation(store, name, *operands)

    def same(left, right):
        return settle(left) is settle(right)

    assert same(op("add", x, minus_zero), x)
    assert same(op("add", op("add", x, zero), zero), op("add", x, zero))
    assert same(op("sub", x, y), op("add", x, op("neg", y)))
    assert same(op("div", x, store.number(2.0, "float32")), op("mul", x, half))
    assert same(op("mul", op("neg", x), y), op("neg", op("mul", x, y)))
    for left, right in (
        (op("add", x, zero), x),
        (op("sub", x, y), op("sub", y, x)),
        (op("div", x, store.number(3.0, "float32")), op("mul", x, store.number(0.25, "float32"))),
        (op("add", op("add", x, y), z), op("add", x, op("add", y, z))),
        (op("div", x, store.number(2.0**-149, "float32")), op("mul", x, half)),
    ):
        assert not same(left, right)


def test_a_rule_for_floats_changes_no_bit():
    """Each rule of `Settling`, tried on every pair of special values."""
    import numpy as np

    special = [0.0, -0.0, 1.0, -1.5, 2.0**-149, -(2.0**-126), 3e38, math.inf, -math.inf, math.nan]
    pairs = [(np.float32(a), np.float32(b)) for a in special for b in special]
    rules = [
        (lambda x, y: x + np.float32(-0.0), lambda x, y: x),
        (lambda x, y: (x + np.float32(0)) + np.float32(0), lambda x, y: x + np.float32(0)),
        (lambda x, y: x + -y, lambda x, y: x - y),
        (lambda x, y: np.float32(-0.0) - x, lambda x, y: -x),
        (lambda x, y: -x * y, lambda x, y: -(x * y)),
        (lambda x, y: x / np.float32(2), lambda x, y: x * np.float32(0.5)),
        (lambda x, y: x * np.float32(2), lambda x, y: x + x),
        (
            lambda x, y: np.float32(np.float64(x) * np.float64(y)),
            lambda x, y: x * y,
        ),
        (lambda x, y: np.float32(np.sqrt(np.float64(x))), lambda x, y: np.sqrt(x)),
    ]
    with np.errstate(all="ignore"):
        for x, y in pairs:
            for left, right in rules:
                a, b = np.float32(left(x, y)), np.float32(right(x, y))
                assert (np.isnan(a) and np.isnan(b)) or a.view("u4") == b.view("u4"), (x, y)


def test_comparisons_of_llvm():
    store = Terms()
    x, y, _ = values(store)
    settle = Settling(store).settle
    greater = compared(store, "ogt", x, y)
    assert settle(compared(store, "ule", x, y)) is settle(expand.logic(store, "not", greater))
    both = expand.logic(store, "or", greater, compared(store, "olt", x, y))
    assert settle(compared(store, "one", x, y)) is settle(both)
    assert compared(store, "true", x, y).payload == 1
    with pytest.raises(Unsupported):
        compared(store, "unheard", x, y)
