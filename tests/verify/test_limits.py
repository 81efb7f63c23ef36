"""A comparison ends in its time and in little memory, whatever the rules are."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

CHILD = '''
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, param, sqrt, symbol
from optgen.verify import compare, explain

LR = Hyperparameter(lr, "1e-3", "[0, oo)")


def chain(form, length, states, turned):
    """Return a rule in which every line reads the two above it."""
    names = [symbol(f"x{i}") for i in range(length)]
    kept = [symbol(f"kept{i}") for i in range(states)]
    total, rule = grad, [Let(names[0], grad + 1)]
    for i, state in enumerate(kept):
        rule.append(Let(symbol(f"total{i}"), total + state))
        total = symbol(f"total{i}")
    rule.append(Let(names[1], total + lr))
    for i in range(2, length):
        pair = (names[i - 2], names[i - 1]) if turned else (names[i - 1], names[i - 2])
        rule.append(Let(names[i], form(*pair)))
    rule += [Set(state, form(state, names[i])) for i, state in enumerate(kept)]
    return OptimizerSpec(
        name="turned" if turned else "straight",
        summary="Every line reads the two above it.",
        hyperparameters=(LR,),
        state=tuple(StateBuffer(state, domain="[0, oo)") for state in kept),
        rule=(*rule, Set(param, param - lr * names[-1])),
    )


form, length, states, timeout = sys.argv[1:]
read = eval("lambda a, b: " + form)
sides = [chain(read, int(length), int(states), turned) for turned in (False, True)]
found = compare(*sides, timeout=float(timeout))
explain(found)
# Linux reports in ru_maxrss what the process that started this one held, if that is more.
try:
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"verdict": found.verdict, "reason": found.reason, "megabytes": peak}))
'''


@dataclass(frozen=True)
class Ended:
    verdict: str
    reason: str
    megabytes: int
    seconds: float


def run(form: str, length: int, states: int, timeout: float) -> Ended:
    pytest.importorskip("resource", reason="limits of a process are set on POSIX only")
    started = time.monotonic()
    command = [sys.executable, "-c", CHILD, form, str(length), str(states), str(timeout)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return Ended(**json.loads(done.stdout), seconds=time.monotonic() - started)


@pytest.mark.parametrize(("form", "states"), [("a + b", 0), ("a + b", 6), ("sqrt(a**2 + b**2)", 0)])
def test_lines_that_each_read_the_two_above(form: str, states: int) -> None:
    ended = run(form, 22, states, 10)
    assert ended.verdict == "equal", ended.reason
    assert ended.megabytes < 500


@pytest.mark.parametrize(
    ("form", "length", "states"),
    [
        ("a * b", 40, 0),
        ("a**2 + b**2", 40, 0),
        ("a**16 * b**16", 22, 2),
        ("a / (1 + b**2)", 22, 0),
        ("a * b + a**2 * b**2", 22, 3),
    ],
)
def test_numbers_and_polynomials_that_explode(form: str, length: int, states: int) -> None:
    ended = run(form, length, states, 1)
    assert ended.verdict != "unknown" or ended.reason == "out of time"
    assert ended.megabytes < 1000
    assert ended.seconds < 15
