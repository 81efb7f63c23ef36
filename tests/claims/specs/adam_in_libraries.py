"""Adam and AdamW as one library or another has, or once had, them."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Max,
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
    max_exp_avg_sq,
    param,
    sqrt,
    step,
    symbol,
    update,
    weight_decay,
)

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept")
BETA2 = Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept")
EPS = Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay")
ADAM = (LR, BETA1, BETA2, EPS)
M = StateBuffer(exp_avg, doc="moving mean of gradients")
V = StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients")
LARGEST = StateBuffer(max_exp_avg_sq, domain="[0, oo)", doc="largest exp_avg_sq so far")
MOMENTS = (
    Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
)
CORRECTIONS = (Let(bias_correction1, 1 - beta1**step), Let(bias_correction2, 1 - beta2**step))
step_size, root, root2, quotient = map(symbol, ("step_size", "root", "root2", "quotient"))
mean_hat, square_hat, moved, decayed = map(symbol, ("mean_hat", "square_hat", "moved", "decayed"))
shrink, penalised, largest = map(symbol, ("shrink", "penalised", "largest"))
HATS = (
    *CORRECTIONS,
    Let(mean_hat, exp_avg / bias_correction1),
    Let(square_hat, exp_avg_sq / bias_correction2),
    Let(denom, sqrt(square_hat) + eps),
)
FACTORED = (
    *CORRECTIONS,
    Let(step_size, lr / bias_correction1),
    Let(root, sqrt(exp_avg_sq)),
    Let(root2, sqrt(bias_correction2)),
    Let(quotient, root / root2),
    Let(denom, quotient + eps),
)

adam_torch = OptimizerSpec(
    name="adam_torch",
    summary="Adam factored as torch computes it.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(*MOMENTS, *FACTORED, Set(param, param - step_size * exp_avg / denom)),
)

adam_l2_torch = OptimizerSpec(
    name="adam_l2_torch",
    summary="torch's Adam with weight_decay, as its algorithm box has it.",
    hyperparameters=(*ADAM, DECAY),
    state=(M, V),
    rule=(
        Let(penalised, grad + weight_decay * param),
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * penalised),
        Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * penalised**2),
        *FACTORED,
        Set(param, param - step_size * exp_avg / denom),
    ),
)

adam_keras = OptimizerSpec(
    name="adam_keras",
    summary="Keras's Adam: moments as interpolations, eps added to the uncorrected root.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(
        *CORRECTIONS,
        Let(root2, sqrt(bias_correction2)),
        Let(step_size, lr * root2 / bias_correction1),
        Set(exp_avg, exp_avg + (grad - exp_avg) * (1 - beta1)),
        Set(exp_avg_sq, exp_avg_sq + (grad**2 - exp_avg_sq) * (1 - beta2)),
        Let(root, sqrt(exp_avg_sq)),
        Set(param, param - exp_avg * step_size / (root + eps)),
    ),
)

adam_uncorrected = OptimizerSpec(
    name="adam_uncorrected",
    summary="Adam without bias correction.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(
        *MOMENTS,
        Let(denom, sqrt(exp_avg_sq) + eps),
        Set(param, param - lr * exp_avg / denom),
    ),
)

adam_eps_as_floor = OptimizerSpec(
    name="adam_eps_as_floor",
    summary="Adam that divides by the larger of the root and eps.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(
        *MOMENTS,
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(root, sqrt(square_hat)),
        Let(denom, Max(root, eps)),
        Set(param, param - lr * mean_hat / denom),
    ),
)

adam_first_moment_uncorrected = OptimizerSpec(
    name="adam_first_moment_uncorrected",
    summary="Adam whose second moment alone is corrected.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(
        *MOMENTS,
        Let(bias_correction2, 1 - beta2**step),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * exp_avg / denom),
    ),
)

adamw_decay_after = OptimizerSpec(
    name="adamw_decay_after",
    summary="AdamW that shrinks the parameter after the step, and the step with it.",
    hyperparameters=(*ADAM, DECAY),
    state=(M, V),
    rule=(
        *MOMENTS,
        *HATS,
        Let(moved, param - lr * mean_hat / denom),
        Let(shrink, 1 - lr * weight_decay),
        Set(param, moved * shrink),
    ),
)

adamw_one_statement = OptimizerSpec(
    name="adamw_one_statement",
    summary="AdamW as one statement: both the step and the decay from the parameter before it.",
    hyperparameters=(*ADAM, DECAY),
    state=(M, V),
    rule=(
        *MOMENTS,
        *HATS,
        Let(update, mean_hat / denom + weight_decay * param),
        Set(param, param - lr * update),
    ),
)

adamw_raw_decay = OptimizerSpec(
    name="adamw_raw_decay",
    summary="AdamW whose decay is not multiplied by lr.",
    hyperparameters=(*ADAM, DECAY),
    state=(M, V),
    rule=(
        Let(decayed, param - weight_decay * param),
        *MOMENTS,
        *HATS,
        Set(param, decayed - lr * mean_hat / denom),
    ),
)

adamw_proximal = OptimizerSpec(
    name="adamw_proximal",
    summary="Adam with decay as a proximal step: divided by 1 + lr*weight_decay.",
    hyperparameters=(*ADAM, DECAY),
    state=(M, V),
    rule=(
        *MOMENTS,
        *HATS,
        Let(moved, param - lr * mean_hat / denom),
        Let(shrink, 1 + lr * weight_decay),
        Set(param, moved / shrink),
    ),
)

amsgrad_corrected_first = OptimizerSpec(
    name="amsgrad_corrected_first",
    summary="AMSGrad that takes the maximum after bias correction, as optax does.",
    hyperparameters=ADAM,
    state=(M, V, LARGEST),
    rule=(
        *MOMENTS,
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Set(max_exp_avg_sq, Max(max_exp_avg_sq, square_hat)),
        Let(denom, sqrt(max_exp_avg_sq) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)

amsgrad_paper = OptimizerSpec(
    name="amsgrad_paper",
    summary="AMSGrad without bias correction, as in the paper.",
    hyperparameters=ADAM,
    state=(M, V, LARGEST),
    rule=(
        *MOMENTS,
        Set(max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq)),
        Let(denom, sqrt(max_exp_avg_sq) + eps),
        Set(param, param - lr * exp_avg / denom),
    ),
)

amsgrad_forgetful = OptimizerSpec(
    name="amsgrad_forgetful",
    summary="AMSGrad whose maximum is never written back: it is read as the 0 it began with.",
    hyperparameters=ADAM,
    state=(M, V),
    rule=(
        *MOMENTS,
        Let(largest, Max(exp_avg_sq, 0)),
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, largest / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)
