"""Rules outside the catalogue in the two forms that people take for one."""

from dataclasses import replace

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Abs,
    Max,
    Piecewise,
    Rational,
    beta1,
    beta2,
    bias_correction1,
    bias_correction2,
    clip,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    param,
    sign,
    sqrt,
    step,
    symbol,
    update,
)

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept")
BETA2 = Hyperparameter(beta2, "0.999", "[0, 1)", "share of the second moment that is kept")
EPS = Hyperparameter(eps, "1e-8", "[0, oo)", "keeps the denominator from 0")
HYPERPARAMETERS = (LR, BETA1, BETA2, EPS)
M = StateBuffer(exp_avg, doc="moving mean of gradients")
MEAN = Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad)
exp_inf, magnitude, step_size, deviation = map(
    symbol, ("exp_inf", "magnitude", "step_size", "deviation")
)
spread, mean_hat, square_hat = map(symbol, ("spread", "mean_hat", "square_hat"))
INF = StateBuffer(exp_inf, domain="[0, oo)", doc="decaying maximum of magnitudes")
SPREAD = StateBuffer(spread, domain="[0, oo)", doc="moving mean of squared deviations")

adamax = OptimizerSpec(
    name="adamax",
    summary="Adam by the infinity norm, as torch has it: eps inside the maximum.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, INF),
    rule=(
        MEAN,
        Let(magnitude, Abs(grad) + eps),
        Set(exp_inf, Max(beta2 * exp_inf, magnitude)),
        Let(bias_correction1, 1 - beta1**step),
        Let(step_size, lr / bias_correction1),
        Set(param, param - step_size * exp_avg / exp_inf),
    ),
)

adamax_keras = OptimizerSpec(
    name="adamax_keras",
    summary="Adamax as Keras has it: eps beside the maximum.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, INF),
    rule=(
        MEAN,
        Set(exp_inf, Max(beta2 * exp_inf, Abs(grad))),
        Let(bias_correction1, 1 - beta1**step),
        Let(step_size, lr / bias_correction1),
        Let(denom, exp_inf + eps),
        Set(param, param - step_size * exp_avg / denom),
    ),
)

adamax_uncorrected = OptimizerSpec(
    name="adamax_uncorrected",
    summary="Adamax without bias correction, as MLX has it.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, INF),
    rule=(
        MEAN,
        Let(magnitude, Abs(grad) + eps),
        Set(exp_inf, Max(beta2 * exp_inf, magnitude)),
        Set(param, param - lr * exp_avg / exp_inf),
    ),
)

