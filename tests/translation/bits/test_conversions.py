"""The conversions that code is compared with are those of IEEE 754, and only those are found."""

from __future__ import annotations

import numpy as np
import pytest

from optgen.translation import expand
from optgen.translation.bits.conversions import Conversions, bits_of, constant, is_nan
from optgen.translation.bits.differences import differs
from optgen.translation.bits.words import Bits
from optgen.translation.kernel_terms import convert, rounded_at_random
from optgen.translation.numpy_conversions import nearest_bfloat16
from optgen.translation.terms import Terms
from optgen.verify.verdicts import Unsupported

HALVES = ("bfloat16", "float16")
CORNERS = np.array(
    [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000, 0x33000000,
     0x33000001, 0x33800000, 0x387FE000, 0x387FF000, 0x38800000, 0x38801000, 0x38803000,
     0x477FE000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x3F808000, 0x3F818000, 0x7F7F8000],
    np.uint32,
)  # fmt: skip


def singles(count=2000):
    drawn = np.random.default_rng(5).integers(0, 2**32, count, dtype=np.uint32)
    both = np.concatenate([drawn, CORNERS, CORNERS | np.uint32(0x80000000)])
    near = np.concatenate([both, both + np.uint32(1), both - np.uint32(1)])
    # Numbers that float16 holds, and halfway between them, are rare among all.
    halves = np.arange(0, 2**16, 37, dtype=np.uint16).view(np.float16).astype(np.float32)
    return np.concatenate(
        [near, halves.view(np.uint32) + np.uint32(0x1000), halves.view(np.uint32)]
    )


def rounded(bits, half):
    if half == "bfloat16":
        return nearest_bfloat16(bits)
    with np.errstate(all="ignore"):
        return bits.view(np.float32).astype(np.float16).view(np.uint16).astype(np.uint32)


@pytest.mark.parametrize("half", HALVES)
def test_values_of_two_bytes_are_widened_exactly(half):
    conversions = Conversions()
    stored = conversions.store.scalar("0", half)
    vector = conversions.of(convert(conversions.store, stored, "float32"))
    given = np.arange(0, 2**16, 3 if half == "float16" else 7, dtype=np.uint16)
    if half == "float16":
        wanted = given.view(np.float16).astype(np.float32).view(np.uint32)
    else:
        wanted = given.astype(np.uint32) << np.uint32(16)
    for bits, expected in zip(map(int, given), map(int, wanted), strict=True):
        found = conversions.number(vector, {stored: bits})
        assert found == expected or (is_nan(found, "float32") and is_nan(bits, half))


@pytest.mark.parametrize("half", HALVES)
def test_float32_is_rounded_to_nearest(half):
    conversions = Conversions()
    value = conversions.store.scalar("0", "float32")
    vector = conversions.of(convert(conversions.store, value, half))
    given = singles()
    for bits, expected in zip(map(int, given), map(int, rounded(given, half)), strict=True):
        found = conversions.number(vector, {value: bits})
        if is_nan(bits, "float32"):
            assert is_nan(found, half)
        else:
            assert found == expected, hex(bits)


def test_random_rounding_is_the_interpreters():
    conversions = Conversions()
    store = conversions.store
    value, random = store.scalar("0", "float32"), store.scalar("1", "bits16")
    vector = conversions.of(rounded_at_random(store, value, random))
    for bits in map(int, singles(20)[:150]):
        for number in (0, 1, 0x8000, 0xFFFF):
            found = conversions.number(vector, {value: bits, random: number})
            if is_nan(bits, "float32"):
                assert is_nan(found, "bfloat16")
            elif bits & 0x7FFFFFFF == 0x7F800000:
                assert found == bits >> 16
            else:
                assert found == (bits + number) % 2**32 >> 16


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_constants_and_their_bits(kind):
    store = Terms()
    for term in (
        store.number(1.5, kind), store.number(-0.0, kind), store.number(0.0, kind),
        store.number(float("inf"), kind), store.number(float("-inf"), kind),
        store.number(float("nan"), kind),
    ):  # fmt: skip
        assert constant(store, bits_of(term), kind) is term


def test_a_word_is_no_constant():
    with pytest.raises(Unsupported, match="bits16"):
        constant(Terms(), 3, "bits16")


def nearest_by_hand(bits, x, *, half=0x7FFF):
    """Return the integer code that generated C rounds with."""
    word = bits.of(x)
    above = bits.shifted("lshr", word, 16)
    odd = bits.compute("and", above, bits.number(1, 32))
    total = bits.compute("add", bits.compute("add", word, bits.number(half, 32)), odd)
    size = bits.compute("and", word, bits.number(0x7FFFFFFF, 32))
    nan = bits.compared("ugt", size, bits.number(0x7F800000, 32))
    quiet = bits.compute("or", above, bits.number(0x40, 32))
    return bits.resized(bits.choose(nan, quiet, bits.shifted("lshr", total, 16)), 16)


def test_integer_code_is_known_as_a_conversion():
    store = Terms()
    bits = Bits(store)
    x = store.element("x", "float32")
    assert bits.value(nearest_by_hand(bits, x), "bfloat16") is convert(store, x, "bfloat16")
    wide = bits.shifted("shl", bits.resized(bits.of(store.element("h", "bfloat16")), 32), 16)
    found = bits.value(wide, "float32")
    assert found is convert(store, store.element("h", "bfloat16"), "float32")
    # Rounded twice is rounded once; and a value of two bytes that comes back is itself.
    again = convert(store, convert(store, x, "bfloat16"), "float32")
    assert bits.value(nearest_by_hand(bits, again), "bfloat16") is convert(store, x, "bfloat16")
    assert bits.value(nearest_by_hand(bits, found), "bfloat16") is store.element("h", "bfloat16")


