"""Lion: step by the sign of an interpolation between momentum and gradient."""

from optgen.modifiers import decoupled_decay
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import beta1, beta2, exp_avg, grad, lr, param, sign, symbol

interpolation = symbol("interpolation")

lion = decoupled_decay(
    OptimizerSpec(
        name="lion:plain",
        summary="Evolved sign momentum without decay.",
        hyperparameters=(
            Hyperparameter(lr, "1e-4", "[0, oo)", "step size"),
            Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg in the step"),
            Hyperparameter(beta2, "0.99", "[0, 1)", "share of exp_avg that is kept"),
        ),
        state=(StateBuffer(exp_avg, doc="moving mean of gradients"),),
        rule=(
            Let(interpolation, beta1 * exp_avg + (1 - beta1) * grad),
            Set(param, param - lr * sign(interpolation)),
            Set(exp_avg, beta2 * exp_avg + (1 - beta2) * grad),
        ),
        choices=(("sign(0)", "0"), ("lr", "outside the buffer")),
        references=(
            Reference(
                title="Symbolic Discovery of Optimization Algorithms",
                url="https://arxiv.org/abs/2302.06675",
                year=2023,
                where="Algorithm 2",
            ),
        ),
        notes=(
            "DeepSpeed's kernels move a parameter whose interpolation is 0; the paper does not.",
        ),
    ),
    default="0",
    name="lion",
    summary="Evolved sign momentum, with decay applied to the parameter.",
)
