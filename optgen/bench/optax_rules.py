"""The rules that optax has, in one jitted call that may reuse parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.bench.contestants import Entrant, LeftOut, Subject

Array = NDArray[Any]

FACTORIES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "sgd": ("sgd", {"lr": "learning_rate"}, {}),
    "momentum": ("sgd", {"lr": "learning_rate", "momentum": "momentum"}, {}),
    "nesterov": ("sgd", {"lr": "learning_rate", "momentum": "momentum"}, {"nesterov": True}),
    "adam": ("adam", {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "eps": "eps"}, {}),
    "adamw": (
        "adamw",
        {
            **{"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "eps": "eps"},
            "weight_decay": "weight_decay",
        },
        {},
    ),
    "amsgrad": ("amsgrad", {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "eps": "eps"}, {}),
    "nadam": ("nadam", {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "eps": "eps"}, {}),
    "lion": (
        "lion",
        {
            **{"lr": "learning_rate", "beta1": "b1", "beta2": "b2"},
            "weight_decay": "weight_decay",
        },
        {},
    ),
    "lamb": (
        "lamb",
        {
            **{"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "eps": "eps"},
            "weight_decay": "weight_decay",
        },
        {},
    ),
    "rmsprop": (
        "rmsprop",
        {"lr": "learning_rate", "alpha": "decay", "eps": "eps"},
        {"eps_in_sqrt": False},
    ),
    "rmsprop_centered": (
        "rmsprop",
        {"lr": "learning_rate", "alpha": "decay", "eps": "eps"},
        {"centered": True, "eps_in_sqrt": False},
    ),
    "adagrad": ("adagrad", {"lr": "learning_rate", "eps": "eps"}, {"initial_accumulator_value": 0}),
}
"""Function, our names of its arguments, and what else it is given."""


def optax_entrants(subject: Subject) -> Iterator[Entrant | LeftOut]:
    """Yield optax's way of doing the rule, or why there is none."""
    try:
        import jax  # noqa: F401
        import optax
    except ImportError:
        yield LeftOut("optax", "jax and optax are not installed (pip install jax optax)")
        return
    found = FACTORIES.get(subject.spec.identifier)
    if found is None or not hasattr(optax, found[0]):
        yield LeftOut("optax", "optax has no such rule")
        return
    yield Entrant("optax jitted", "optax", _entering(subject), copies=2.5)


def _entering(subject: Subject) -> Callable[..., Any]:
    def enter(params: Sequence[Array], grads: Sequence[Array], chosen: dict[str, float]) -> Any:
        import jax
        import jax.numpy as jnp
        import optax

        factory, arguments, more = FACTORIES[subject.spec.identifier]
        values = {h.name: float(h.default) for h in subject.spec.hyperparameters} | chosen
        given = {theirs: values[ours] for ours, theirs in arguments.items()}
        chain = getattr(optax, factory)(**given, **more)

        def update(tree: Any, state: Any, gradients: Any) -> Any:
            updates, state = chain.update(gradients, state, tree)
            return optax.apply_updates(tree, updates), state

        step = jax.jit(update, donate_argnums=(0, 1))
        held = [[jnp.array(p) for p in params], None, [jnp.array(g) for g in grads]]
        held[1] = chain.init(held[0])

        def run() -> None:
            held[0], held[1] = step(*held)
            jax.block_until_ready(held[0])

        return run, lambda: [np.asarray(p) for p in held[0]]  # type: ignore[union-attr]

    return enter
