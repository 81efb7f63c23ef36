"""The IR as data: its table of operations, names, and what a kernel says of itself."""

from fractions import Fraction

import pytest

from optgen.errors import InternalError
from optgen.ir import (
    CHUNK,
    LANES,
    OPERATIONS,
    Argument,
    DType,
    Literal,
    Operation,
    Ref,
    kind,
    reads,
)
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

RULES = load_catalogue()


def test_types():
    assert [d.value for d in DType] == ["float32", "float64"]
    assert [d.size for d in DType] == [4, 8]
    assert DType.FLOAT32.unit_roundoff == Fraction(1, 2**24)
    assert DType.FLOAT64.unit_roundoff == Fraction(1, 2**53)


def test_tree_divides_evenly():
    assert CHUNK % LANES == 0
    assert LANES & (LANES - 1) == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name):
    meaning = OPERATIONS[name]
    assert meaning.arity == len(meaning.operands) > 0
    assert meaning.doc
    assert meaning.ulps >= 0
    if meaning.result == "mask":
        assert meaning.ulps == 0


def test_reads_are_in_order_of_evaluation():
    expression = Operation("add", (Operation("mul", (Ref("b"), Literal(Fraction(2)))), Ref("a")))
    assert [*reads(expression)] == ["b", "a"]
    assert [*reads(Literal(Fraction(1)))] == []


def test_kinds():
    assert kind(Ref("x")) == kind(Literal(Fraction(1))) == "float"
    assert kind(Operation("lt", (Ref("x"), Ref("y")))) == "mask"


def test_a_domain_is_said_in_a_refusal():
    argument = Argument("lr", Fraction(1), "[0, oo)", "0.0 <= lr < np.inf", "step size")
    assert argument.rejection == "lr = {lr} lies outside [0, oo)"


def test_scalars_of_a_kernel():
    kernel = run_passes(lower(RULES["lamb"], DType.FLOAT32))
    assert [*kernel.scalars][:3] == ["grad_factor", "beta1", "one_minus_beta1"]
    assert "lr_trust_ratio" not in kernel.scalars
    assert "param_norm_sum" not in kernel.scalars
    assert [r.target for r in kernel.reductions] == ["param_norm_sum", "update_norm_sum"]
    assert len(set(kernel.scalars)) == len(kernel.scalars)


def test_buffers_are_found_by_name():
    kernel = lower(RULES["adam"], DType.FLOAT64)
    assert kernel.buffer("exp_avg").dtype is DType.FLOAT64
    assert kernel.buffer("param").writable
    assert not kernel.buffer("grad").writable
    with pytest.raises(InternalError, match="has no buffer nothing"):
        kernel.buffer("nothing")
