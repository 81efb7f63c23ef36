import numpy as np
import pytest

from optgen.ir import RANDOM
from optgen.philox import philox, random_numbers

# The known answers that the authors of Philox publish with Random123 (kat_vectors).
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "wanted"), KNOWN)
def test_known_answers(counter, key, wanted):
    given = tuple(np.array([word], np.uint64) for word in words(counter))
    found = philox(given, tuple(words(key)))
    assert [int(word[0]) for word in found] == words(wanted)


def test_eight_neighbours_share_the_half_words_of_a_call_low_first():
    numbers = random_numbers(10, 0, 0, 0)
    assert numbers["random0"][:8].tolist() == [
        0xE8D5, 0x6627, 0xC58D, 0xE169, 0xAC4C, 0xBC57, 0xDBD8, 0x9B00,
    ]  # fmt: skip
    for name, place in (("random0", 8), ("random7", 15)):
        given = tuple(np.array([word], np.uint64) for word in (place, 0, 0, 0))
        assert numbers[name][8] == philox(given, (0, 0))[0][0] % 2**16
        assert numbers[name][9] == philox(given, (0, 0))[0][0] >> np.uint64(16)


def test_no_two_numbers_of_a_tensor_come_from_one_call():
    numbers = random_numbers(2**14, 1, 2, 3)
    words = np.stack(list(numbers.values())).reshape(len(RANDOM), -1, 8)
    assert len(np.unique(words.reshape(-1, 8), axis=0)) == words.size // 8


def test_every_argument_matters_and_elements_do_not_hang_together():
    base = random_numbers(4096, 5, 7, 3)["random0"]
    for given in ((4096, 6, 7, 3), (4096, 5, 8, 3), (4096, 5, 7, 4), (4096, 5 + 2**32, 7, 3)):
        assert (random_numbers(*given)["random0"] == base).mean() < 0.01
    assert np.array_equal(random_numbers(100, 5, 7, 3)["random0"], base[:100])
    assert abs(base.mean() / 32767.5 - 1) < 0.05
