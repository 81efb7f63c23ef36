"""Every proved bound on a step, of all rules there are in the project, against random runs."""

import random
import re
from pathlib import Path

import pytest
import sympy

from optgen.loader import load_catalogue
from optgen.sheet.floats import NoValue, Program
from optgen.sheet.step_bound import entries
from optgen.sheet.subject import Subject
from optgen.verify.deadline import Deadline

SPECS = Path(__file__).parents[1] / "claims" / "specs"
CATALOGUE = load_catalogue((SPECS,))
STEPS = 14


@pytest.mark.slow
@pytest.mark.parametrize("rule", list(CATALOGUE))
def test_no_run_passes_a_proved_bound(rule: str) -> None:
    spec = CATALOGUE[rule]
    names = {s.name: s for s in spec.domains}
    functions = {"min": sympy.Min, "max": sympy.Max}
    program, rng, tried = Program(spec), random.Random(rule), 0
    for entry in entries(Subject(spec, CATALOGUE, Deadline.after(60))):
        moved = re.match(r"abs\(param_next - (.*)\) <= ", entry.statement)
        if moved is None or entry.outcome != "proved":
            continue
        bound = sympy.sympify(entry.values["bound"], locals={**names, **functions})
        start = sympy.sympify(moved.group(1), locals=names)
        share = sympy.diff(start, names["param"])
        compute = sympy.lambdify(list(names.values()), (bound, share), "math")
        for _ in range(400):
            chosen = _hyperparameters(rule, rng)
            if chosen.get("beta1", 0) ** 2 >= chosen.get("beta2", 1):
                continue
            gradients = _gradients(rng)
            try:
                places = (0.3, *program.run(chosen, (0.3,), gradients)[1::2])
            except NoValue:
                continue
            product = 1.0
            for number in range(1, STEPS + 1):
                known = {**chosen, "step": number, "mu_product": product}
                most, kept = compute(*(known.get(n, 0.0) for n in names))
                step = abs(places[number] - kept * places[number - 1])
                tried += 1
                assert step <= most * (1 + 1e-9) + 1e-12, (number, chosen, gradients)
                if "momentum_decay" in chosen:
                    shrunk = 0.96 ** (number * chosen["momentum_decay"])
                    product *= chosen["beta1"] * (1 - shrunk / 2)
    if not tried:
        pytest.skip("no bound on the step is proved")


def _hyperparameters(rule: str, rng: random.Random) -> dict[str, float]:
    chosen = {}
    for h in CATALOGUE[rule].hyperparameters:
        assert not isinstance(h.domain, str)
        high = 2.0 if h.domain.high is None else float(h.domain.high)
        chosen[h.name] = rng.uniform(0.01, 0.99) * high
    return chosen | ({"eps": 10 ** rng.uniform(-12, -1)} if "eps" in chosen else {})


def _gradients(rng: random.Random) -> list[tuple[float]]:
    """Return gradients that grow by one factor, or of any size and sign."""
    growth = rng.uniform(1, 4)
    if rng.random() < 0.6:
        return [(growth**k,) for k in range(STEPS)]
    return [(rng.choice((-1, 1)) * 10 ** rng.uniform(-3, 3),) for _ in range(STEPS)]
