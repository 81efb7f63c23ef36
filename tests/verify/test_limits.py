"""Expressions that have run away with deciders: a verdict or a reason, in time and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from fractions import Fraction

import pytest
import sympy
from sympy import Abs, Add, Max, Min, Rational, sqrt

from optgen.symbols import symbol
from optgen.verify import Proved, Refuted, Undecided, decide
from optgen.verify.deadline import Deadline, OutOfTime, within
from optgen.verify.enclose import Numbers, TooLarge
from optgen.verify.serialise import Shapes, constants, cut, names, serialise
from optgen.verify.show import show_interval
from optgen.verify.verdicts import Unsupported

LIMIT = 1.0
MEMORY = 2 << 30
x, y, z, underscore = map(symbol, ("x", "y", "z", "_0"))


def nested(levels: int) -> sympy.Expr:
    """Max and Min in turns; sympy's own simplification takes minutes for this."""
    found = x
    for i in range(levels):
        kind, other = (Max, y) if i % 2 else (Min, x)
        found = kind(found / 2 + i, other, evaluate=False)
    return found


def shared(levels: int) -> sympy.Expr:
    """Each level reads both of the level before: as a tree it has 2**levels leaves."""
    first, second = x, y
    for _ in range(levels):
        first, second = first + second * first, first * second + first
    return first


def roots(levels: int) -> sympy.Expr:
    first, second = x, y
    for _ in range(levels):
        first, second = second, sqrt(first + second) + 1
    return second


MANY = [symbol(f"a{i}") for i in range(2000)]
CASES = {
    "nested": lambda: (nested(200), nested(200) + z - Abs(z)),
    "nested_apart": lambda: (nested(200), nested(199)),
    "flat_max": lambda: (
        Max(*[x * i + y**i for i in range(200)], evaluate=False),
        Max(*[x * i + y**i for i in range(199)], evaluate=False),
    ),
    "underscores": lambda: (sqrt(x + 1) + underscore + y, Abs(sqrt(x + 1) - underscore)),
    "powers_of_powers": lambda: (sqrt((x**500 + y) ** 500), Abs((x**500 + y) ** 250)),
    "powers_apart": lambda: ((x**500 + y) ** 500, (x**500 + y) ** 499 * (x**500 + y + 1)),
    "products": lambda: ((x**64 + y + z) ** 64, (z + y + x**64) ** 63 * (x**64 + z + y)),
    "shared": lambda: (shared(22), shared(22) + 1),
    "shared_equal": lambda: (shared(22), shared(22) + z - Max(z, z - 1)),
    "shared_roots": lambda: (roots(22), roots(21)),
    "long_sum": lambda: (Add(*MANY), Add(*MANY) + Abs(x) - Max(x, -x)),
    "long_sum_of_quotients": lambda: (
        Add(*[1 / (x + i) for i in range(2000)]),
        Add(*[1 / (x + i) for i in range(1999)], 2 / (x + 1999) - 1 / (1999 + x)),
    ),
    "many_regions": lambda: (
        Add(*[Abs(s) for s in MANY[:20]]),
        Add(*[Max(s, -s) for s in MANY[:20]]),
    ),
    "many_roots": lambda: (
        Add(*[sqrt(x + i) for i in range(60)]),
        Add(*[sqrt(x + i) for i in range(60)]) + Abs(x) - Max(x, -x),
    ),
    "factors": lambda: (
        Abs(sympy.expand((x**20 + y**15 + z**12 + 1) * (x**18 - y**13 * z + 3))),
        Abs(x**20 + y**15 + z**12 + 1) * Abs(x**18 - y**13 * z + 3),
    ),
    "divisors": lambda: (
        ((x + y + z) ** 12 - 1) / ((x - y + z) ** 12 + 5)
        + ((x + 2 * y + z) ** 12 - 1) / ((x - y + 3 * z) ** 12 + 5),
        ((x + y + z) ** 12 - 1) / ((x - y + z) ** 12 + 5)
        + (sympy.expand((x + 2 * y + z) ** 12) - 1) / ((x - y + 3 * z) ** 12 + 5),
    ),
    "towers": lambda: (x ** (y ** (z**2)), x ** (y ** (z**3))),
    "deep_roots": lambda: (nested_roots(120), nested_roots(120) + y**2 - Abs(y) ** 2),
}


