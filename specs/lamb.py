"""LAMB: Adam's direction, with a step per tensor in proportion to the norm of its parameters."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    Piecewise,
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
    norm,
    param,
    sqrt,
    step,
    symbol,
    trust_ratio,
    update,
    weight_decay,
)

exp_avg_hat, exp_avg_sq_hat = symbol("exp_avg_hat"), symbol("exp_avg_sq_hat")
param_norm, update_norm = symbol("param_norm"), symbol("update_norm")

lamb = OptimizerSpec(
    name="lamb",
    summary="Layer-wise adaptive moments: Adam's direction scaled by norm(param)/norm(update).",
    hyperparameters=(
        Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept"),
        Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept"),
        Hyperparameter(eps, "1e-6", "[0, oo)", "added outside the square root"),
        Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay, inside the trust ratio"),
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
        Let(update, exp_avg_hat / denom + weight_decay * param),
        Let(param_norm, norm(param)),
        Let(update_norm, norm(update)),
        Let(
            trust_ratio,
            Piecewise(
                (param_norm / update_norm, (param_norm > 0) & (update_norm > 0)),
                (1, True),
            ),
        ),
        Set(param, param - lr * trust_ratio * update),
    ),
    choices=(
        ("eps", "outside the root"),
        ("bias_correction", "both"),
        ("decay", "inside the trust ratio"),
        ("zero norm", "ratio 1"),
        ("clip", "none"),
    ),
    references=(
        Reference(
            title="Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
            url="https://arxiv.org/abs/1904.00962",
            year=2019,
            where="Algorithm 2",
        ),
    ),
    notes=(
        "apex and timm clip the global gradient norm at 1 before; DeepSpeed clamps the ratio; "
        "Keras applies the decay outside the ratio.",
        "Norms are sums of unscaled squares in the type of the kernel: in float32, elements "
        "above about 1e19 overflow them and elements below about 1e-23 vanish in them.",
    ),
)