adabelief = OptimizerSpec(
    name="adabelief",
    summary="AdaBelief: divide by the spread of gradients around their mean; eps added twice.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, SPREAD),
    rule=(
        MEAN,
        Let(deviation, grad - exp_avg),
        Set(spread, beta2 * spread + (1 - beta2) * deviation**2 + eps),
        Let(bias_correction1, 1 - beta1**step),
        Let(bias_correction2, 1 - beta2**step),
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, spread / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)

adabelief_eps_once = replace(
    adabelief,
    name="adabelief_eps_once",
    full_name="adabelief_eps_once",
    family="adabelief_eps_once",
    summary="AdaBelief without eps in its second moment.",
    rule=(
        *adabelief.rule[:2],
        Set(spread, beta2 * spread + (1 - beta2) * deviation**2),
        *adabelief.rule[3:],
    ),
)

adabelief_unrolled = replace(
    adabelief,
    name="adabelief_unrolled",
    full_name="adabelief_unrolled",
    family="adabelief_unrolled",
    summary="AdaBelief with the deviation written out before the mean is updated.",
    rule=(
        Let(deviation, beta1 * (grad - exp_avg)),
        MEAN,
        *adabelief.rule[2:],
    ),
)

beta3, difference, exp_avg_diff, last_grad, ahead, diff_hat = map(
    symbol, ("beta3", "difference", "exp_avg_diff", "last_grad", "ahead", "diff_hat")
)
bias_correction3 = symbol("bias_correction3")
ADAN = (
    LR,
    Hyperparameter(beta1, "0.98", "[0, 1)", "share of exp_avg that is kept"),
    Hyperparameter(beta2, "0.92", "[0, 1)", "share of exp_avg_diff that is kept"),
    Hyperparameter(beta3, "0.99", "[0, 1)", "share of exp_avg_sq that is kept"),
    EPS,
)
V = StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients")
DIFF = StateBuffer(exp_avg_diff, doc="moving mean of gradient differences")
LAST = StateBuffer(last_grad, doc="last gradient")


def _adan(name: str, summary: str, share: object) -> OptimizerSpec:
    """Return Adan in which differences of gradients count by a share."""
    return OptimizerSpec(
        name=name,
        summary=summary,
        hyperparameters=ADAN,
        state=(M, DIFF, V, LAST),
        rule=(
            Let(difference, Piecewise((0, step <= 1), (grad - last_grad, True))),
            MEAN,
            Set(exp_avg_diff, beta2 * exp_avg_diff + (1 - beta2) * difference),
            Let(ahead, grad + share * difference),
            Set(exp_avg_sq, beta3 * exp_avg_sq + (1 - beta3) * ahead**2),
            Let(bias_correction1, 1 - beta1**step),
            Let(bias_correction2, 1 - beta2**step),
            Let(bias_correction3, 1 - beta3**step),
            Let(mean_hat, exp_avg / bias_correction1),
            Let(diff_hat, exp_avg_diff / bias_correction2),
            Let(square_hat, exp_avg_sq / bias_correction3),
            Let(denom, sqrt(square_hat) + eps),
            Let(update, mean_hat + share * diff_hat),
            Set(param, param - lr * update / denom),
            Set(last_grad, grad),
        ),
    )


adan = _adan("adan", "Adan as its authors' code has it.", beta2)
adan_optax = _adan("adan_optax", "Adan as optax had it: the other share of differences.", 1 - beta2)

step_sizes, prev, agreement, scaled, used = map(
    symbol, ("step_sizes", "prev", "agreement", "scaled", "used")
)
last_update = symbol("last_update")
RPROP_STATE = (
    StateBuffer(step_sizes, initial="1e-2", domain="[1e-6, 50]", doc="step of each element"),
    StateBuffer(prev, doc="last gradient, or 0 where the sign had changed"),
)
RESIZE = (
    Let(agreement, sign(grad * prev)),
    Let(
        scaled,
        Piecewise(
            (step_sizes * Rational(6, 5), agreement > 0),
            (step_sizes / 2, agreement < 0),
            (step_sizes, True),
        ),
    ),
    Set(step_sizes, clip(scaled, Rational("1e-6"), 50)),
    Let(used, Piecewise((0, agreement < 0), (grad, True))),
    Let(update, step_sizes * sign(used)),
)

rprop = OptimizerSpec(
    name="rprop",
    summary="Resilient propagation without backtracking (iRprop-), as torch has it.",
    hyperparameters=(),
    state=RPROP_STATE,
    rule=(*RESIZE, Set(param, param - update), Set(prev, used)),
)

rprop_stale = OptimizerSpec(
    name="rprop_stale",
    summary="Rprop that applies the update of the step before.",
    hyperparameters=(),
    state=(*RPROP_STATE, StateBuffer(last_update, doc="update of the last step")),
    rule=(
        *RESIZE,
        Set(param, param - last_update),
        Set(last_update, update),
        Set(prev, used),
    ),
)

rho_max, rho, term, rectified, rectification, adaptive = map(
    symbol, ("rho_max", "rho", "term", "rectified", "rectification", "adaptive")
)
power, share, root = symbol("power"), symbol("share"), symbol("root")


RADAM = (
    MEAN,
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
    Let(bias_correction1, 1 - beta1**step),
    Let(power, beta2**step),
    Let(bias_correction2, 1 - power),
    Let(mean_hat, exp_avg / bias_correction1),
    Let(rho_max, 2 / (1 - beta2) - 1),
    Let(term, 2 * step * power / bias_correction2),
    Let(rho, rho_max - term),
    Let(share, (rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho)),
    Let(rectification, sqrt(share)),
)
STEP = Set(param, param - lr * Piecewise((rectified, rho > 5), (mean_hat, True)))

radam = OptimizerSpec(
    name="radam",
    summary="RAdam as optax has it: Adam's step, rectified, where the variance is known.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, V),
    rule=(
        *RADAM,
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Let(rectified, mean_hat * rectification / denom),
        STEP,
    ),
)

radam_torch = OptimizerSpec(
    name="radam_torch",
    summary="RAdam as torch has it: eps added to the uncorrected root.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, V),
    rule=(
        *RADAM,
        Let(root, sqrt(bias_correction2)),
        Let(denom, sqrt(exp_avg_sq) + eps),
        Let(adaptive, root / denom),
        Let(rectified, mean_hat * adaptive * rectification),
        STEP,
    ),
)

radam_still = OptimizerSpec(
    name="radam_still",
    summary="RAdam that takes no step while the variance is not known.",
    hyperparameters=HYPERPARAMETERS,
    state=(M, V),
    rule=(
        *RADAM,
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Let(rectified, mean_hat * rectification / denom),
        Set(param, param - lr * Piecewise((rectified, rho > 5), (0, True))),
    ),
)
