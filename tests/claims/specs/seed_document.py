"""The update rules of the seed document, as it prints them.

The document is in Chinese; theta is `param`, eta `lr`, lambda `weight_decay`,
g_t `grad`, m_t `exp_avg`, v_t `exp_avg_sq` (in 2.2 `momentum_buffer`), and its
formulas are quoted above each rule. Where a gradient of J is meant, J may be the
loss alone or, by 2.4, the loss plus a penalty: both readings are given.
"""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    beta1,
    beta2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    momentum,
    momentum_buffer,
    param,
    sqrt,
    step,
    symbol,
    weight_decay,
)

m_hat, v_hat, correction1, correction2 = map(
    symbol, ("m_hat", "v_hat", "correction1", "correction2")
)
adaptive, decay, penalized = map(symbol, ("adaptive", "decay", "penalized"))
LR = Hyperparameter(lr, "1e-3", "[0, oo)", "eta, the learning rate")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "lambda, the weight decay")

# 2.1: \theta_{t+1} = \theta_t - \eta \nabla_{\theta} J(\theta_t)
seed_sgd = OptimizerSpec(
    name="seed_sgd",
    summary="Section 2.1 of the seed document, stochastic gradient descent.",
    hyperparameters=(LR,),
    rule=(Set(param, param - lr * grad),),
)

# 2.2: v_t = \beta v_{t-1} + (1 - \beta) \nabla_{\theta} J(\theta_t)
#      \theta_{t+1} = \theta_t - \eta v_t
seed_momentum = OptimizerSpec(
    name="seed_momentum",
    summary="Section 2.2 of the seed document, momentum.",
    hyperparameters=(LR, Hyperparameter(momentum, "0.9", "[0, 1)", "beta, the momentum factor")),
    state=(StateBuffer(momentum_buffer, doc="v_t, the momentum"),),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + (1 - momentum) * grad),
        Set(param, param - lr * momentum_buffer),
    ),
)

# 2.4: J(\theta) = J_0(\theta) + \frac{\lambda}{2} ||\theta||^2, whose gradient is
# \nabla J_0(\theta) + \lambda \theta.
seed_sgd_penalized = OptimizerSpec(
    name="seed_sgd_penalized",
    summary="Section 2.1 of the seed document with the objective of its section 2.4.",
    hyperparameters=(LR, DECAY),
    rule=(
        Let(penalized, grad + weight_decay * param),
        Set(param, param - lr * penalized),
    ),
)

# 3.1 and 3.2 print the same five steps:
# 1. g_t = \nabla_{\theta} J(\theta_t)
# 2. m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t
# 3. v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2
# 4. \hat{m}_t = \frac{m_t}{1 - \beta_1^t}, \hat{v}_t = \frac{v_t}{1 - \beta_2^t}
# 5. \theta_{t+1} = \theta_t - \eta \frac{\hat{m}_t}{\sqrt{\hat{v}_t} + \epsilon}
#                   - \eta \lambda \theta_t
HYPERPARAMETERS = (
    LR,
    Hyperparameter(beta1, "0.9", "[0, 1)", "beta_1, decay rate of the first moment"),
    Hyperparameter(beta2, "0.999", "[0, 1)", "beta_2, decay rate of the second moment"),
    Hyperparameter(eps, "1e-8", "[0, oo)", "epsilon, keeps the denominator from being 0"),
    DECAY,
)
STATE = (
    StateBuffer(exp_avg, doc="m_t, the first moment"),
    StateBuffer(exp_avg_sq, domain="[0, oo)", doc="v_t, the second moment"),
)

seed_adam = OptimizerSpec(
    name="seed_adam",
    summary="Section 3.1 of the seed document, which calls it Adam.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
        Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
        Let(correction1, 1 - beta1**step),
        Let(correction2, 1 - beta2**step),
        Let(m_hat, exp_avg / correction1),
        Let(v_hat, exp_avg_sq / correction2),
        Let(denom, sqrt(v_hat) + eps),
        Let(adaptive, m_hat / denom),
        Set(param, param - lr * adaptive - lr * weight_decay * param),
    ),
)

# "the weight decay term \eta \lambda \theta_t is computed on its own and subtracted from the
# parameter directly"
seed_adamw = OptimizerSpec(
    name="seed_adamw",
    summary="Section 3.2 of the seed document, which calls it AdamW.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        *seed_adam.rule[:-1],
        Let(decay, lr * weight_decay * param),
        Set(param, param - lr * adaptive - decay),
    ),
)

# 3.1 where step 1 takes the gradient of the objective of 2.4: the penalty comes in twice.
seed_adam_penalized = OptimizerSpec(
    name="seed_adam_penalized",
    summary="Section 3.1 of the seed document with the objective of its section 2.4.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        Let(penalized, grad + weight_decay * param),
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * penalized),
        Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * penalized**2),
        *seed_adam.rule[2:],
    ),
)