def nested_roots(levels: int) -> sympy.Expr:
    found = x**2
    for _ in range(levels):
        found = sqrt(1 + found)
    return found


WRONG = {
    **dict.fromkeys(("nested_apart", "powers_apart", "shared", "shared_roots"), Proved),
    **dict.fromkeys(("powers_of_powers", "products", "long_sum", "many_roots"), Refuted),
    **dict.fromkeys(("many_regions", "factors", "divisors", "deep_roots"), Refuted),
}


def report(name: str) -> None:
    """Decide one case in a process of its own, and print what it took."""
    import resource

    pair = CASES[name]()
    started = time.monotonic()
    found = decide(*pair, {}, deadline=Deadline.after(LIMIT))
    taken = time.monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    reason = found.reason if isinstance(found, Undecided) else ""
    print(json.dumps([type(found).__name__, reason, taken, memory]))


@pytest.mark.skipif(sys.platform == "win32", reason="the memory of a process is read on Unix")
@pytest.mark.parametrize("name", CASES)
def test_time_and_memory_are_bounded(name: str) -> None:
    code = f"from tests.verify.test_limits import report; report({name!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-800:]
    kind, reason, taken, memory = json.loads(done.stdout)
    assert taken < LIMIT + 1, taken
    assert memory < MEMORY, memory
    assert kind != getattr(WRONG.get(name), "__name__", "")
    if kind == "Undecided":
        assert reason
        assert "Error" not in reason, reason


def test_what_never_looks_at_the_clock_is_broken_off() -> None:
    started = time.monotonic()
    with pytest.raises(OutOfTime):
        within(Deadline.after(0.2), lambda: sum(1 for _ in iter(int, 1)))
    assert time.monotonic() - started < 2


def test_every_thread_is_broken_off() -> None:
    found: list[str] = []

    def work() -> None:
        try:
            within(Deadline.after(0.1), lambda: sum(1 for _ in iter(int, 1)))
        except OutOfTime as error:
            found.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["out of time"] * 3


def test_what_ends_in_time_is_left_alone() -> None:
    deadline = Deadline.after(0.05)
    assert within(deadline, lambda: 7) == 7
    time.sleep(0.5)  # nothing is raised behind its back
    with pytest.raises(OutOfTime):
        within(deadline, lambda: 7)


def test_errors_of_the_work_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        within(Deadline.after(5), lambda: 1 / 0)


def test_a_tiny_difference_is_found_and_shown() -> None:
    found = decide(x + Rational(1, 2**20000) * y, x, {})
    assert isinstance(found, Refuted)
    assert found.left != found.right
    assert len(found.left) + len(found.right) < 100


def test_long_numbers_are_shown_in_few_characters() -> None:
    for value in (Fraction(3, 2**40000), Fraction(-(7**20000)), Fraction(3**9000 + 1, 5**9000)):
        assert 0 < len(show_interval((value, value))) < 60


def test_numbers_that_grow_too_long_are_given_up() -> None:
    numbers = Numbers(96)
    with pytest.raises(TooLarge):
        numbers.power(Fraction(10**500), Fraction(4000))
    assert numbers.power(Fraction(2), Fraction(4000)) == 2**4000


def test_shared_parts_stay_one_tuple() -> None:
    tree = serialise(shared(22))
    assert names(tree) == {"x", "y"}
    assert set(constants(tree)) <= {1, 2}
    shapes = Shapes()
    assert shapes.number(tree, {}) == shapes.number(serialise(shared(22)), {})
    assert shapes.number(tree, {}) != shapes.number(serialise(shared(21)), {})


def test_shared_and_deep_parts_are_cut_out() -> None:
    trees, definitions = cut((serialise(nested(200)), serialise(shared(22))))
    assert len(definitions) > 20
    known: set[str] = {"x", "y"}
    for name, tree in definitions.items():
        assert names(tree) <= known
        known.add(name)
    assert all(names(tree) <= known for tree in trees)


def test_huge_expressions_are_refused_in_words() -> None:
    found = x
    for i in range(1100):
        found = sympy.Mul(2, sympy.Add(found, i, evaluate=False), evaluate=False)
    with pytest.raises(Unsupported, match="levels"):
        serialise(found)
