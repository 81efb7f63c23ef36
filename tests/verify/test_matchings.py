"""States are matched by name, then by every bijection of equal shape, then as multiples."""

from __future__ import annotations

from itertools import permutations

import pytest
import sympy

from optgen.loader import load_catalogue
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import Max, beta1, grad, lr, momentum, param, symbol
from optgen.verify import compare
from optgen.verify.deadline import Deadline
from optgen.verify.given import read_given
from optgen.verify.runs.matchings import matchings
from optgen.verify.runs.scales import Scale, Scales
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Rule

LR = Hyperparameter(lr, "1e-3", "[0, oo)")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)")
BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)")
a, b, update = symbol("a"), symbol("b"), symbol("update")


def two_buffers(
    name: str, first: sympy.Expr, second: sympy.Expr, used: sympy.Expr, *between: Let
) -> OptimizerSpec:
    """A rule that keeps a and b, and moves by -lr * used."""
    return OptimizerSpec(
        name=name,
        summary="A rule with two buffers.",
        hyperparameters=(LR, MOMENTUM, BETA1),
        state=(StateBuffer(a), StateBuffer(b)),
        rule=(
            *between,
            Set(a, first),
            Set(b, second),
            Let(update, used),
            Set(param, param - lr * update),
        ),
    )


PLAIN = two_buffers("plain", momentum * a + grad, beta1 * b + grad, a + 2 * b)


def test_states_with_exchanged_names_are_equal() -> None:
    exchanged = two_buffers("exchanged", beta1 * a + grad, momentum * b + grad, 2 * a + b)
    found = compare(PLAIN, exchanged)
    assert (found.verdict, found.matching) == ("equal", {"a": "b", "b": "a"})


def test_exchanged_and_scaled_at_once() -> None:
    scaled = two_buffers("scaled", beta1 * a - grad, momentum * b + 2 * grad, b / 2 - 2 * a)
    found = compare(PLAIN, scaled)
    assert (found.verdict, found.matching) == ("equal", {"a": "b", "b": "a"})
    relations = "left a = 1/2*right b, left b = -right a"
    assert f"the states are multiples: {relations}" in found.evidence


def test_a_matching_that_minds_no_schedule_comes_before_one_that_does() -> None:
    """By name the buffers are multiples with momentum; exchanged they are 3 times each other."""
    part = Let(symbol("new_part"), grad - momentum * grad)
    third = Let(symbol("third_of_it"), grad / 3)
    rules = [
        OptimizerSpec(
            name=name,
            summary="A product of two buffers.",
            hyperparameters=(LR, MOMENTUM),
            state=(StateBuffer(a), StateBuffer(b)),
            rule=(
                *lines,
                Set(a, momentum * a + first),
                Set(b, momentum * b + second),
                Let(update, moved),
                Set(param, param - lr * update),
            ),
        )
        for name, lines, first, second, moved in (
            ("one", (part,), part.target, grad, a * b),
            ("two", (part, third), third.target, part.target, 3 * a * b),
        )
    ]
    found = compare(*rules)
    assert (found.verdict, found.matching) == ("equal", {"a": "b", "b": "a"})


@pytest.mark.parametrize("crosswise", [False, True])
def test_a_pair_that_stays_the_same_may_be_read_in_any_way(crosswise: bool) -> None:
    """Both buffers are fed alike: no bijection agrees from every state, all runs do."""
    share = Let(symbol("share"), momentum * beta1)
    kept = share.target
    same = two_buffers("same", kept * a + grad, kept * b + grad, a + b, share)
    before = Let(symbol("before"), a)
    lines = (share, before) if crosswise else (share,)
    read = before.target if crosswise else b
    other = two_buffers("other", kept * b + grad, kept * read + grad, a + b, *lines)
    found = compare(same, other)
    assert found.verdict == "equal", found.reason
    assert "left a = left b = right" in found.evidence[0]


def test_two_states_may_stand_for_one() -> None:
    twice = OptimizerSpec(
        name="twice",
        summary="A rule that keeps its buffer twice.",
        hyperparameters=(LR, MOMENTUM),
        state=(StateBuffer(a), StateBuffer(b)),
        rule=(
            Set(a, momentum * a + grad),
            Set(b, momentum * b + grad),
            Let(update, a / 2 + b / 2),
            Set(param, param - lr * update),
        ),
    )
    found = compare(one_buffer(grad), twice)
    assert found.verdict == "equal", found.reason
    assert found.matching == {"a": "a"}


def test_a_map_that_is_no_matching_is_no_difference() -> None:
    """Sum and difference of the buffers in their place: the runs are the same for ever."""
    kept, other = symbol("kept"), symbol("other")
    mixed = two_buffers(
        "mixed",
        kept + other + 2 * grad,
        kept - other,
        a * sympy.Rational(3, 2) - b / 2,
        Let(symbol("mean_of_both"), a / 2 + b / 2),
        Let(symbol("rest"), a / 2 - b / 2),
        Let(kept, momentum * symbol("mean_of_both")),
        Let(other, beta1 * symbol("rest")),
    )
    found = compare(PLAIN, mixed)
    assert found.verdict == "unknown"
    assert "the parameters agree although the states do not" in found.reason


