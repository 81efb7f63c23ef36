"""The references against torch.optim, for the rules torch has, in float64 over 20 steps."""

from collections.abc import Callable

import numpy as np
import pytest

from .scenario import SHAPES, scenario
from .table import REFERENCES

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install optgen[torch])")

pytestmark = pytest.mark.torch

STEPS = 20


def adam_like(cls: str, **fixed: bool) -> Callable:
    """Build `cls`, whose two betas torch takes as a pair."""

    def build(params: list, *, beta1: float, beta2: float, **rest: float):
        return getattr(torch.optim, cls)(params, betas=(beta1, beta2), **rest, **fixed)

    return build


def plain(cls: str, **fixed: bool) -> Callable:
    """Build `cls`, whose options have the names of our hyperparameters."""
    return lambda params, **options: getattr(torch.optim, cls)(params, **options, **fixed)


COUNTERPARTS = {
    "sgd": plain("SGD"),
    "sgd_l2": plain("SGD"),
    "momentum": plain("SGD"),
    "nesterov": plain("SGD", nesterov=True),
    "adagrad": plain("Adagrad"),
    "rmsprop": plain("RMSprop"),
    "rmsprop:centered": plain("RMSprop", centered=True),
    "rmsprop:momentum": plain("RMSprop"),
    "adam": adam_like("Adam"),
    "adam_l2": adam_like("Adam"),
    "adamw": adam_like("AdamW"),
    "amsgrad": adam_like("Adam", amsgrad=True),
    "nadam": adam_like("NAdam"),
}
"""torch's optimizer for a rule, given the parameters and the hyperparameters of the reference."""


@pytest.fixture(autouse=True)
def _float64_by_default():
    """Keep torch's scalar states in float64: NAdam's mu_product takes the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def assert_agrees(ours: np.ndarray, theirs: np.ndarray, what: str) -> None:
    """Hold each element to 1e-12 of its size, or of the largest where terms cancelled."""
    scale = np.maximum(np.abs(theirs), 1e-3 * np.max(np.abs(theirs), initial=0))
    worst = np.max(np.abs(ours - theirs) / np.where(scale > 0, scale, 1), initial=0)
    assert worst <= 1e-12, f"{what}: relative difference {worst:.3g}"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("rule", sorted(COUNTERPARTS))
def test_reference_is_what_torch_does(rule: str, shape: tuple[int, ...]) -> None:
    reference = REFERENCES[rule]
    param, grads = scenario(shape, steps=STEPS)
    tensor = torch.tensor(param, requires_grad=True)
    optimizer = COUNTERPARTS[rule]([tensor], **reference.hyperparameters)
    state = reference.init(param)
    for t, grad in enumerate(grads, start=1):
        reference.step(param, grad, state, t, **reference.hyperparameters)
        tensor.grad = torch.tensor(grad)
        optimizer.step()
        assert_agrees(param, tensor.detach().numpy(), f"{rule} param at step {t}")
        for name, value in state.items():
            theirs = optimizer.state[tensor][name].numpy()
            assert_agrees(value, theirs, f"{rule} {name} at step {t}")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_sgdw_is_torch_momentum_after_a_shrink_by_hand(shape: tuple[int, ...]) -> None:
    reference = REFERENCES["sgdw"]
    values = dict(reference.hyperparameters)
    param, grads = scenario(shape, steps=STEPS)
    tensor = torch.tensor(param, requires_grad=True)
    shrink = 1 - values["lr"] * values["weight_decay"]
    optimizer = torch.optim.SGD([tensor], lr=values["lr"], momentum=values["momentum"])
    state = reference.init(param)
    for t, grad in enumerate(grads, start=1):
        reference.step(param, grad, state, t, **values)
        with torch.no_grad():
            tensor.mul_(shrink)
        tensor.grad = torch.tensor(grad)
        optimizer.step()
        assert_agrees(param, tensor.detach().numpy(), f"sgdw param at step {t}")
