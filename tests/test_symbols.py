"""Symbols and the functions of the notation."""

import pickle

import pytest
import sympy

from optgen import symbols
from optgen.symbols import clip, grad, lerp, mean, norm, param, step, symbol


def test_one_name_is_one_symbol() -> None:
    assert symbol("lr") == symbols.lr
    assert symbol("step") == step
    assert symbol("lr") != sympy.Symbol("lr")


def test_every_exported_symbol_is_the_one_of_its_name() -> None:
    exported = [getattr(symbols, name) for name in symbols.__all__]
    found = [s for s in exported if isinstance(s, sympy.Symbol)]
    assert len(found) > 20
    assert all(s == symbol(s.name) for s in found)
    assert len({s.name for s in found}) == len(found)


def test_every_exported_name_exists_and_is_its_own_spelling() -> None:
    spelled = {n: getattr(symbols, n) for n in symbols.__all__}
    wrong = {n for n, s in spelled.items() if isinstance(s, sympy.Symbol) and s.name != n}
    assert wrong == {"grad_sum"}  # torch calls it `sum`, which Python has taken


@pytest.mark.parametrize("name", ["lr", "exp_avg_sq", "param"])
def test_symbols_are_real_and_nothing_more(name: str) -> None:
    made = symbol(name)
    assert made.is_real
    assert made.is_positive is None
    assert made.is_nonnegative is None
    assert made.is_integer is None


def test_step_counts_from_one() -> None:
    assert step.is_integer
    assert step.is_positive


def test_sympy_keeps_a_root_of_a_real_symbol() -> None:
    # with positive symbols it would be beta2**(step/2) and grad
    assert sympy.sqrt(symbols.beta2**step).func is sympy.Pow
    assert sympy.sqrt(grad**2) == sympy.Abs(grad)


def test_norm_differentiates_to_the_direction() -> None:
    assert sympy.diff(norm(param), param) == param / norm(param)
    assert sympy.diff(norm(param) ** 2, param) == 2 * param


def test_reductions_are_real_and_a_norm_is_not_negative() -> None:
    assert norm(param).is_real
    assert norm(param).is_nonnegative
    assert mean(param).is_real
    assert mean(param).is_nonnegative is None


def test_reductions_take_one_argument() -> None:
    with pytest.raises(TypeError):
        norm(param, grad)


def test_lerp_and_clip_are_plain_expressions() -> None:
    weight = symbols.beta1
    assert sympy.simplify(lerp(param, grad, weight) - ((1 - weight) * param + weight * grad)) == 0
    assert lerp(param, grad, 0) == param
    assert clip(grad, -1, 1) == sympy.Min(sympy.Max(grad, -1), 1)
    assert clip(sympy.Integer(5), -1, 1) == 1


def test_symbols_and_reductions_pickle() -> None:
    expression = norm(param) * grad + step
    assert pickle.loads(pickle.dumps(expression)) == expression
