"""Adam and its relatives.

exp_avg is m, exp_avg_sq is v in the paper; beta1 and beta2 the shares of them
that are kept, eps stands outside the square root. The names end in _hat where
the bias of starting at zero has been divided out.
"""

from dataclasses import replace

from optgen.modifiers import amsgrad, decoupled_decay, l2
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    Rational,
    beta1,
    beta2,
    bias_correction1,
    bias_correction2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    momentum_decay,
    mu_product,
    param,
    sqrt,
    step,
    symbol,
    update,
)

ADAM = Reference(
    title="Adam: A Method for Stochastic Optimization",
    url="https://arxiv.org/abs/1412.6980",
    year=2014,
    where="Algorithm 1",
)
DECOUPLED = Reference(
    title="Decoupled Weight Decay Regularization",
    url="https://arxiv.org/abs/1711.05101",
    year=2017,
    where="Algorithm 2",
)
exp_avg_hat, exp_avg_sq_hat = symbol("exp_avg_hat"), symbol("exp_avg_sq_hat")
mu, mu_next = symbol("mu"), symbol("mu_next")
grad_part, exp_avg_part = symbol("grad_part"), symbol("exp_avg_part")

adam = OptimizerSpec(
    name="adam",
    summary="Adaptive moment estimation.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept"),
        Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept"),
        Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root"),
    ),
    state=(
        StateBuffer(exp_avg, doc="moving mean of gradients"),
        StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients"),
    ),
    rule=(
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
        Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
        Let(bias_correction1, 1 - beta1**step),
        Let(bias_correction2, 1 - beta2**step),
        Let(exp_avg_hat, exp_avg / bias_correction1),
        Let(exp_avg_sq_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(exp_avg_sq_hat) + eps),
        Set(param, param - lr * exp_avg_hat / denom),
    ),
    choices=(("eps", "outside the root"), ("bias_correction", "both"), ("decay", "none")),
    references=(ADAM,),
    notes=(
        "Keras and TensorFlow add eps to the uncorrected root ('epsilon hat'): a different rule.",
        "MLX leaves the bias correction out unless asked.",
    ),
)

adam_l2 = l2(
    adam,
    name="adam_l2",
    summary="Adam on the loss plus an L2 penalty; torch's Adam with weight_decay.",
    references=(
        Reference(
            title="torch.optim.Adam",
            url="https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html",
            year=2016,
            where="algorithm box",
        ),
    ),
)

adamw = decoupled_decay(
    adam,
    name="adamw",
    summary="Adam with weight decay applied to the parameter, not to the gradient.",
    references=(DECOUPLED,),
    notes=(
        "The decay is multiplied by lr, as in torch, optax and Keras; "
        "the default of weight_decay is torch's 1e-2 (optax 1e-4, Keras 4e-3).",
    ),
)

amsgrad_rule = amsgrad(
    adam,
    name="amsgrad",
    summary="Adam whose second moment never shrinks; torch's order of maximum and correction.",
    references=(
        Reference(
            title="On the Convergence of Adam and Beyond",
            url="https://openreview.net/forum?id=ryQu7f-RZ",
            year=2018,
            where="Algorithm 2",
        ),
    ),
    notes=("optax takes the maximum after bias correction; the paper has no bias correction.",),
)

nadam = replace(
    adam,
    name="nadam",
    full_name="nadam",
    family="nadam",
    summary="Adam with Nesterov momentum and a momentum schedule.",
    hyperparameters=(
        Hyperparameter(lr, "2e-3", "[0, oo)", "step size"),
        *adam.hyperparameters[1:],
        Hyperparameter(momentum_decay, "4e-3", "[0, oo)", "how fast mu rises towards beta1"),
    ),
    state=(
        StateBuffer(
            mu_product, initial=1, shape="scalar", domain="[0, 1]", doc="product of all mu so far"
        ),
        *adam.state,
    ),
    rule=(
        Let(mu, beta1 * (1 - Rational("0.96") ** (step * momentum_decay) / 2)),
        Let(mu_next, beta1 * (1 - Rational("0.96") ** ((step + 1) * momentum_decay) / 2)),
        Set(mu_product, mu_product * mu),
        *adam.rule[:2],
        Let(bias_correction2, 1 - beta2**step),
        Let(exp_avg_sq_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(exp_avg_sq_hat) + eps),
        Let(grad_part, (1 - mu) / (1 - mu_product)),
        Let(exp_avg_part, mu_next / (1 - mu_product * mu_next)),
        Let(update, grad_part * grad + exp_avg_part * exp_avg),
        Set(param, param - lr * update / denom),
    ),
    choices=(("eps", "outside the root"), ("bias_correction", "schedule product, as in torch")),
    references=(
        Reference(
            title="Incorporating Nesterov Momentum into Adam",
            url="https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
            year=2016,
        ),
        Reference(
            title="torch.optim.NAdam",
            url="https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html",
            year=2021,
            where="algorithm box",
        ),
    ),
    notes=("Keras fixes momentum_decay at 1; optax has no schedule (momentum_decay to infinity).",),
)
