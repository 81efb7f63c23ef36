"""Every invariant of the IR, broken once."""

from dataclasses import replace
from fractions import Fraction

import pytest

from optgen.errors import InternalError
from optgen.ir import Assign, DType, Elementwise, Literal, Operation, Reduction, Ref, Scalars
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.validate import validate

RULES = load_catalogue()
SGD, LAMB = (run_passes(lower(RULES[name], DType.FLOAT32)) for name in ("sgd", "lamb"))
ONE = Literal(Fraction(1))
(STAGE,) = SGD.stages


def with_value(value, kernel=SGD):
    return replace(kernel, stages=(replace(STAGE, body=(Assign("param", value),)),))


def with_stage(index, **changes):
    stages = list(LAMB.stages)
    stages[index] = replace(stages[index], **changes)
    return replace(LAMB, stages=tuple(stages))


LESS = Operation("lt", (Ref("param"), ONE))
BROKEN = {
    "unknown operation frob": with_value(Operation("frob", (ONE,))),
    "add takes 2 operands, not 1": with_value(Operation("add", (ONE,))),
    "add takes a float, not a mask": with_value(Operation("add", (ONE, LESS))),
    "select takes a mask, not a float": with_value(Operation("select", (ONE, ONE, ONE))),
    "ipow may stand on the host only": with_value(Operation("ipow", (ONE, ONE))),
    "reads nothing, which has no value yet": with_value(Ref("nothing")),
    "reads later, which has no value yet": replace(
        SGD, host=(Assign("early", Ref("later")), Assign("later", ONE))
    ),
    "are both host values and buffers": replace(SGD, host=(Assign("grad", ONE),)),
    "touches unknown buffers ['ghost']": replace(
        SGD, stages=(replace(STAGE, loads=(*STAGE.loads, "ghost")),)
    ),
    "writes ['grad']": replace(
        SGD, stages=(replace(STAGE, body=(*STAGE.body, Assign("grad", ONE)), stores=("grad",)),)
    ),
    "stores ['param'] without computing": replace(SGD, stages=(replace(STAGE, body=()),)),
    "param is never stored": replace(SGD, stages=(replace(STAGE, stores=()),)),
    "exports ['ghost'] without computing": with_stage(1, exports=("ghost",)),
    "sum odd: unknown operation frob": with_stage(
        0, reductions=(Reduction("odd", Operation("frob", ())),)
    ),
    "reads update_norm_sum, which has no value yet": with_stage(
        0, reductions=LAMB.stages[0].reductions[:1]
    ),
    "reads lr_trust_ratio, which has no value yet": with_stage(1, exports=()),
    "reads param, which has no value yet": with_stage(2, loads=("exp_avg", "exp_avg_sq")),
}


@pytest.mark.parametrize("says", BROKEN)
def test_a_broken_kernel_is_named(says):
    with pytest.raises(InternalError) as caught:
        validate(BROKEN[says], "the test")
    assert says in str(caught.value)
    assert "is malformed after the test" in str(caught.value)


@pytest.mark.parametrize("name", RULES)
def test_lowered_rules_are_well_formed(name):
    for dtype in DType:
        kernel = lower(RULES[name], dtype)
        assert validate(kernel, "lower") is kernel


def test_locals_end_with_their_stage():
    last = LAMB.stages[-1]
    assert isinstance(last, Elementwise)
    assert isinstance(LAMB.stages[1], Scalars)
    broken = replace(LAMB, stages=(*LAMB.stages[:-1], replace(last, body=last.body[-1:])))
    with pytest.raises(InternalError, match="stage 2, param: reads update, which has no value"):
        validate(broken, "the test")