def test_signs_are_known():
    store = Terms()
    bits = Bits(store)
    x = store.element("x", "float32")
    low = bits.compute("and", bits.of(x), bits.number(0x7FFFFFFF, 32))
    assert bits.value(low, "float32") is expand.operation(store, "abs", x)
    turned = bits.compute("xor", bits.of(x), bits.number(1 << 31, 32))
    assert bits.value(turned, "float32") is expand.negative(store, x)


def test_what_is_no_conversion_is_a_value_of_its_own():
    store = Terms()
    bits = Bits(store)
    x = store.element("x", "float32")
    cut = bits.resized(bits.shifted("lshr", bits.of(x), 16), 16)
    found = bits.value(cut, "bfloat16")
    assert found.operation == "bits"
    said = differs(bits, convert(store, x, "bfloat16"), found)
    assert "gives" in said
    assert "instead of" in said
    # Twice x is x + x in a way that is not seen, so nothing is said of what is made of them.
    twice = expand.operation(store, "mul", x, store.element("two", "float32"))
    cut = bits.resized(bits.shifted("lshr", bits.of(twice), 16), 16)
    doubled = convert(store, expand.operation(store, "add", x, x), "bfloat16")
    with pytest.raises(Unsupported, match="not followed"):
        differs(bits, doubled, bits.value(cut, "bfloat16"))


def test_a_value_that_depends_on_another_is_not_taken_for_free():
    """x + 0.5 is never less than x, so code that would differ there does not."""
    store = Terms()
    bits = Bits(store)
    x = store.element("x", "float32")
    half = store.number(0.5, "float32")
    more = expand.operation(store, "add", expand.operation(store, "abs", x), half)
    zero = bits.compared("eq", bits.of(more), bits.number(0, 32))
    found = bits.value(bits.choose(zero, bits.number(1, 16), nearest_by_hand(bits, x)), "bfloat16")
    assert found.operation == "bits"  # which is not seen to be the conversion
    with pytest.raises(Unsupported, match="not followed"):
        differs(bits, convert(store, x, "bfloat16"), found)


def test_loops_ask_once_for_all_their_elements():
    from optgen.translation.bits import recipes

    store = Terms()
    bits = Bits(store)
    before = recipes.conversion.cache_info().misses
    for lane in range(8):
        x = store.make("element", "float32", payload=("x", lane))
        found = bits.value(nearest_by_hand(bits, x, half=0x7FFF), "bfloat16")
        assert found is convert(store, x, "bfloat16")
    assert recipes.conversion.cache_info().misses <= before + 1


def test_words_fold_numbers():
    bits = Bits(Terms())
    five, three = bits.number(5, 8), bits.number(3, 8)
    assert bits.compute("sub", three, five).number == 254
    assert bits.shifted("ashr", bits.number(0x80, 8), 7).number == 0xFF
    assert bits.resized(bits.number(0x80, 8), 16, signed=True).number == 0xFF80
    assert bits.compared("slt", bits.number(0x80, 8), five).payload == 1
    assert bits.same(bits.compute("add", five, three), bits.number(8, 8))
    with pytest.raises(Unsupported, match="by 8"):
        bits.shifted("shl", five, 8)
    with pytest.raises(Unsupported, match="8 bits as a float32"):
        bits.value(five, "float32")


def test_a_whole_number_becomes_a_float_only_if_it_is_held():
    store = Terms()
    bits = Bits(store)
    word = bits.resized(bits.of(store.element("h", "float16")), 32)
    assert bits.whole(word, "float32").operation == "whole"
    assert bits.whole(word, "float32", signed=True).operation == "whole"
    x = bits.of(store.element("x", "float32"))
    with pytest.raises(Unsupported, match="with a sign"):
        bits.whole(x, "float32", signed=True)


def test_choices_by_bits_are_not_read_as_comparisons():
    """An atom over two values is neither their order nor their equality."""
    from optgen.translation.c.floats import Settling
    from optgen.translation.ptx_reals import Reals

    store = Terms()
    bits = Bits(store)
    x, y = store.element("x", "float32"), store.element("y", "float32")
    mask = bits.compared("ult", bits.of(x), bits.of(y))
    chosen = expand.choose(store, mask, x, y)
    with pytest.raises(Unsupported, match="by the bits"):
        Reals({}, {}).tree(chosen)
    assert Settling(store).settle(chosen) is chosen


def test_a_product_is_the_same_only_of_the_same():
    store = Terms()
    bits = Bits(store)
    word = bits.resized(bits.of(store.scalar("seed", "bits32")), 64)
    other = bits.compute("xor", bits.compute("xor", word, bits.number(5, 64)), bits.number(5, 64))
    assert bits.same(bits.multiplied(word, 0xD2511F53), bits.multiplied(other, 0xD2511F53))
    assert not bits.same(bits.multiplied(word, 0xD2511F53), bits.multiplied(word, 0xCD9E8D57))
    moved = bits.compute("add", word, bits.number(1, 64))
    assert not bits.same(bits.multiplied(word, 3), bits.multiplied(moved, 3))
    assert bits.multiplied(bits.number(3, 8), 100).number == 300 - 256
    assert bits.same(bits.multiplied(word, 8), bits.shifted("shl", word, 3))
    low = bits.part(bits.multiplied(bits.of(store.element("h", "bits16")), 3), 0, 16)
    assert low.width == 16
    assert (
        bits.value(bits.multiplied(bits.of(store.element("x", "float32")), 3), "float32").operation
        == "bits"
    )
