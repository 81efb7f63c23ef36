"""The references by rule name, each with hyperparameters at which every term shows.

A test at usual values (weight_decay 0, eps 1e-8, beta2 0.999) passes with most terms wrong; here
weight_decay >= 0.1, eps >= 1e-3, beta2 <= 0.95, and no two hyperparameters of a rule are equal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .adagrad import adagrad, init_adagrad
from .adam import (
    adam,
    adam_l2,
    adamw,
    amsgrad,
    init_adam,
    init_adam_l2,
    init_adamw,
    init_amsgrad,
    init_nadam,
    nadam,
)
from .arrays import Array, State
from .lamb import init_lamb, lamb
from .lion import init_lion, lion
from .rmsprop import (
    init_rmsprop,
    init_rmsprop_centered,
    init_rmsprop_momentum,
    rmsprop,
    rmsprop_centered,
    rmsprop_momentum,
)
from .sgd import (
    init_momentum,
    init_momentum_ema,
    init_nesterov,
    init_sgd,
    init_sgd_l2,
    init_sgdw,
    momentum,
    momentum_ema,
    nesterov,
    sgd,
    sgd_l2,
    sgdw,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule written by hand: its first states, its step, and the values tests use.

    Attributes:
        init: Gives the states before the first step.
        step: Called `step(param, grad, state, t, **hyperparameters)`, in place, t from 1.
        hyperparameters: A value for every hyperparameter of `step`.
    """

    init: Callable[[Array], State]
    step: Callable[..., None]
    hyperparameters: Mapping[str, float]


def _reference(
    init: Callable[[Array], State], step: Callable[..., None], **hyperparameters: float
) -> Reference:
    return Reference(init, step, MappingProxyType(hyperparameters))


_ADAM = {"lr": 0.05, "beta1": 0.8, "beta2": 0.93, "eps": 0.02}

REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "sgd": _reference(init_sgd, sgd, lr=0.07),
        "sgd_l2": _reference(init_sgd_l2, sgd_l2, lr=0.07, weight_decay=0.3),
        "sgdw": _reference(init_sgdw, sgdw, lr=0.07, momentum=0.8, weight_decay=0.3),
        "momentum": _reference(init_momentum, momentum, lr=0.07, momentum=0.8, dampening=0.3),
        "momentum_ema": _reference(init_momentum_ema, momentum_ema, lr=0.07, momentum=0.8),
        "nesterov": _reference(init_nesterov, nesterov, lr=0.07, momentum=0.8),
        "adagrad": _reference(init_adagrad, adagrad, lr=0.1, lr_decay=0.2, eps=0.02),
        "rmsprop": _reference(init_rmsprop, rmsprop, lr=0.05, alpha=0.9, eps=0.02),
        "rmsprop:centered": _reference(
            init_rmsprop_centered, rmsprop_centered, lr=0.05, alpha=0.9, eps=0.02
        ),
        "rmsprop:momentum": _reference(
            init_rmsprop_momentum, rmsprop_momentum, lr=0.05, alpha=0.9, eps=0.02, momentum=0.7
        ),
        "adam": _reference(init_adam, adam, **_ADAM),
        "adam_l2": _reference(init_adam_l2, adam_l2, **_ADAM, weight_decay=0.3),
        "adamw": _reference(init_adamw, adamw, **_ADAM, weight_decay=0.3),
        "amsgrad": _reference(init_amsgrad, amsgrad, **_ADAM),
        "nadam": _reference(init_nadam, nadam, **_ADAM, momentum_decay=0.5),
        "lion": _reference(init_lion, lion, lr=0.05, beta1=0.8, beta2=0.93, weight_decay=0.3),
        "lamb": _reference(init_lamb, lamb, **_ADAM, weight_decay=0.3),
    }
)
"""Every reference under the name of its rule."""
