"""Adagrad: divide by the root of the sum of all squared gradients."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import denom, eps, grad, grad_sum, lr, lr_decay, param, sqrt, step, symbol

step_size = symbol("step_size")

adagrad = OptimizerSpec(
    name="adagrad",
    summary="Adaptive gradient descent: the step shrinks with the sum of squared gradients.",
    hyperparameters=(
        Hyperparameter(lr, "1e-2", "[0, oo)", "step size"),
        Hyperparameter(lr_decay, "0", "[0, oo)", "how fast the step size falls with the step"),
        Hyperparameter(eps, "1e-10", "[0, oo)", "added outside the square root"),
    ),
    state=(StateBuffer(grad_sum, domain="[0, oo)", doc="sum of squared gradients"),),
    rule=(
        Let(step_size, lr / (1 + (step - 1) * lr_decay)),
        Set(grad_sum, grad_sum + grad**2),
        Let(denom, sqrt(grad_sum) + eps),
        Set(param, param - step_size * grad / denom),
    ),
    choices=(("eps", "outside the root"), ("initial", "0")),
    references=(
        Reference(
            title="Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
            url="https://jmlr.org/papers/v12/duchi11a.html",
            year=2011,
            where="Figure 1",
        ),
        Reference(
            title="torch.optim.Adagrad",
            url="https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html",
            year=2016,
            where="algorithm box",
        ),
    ),
    notes=("optax and Keras start the sum at 0.1 and put eps (1e-7) inside the root.",),
)