def growing(name: str, used: sympy.Expr) -> OptimizerSpec:
    """A rule with two states that start at 1 and grow, which no declaration says."""
    squares = Let(symbol("square_a"), a**2), Let(symbol("square_b"), b**2)
    return OptimizerSpec(
        name=name,
        summary="A rule with two growing states.",
        hyperparameters=(LR,),
        state=(StateBuffer(a, initial=1), StateBuffer(b, initial=1)),
        rule=(
            *squares,
            Set(a, a + squares[0].target),
            Set(b, b + 2 * squares[1].target),
            Let(update, used),
            Set(param, param - lr * grad * update),
        ),
    )


def test_every_matching_is_refuted_before_one_step_is_called_different() -> None:
    found = compare(growing("one", a + b), growing("two", Max(a, 1) + b))
    assert (found.verdict, found.reachable) == ("different", None)
    assert "every other matching of the states is refuted too" in found.evidence
    assert "in no run of up to 3 steps" in found.evidence[2]
    assert found.matching == {"a": "a", "b": "b"}


def sides(left: OptimizerSpec, right: OptimizerSpec) -> tuple[Side, Side]:
    read = read_given(left, right, ())
    return (
        Side.of("left", left, read.values["left"]),
        Side.of("right", right, read.values["right"]),
    )


def test_names_come_first_and_every_bijection_comes_once() -> None:
    names = [symbol(f"s{i}") for i in range(3)]
    pair = sides(*(many(names, order) for order in ((0, 1, 2), (2, 0, 1))))
    states = {side: [s.name for s in names] for side in ("left", "right")}
    found = list(matchings(*pair, states))
    assert found[0] == {s.name: s.name for s in names}
    assert len(found) == len({tuple(m.items()) for m in found}) == 6
    assert list(matchings(*pair, {**states, "right": ["s0", "s1"]})) == []


def many(names: list[sympy.Symbol], order: tuple[int, ...]) -> OptimizerSpec:
    """A rule with several buffers, of which the i-th decays by momentum**order[i]."""
    total: sympy.Expr = grad
    lines: list[Let | Set] = []
    for i, (name, power) in enumerate(zip(names, order, strict=True)):
        lines.append(Set(name, momentum ** (power + 1) * name + grad))
        lines.append(Let(symbol(f"total{i}"), total + (power + 1) * name))
        total = symbol(f"total{i}")
    return OptimizerSpec(
        name="many",
        summary="A rule with many buffers.",
        hyperparameters=(LR, MOMENTUM),
        state=tuple(StateBuffer(name) for name in names),
        rule=(*lines, Set(param, param - lr * total)),
    )


def test_states_of_another_shape_do_not_match() -> None:
    catalogue = load_catalogue()
    pair = sides(catalogue["nadam"], catalogue["amsgrad"])
    states = {"left": ["mu_product"], "right": ["exp_avg"]}
    assert list(matchings(*pair, states)) == []


@pytest.mark.parametrize("order", [(6, 5, 4, 3, 2, 1, 0), (1, 2, 3, 4, 5, 6, 0)])
def test_seven_states_in_another_order_are_found(order: tuple[int, ...]) -> None:
    names = [symbol(f"s{i}") for i in range(7)]
    found = compare(many(names, tuple(range(7))), many(names, order))
    assert found.verdict == "equal"
    assert found.matching == {f"s{i}": f"s{order.index(i)}" for i in range(7)}


def test_a_difference_is_not_hidden_by_the_choice_of_matchings() -> None:
    names = [symbol(f"s{i}") for i in range(3)]
    for order in permutations(range(3)):
        wrong = many(names, (*order[:2], order[2] + 1))
        assert compare(many(names, (0, 1, 2)), wrong).verdict == "different"


def scale(left: OptimizerSpec, right: OptimizerSpec, states: tuple[str, str]) -> Scale | None:
    read = read_given(left, right, ())
    rules = [Rule.of(side) for side in sides(left, right)]
    return Scales(rules[0], rules[1], read.domains, Deadline.after(10)).between(*states)


def one_buffer(kept: sympy.Expr) -> OptimizerSpec:
    return OptimizerSpec(
        name="one",
        summary="A rule with one buffer.",
        hyperparameters=(LR, MOMENTUM),
        state=(StateBuffer(a),),
        rule=(
            Let(update, kept),
            Set(a, momentum * a + update),
            Set(param, param - lr * a),
        ),
    )


@pytest.mark.parametrize(
    ("kept", "texts", "constant"),
    [
        (grad, ("1", "1"), ()),
        (2 * grad, ("1/2", "1"), ()),
        (-lr * grad, ("-1", "lr"), ("lr",)),
        (grad * (1 - momentum) / 3, ("-3", "momentum - 1"), ("momentum",)),
        (lr * momentum * grad, ("1", "lr*momentum"), ("lr", "momentum")),
    ],
)
def test_scales_are_read_off_the_first_steps(
    kept: sympy.Expr, texts: tuple[str, str], constant: tuple[str, ...]
) -> None:
    found = scale(one_buffer(grad), one_buffer(kept), ("a", "a"))
    assert found is not None
    assert (found.texts, found.constant, found.same) == (texts, constant, texts == ("1", "1"))


@pytest.mark.parametrize("kept", [grad**2, grad + param, 0 * grad + lr])
def test_what_is_no_multiple_has_no_scale(kept: sympy.Expr) -> None:
    assert scale(one_buffer(grad), one_buffer(kept), ("a", "a")) is None
