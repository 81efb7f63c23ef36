"""The rules that torch.optim has, called as torch's users call them.

Whether a class computes the rule of our name is not taken on trust: `computes_the_rule` runs
both, and what differs is left out with the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.bench.contestants import Entrant, LeftOut, Subject

Array = NDArray[Any]

CLASSES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": "lr"}, {}),
    "sgd_l2": ("SGD", {"lr": "lr", "weight_decay": "weight_decay"}, {}),
    "momentum": (
        "SGD",
        {"lr": "lr", "momentum": "momentum", "dampening": "dampening"},
        {},
    ),
    "nesterov": ("SGD", {"lr": "lr", "momentum": "momentum"}, {"nesterov": True}),
    "adagrad": ("Adagrad", {"lr": "lr", "lr_decay": "lr_decay", "eps": "eps"}, {}),
    "adam": ("Adam", {"lr": "lr", "eps": "eps"}, {}),
    "adam_l2": ("Adam", {"lr": "lr", "eps": "eps", "weight_decay": "weight_decay"}, {}),
    "adamw": ("AdamW", {"lr": "lr", "eps": "eps", "weight_decay": "weight_decay"}, {}),
    "amsgrad": ("Adam", {"lr": "lr", "eps": "eps"}, {"amsgrad": True}),
    "nadam": ("NAdam", {"lr": "lr", "eps": "eps", "momentum_decay": "momentum_decay"}, {}),
    "rmsprop": ("RMSprop", {"lr": "lr", "alpha": "alpha", "eps": "eps"}, {}),
    "rmsprop_centered": (
        "RMSprop",
        {"lr": "lr", "alpha": "alpha", "eps": "eps"},
        {"centered": True},
    ),
    "rmsprop_momentum": (
        "RMSprop",
        {"lr": "lr", "alpha": "alpha", "eps": "eps", "momentum": "momentum"},
        {},
    ),
}
"""Class, our names of its arguments, and what else it is given; betas are added where both are."""

WAYS: dict[str, dict[str, Any]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def torch_entrants(subject: Subject, *, compiled: bool = False) -> Iterator[Entrant | LeftOut]:
    """Yield torch's ways of doing the rule, or why there are none."""
    try:
        import torch
    except ImportError:
        yield LeftOut("torch", "PyTorch is not installed (pip install 'optgen[torch]')")
        return
    if subject.spec.identifier not in CLASSES:
        yield LeftOut("torch", "torch.optim has no such rule")
        return
    name, _, _ = CLASSES[subject.spec.identifier]
    for way, given in WAYS.items():
        try:
            _optimizer(torch, subject, [torch.zeros(2)], {}, given)
        except (RuntimeError, TypeError, ValueError) as error:
            yield LeftOut(f"torch {way}", f"{name}: {str(error).splitlines()[0]}")
            continue
        copies = 2.0 if way == "foreach" else 1.25
        yield Entrant(f"torch {way}", "torch", _entering(subject, given, False), copies)
    if compiled:
        yield Entrant("torch compiled", "torch", _entering(subject, {"foreach": True}, True), 1.25)


def _optimizer(
    torch: Any, subject: Subject, params: list[Any], chosen: dict[str, float], way: dict[str, Any]
) -> Any:
    name, arguments, more = CLASSES[subject.spec.identifier]
    values = {h.name: float(h.default) for h in subject.spec.hyperparameters} | chosen
    given: dict[str, Any] = {theirs: values[ours] for ours, theirs in arguments.items()}
    if "beta1" in values:
        given["betas"] = (values["beta1"], values["beta2"])
    return getattr(torch.optim, name)(params, **given, **more, **way)


def _entering(subject: Subject, way: dict[str, Any], compiled: bool) -> Callable[..., Any]:
    def enter(params: Sequence[Array], grads: Sequence[Array], chosen: dict[str, float]) -> Any:
        import torch

        tensors = [torch.from_numpy(p) for p in params]
        for tensor, grad in zip(tensors, grads, strict=True):
            tensor.grad = torch.from_numpy(grad)
        optimizer = _optimizer(torch, subject, tensors, chosen, way)
        step = torch.compile(optimizer.step) if compiled else optimizer.step

        def run() -> None:
            with torch.no_grad():
                step()

        def read() -> Sequence[Array]:
            return [np.asarray(tensor.detach().numpy()) for tensor in tensors]

        return run, read

    return enter
