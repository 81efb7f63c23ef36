"""The oracle reads a rule line by line at 50 digits: checked by hand on small numbers."""

from __future__ import annotations

import mpmath
import pytest

from optgen.crosscheck.oracle import DIGITS, oracle_step
from optgen.loader import load_catalogue

RULES = load_catalogue()


def near(found, wanted):
    with mpmath.workdps(DIGITS):
        return abs(found - wanted) <= mpmath.mpf(10) ** -45 * max(1, abs(wanted))


def test_sgd_by_hand():
    found = oracle_step(RULES["sgd"], {"param": [1.0, 2.0], "grad": [4.0, 0.0]}, {"lr": 0.25}, 1)
    assert found == {"param": [0, 2]}


def test_momentum_reads_the_latest_write():
    values = {"param": [1.0], "grad": [2.0], "momentum_buffer": [4.0]}
    chosen = {"lr": 0.5, "momentum": 0.5, "dampening": 0.5}
    found = oracle_step(RULES["momentum"], values, chosen, 2)
    assert found == {"param": [-0.5], "momentum_buffer": [3]}


def test_adam_by_hand():
    chosen = {"lr": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 0.25}
    values = {"param": [1.0], "grad": [2.0], "exp_avg": [0.0], "exp_avg_sq": [0.0]}
    found = oracle_step(RULES["adam"], values, chosen, 1)
    # both corrections undo the factor: the update is lr * 2 / (2 + eps)
    with mpmath.workdps(DIGITS):
        assert near(found["exp_avg"][0], 1)
        assert near(found["exp_avg_sq"][0], 1)
        assert near(found["param"][0], 1 - mpmath.mpf(1) / mpmath.mpf(2.25))


def test_lamb_takes_norms_of_the_whole_tensor():
    chosen = {"lr": 1.0, "beta1": 0.0, "beta2": 0.0, "eps": 0.0, "weight_decay": 0.0}
    values = {
        "param": [3.0, 4.0],
        "grad": [1.0, -1.0],
        "exp_avg": [0.0] * 2,
        "exp_avg_sq": [0.0] * 2,
    }
    found = oracle_step(RULES["lamb"], values, chosen, 1)
    with mpmath.workdps(DIGITS):
        ratio = 5 / mpmath.sqrt(2)  # |param| / |(1, -1)|
        assert near(found["param"][0], 3 - ratio)
        assert near(found["param"][1], 4 + ratio)


def test_scalar_states_are_single_numbers():
    chosen = {"lr": 0.1, "beta1": 0.9, "beta2": 0.9, "eps": 0.1, "momentum_decay": 0.5}
    values = {
        "param": [1.0],
        "grad": [1.0],
        "mu_product": 1.0,
        "exp_avg": [0.0],
        "exp_avg_sq": [0.0],
    }
    found = oracle_step(RULES["nadam"], values, chosen, 1)
    with mpmath.workdps(DIGITS):
        power = (mpmath.mpf(96) / 100) ** (mpmath.mpf(0.5))
        assert near(found["mu_product"], mpmath.mpf(0.9) * (1 - power / 2))


@pytest.mark.parametrize(("grad", "wanted"), [(2.0, -1), (-2.0, 1), (0.0, 0)])
def test_lion_takes_signs(grad, wanted):
    chosen = {"lr": 1.0, "beta1": 0.5, "beta2": 0.5, "weight_decay": 0.0}
    values = {"param": [0.0], "grad": [grad], "exp_avg": [0.0]}
    assert oracle_step(RULES["lion"], values, chosen, 1)["param"] == [wanted]


def test_digits_are_not_those_of_double():
    values = {"param": [0.0], "grad": [1.0]}
    found = oracle_step(RULES["sgd"], values, {"lr": 0.1}, 1)["param"][0]
    assert found == -mpmath.mpf(0.1)  # exactly the double, not 1/10
    assert mpmath.mp.dps == 15  # and the setting of others is left alone


def test_the_root_of_a_negative_number_is_no_number():
    spec = RULES["rmsprop:centered"]
    values = {b.name: [0.5] for b in spec.state} | {"param": [1.0], "grad": [1.0]}
    values["grad_avg"] = [100.0]
    chosen = {h.name: 0.5 for h in spec.hyperparameters}
    assert mpmath.isnan(oracle_step(spec, values, chosen, 1)["param"][0])
