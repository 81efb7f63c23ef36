"""Pairs that are related by construction: "none" would be a wrong answer."""

import random
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from optgen.relations import relate
from optgen.spec import OptimizerSpec

rewritten = runpy.run_path(str(Path(__file__).with_name("rewriting.py")))["rewritten"]

NAMES = (
    *("sgd", "sgd_l2", "sgdw", "momentum_ema", "nesterov", "heavy_ball_decoupled", "lion"),
    *("rmsprop", "average_moments", "sutskever_nesterov"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_in_other_variables_is_related_both_ways(
    rule: Callable[[str], OptimizerSpec], name: str
) -> None:
    rng = random.Random(sum(map(ord, name)))
    other = rewritten(rule(name), rng)
    assert other is not None
    assert relate(rule(name), other).verdict == "related"
    assert relate(other, rule(name)).verdict == "related"
