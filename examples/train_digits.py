"""Train a small network on handwritten digits with every generated NumPy kernel.

    python examples/train_digits.py --steps 300 --seed 0 --out examples/out

The network (64 inputs, 64 tanh units, 10 classes, softmax cross entropy) is NumPy only; the
update rules are the files in `generated/numpy`. Every rule sees the same initial parameters and
the same minibatches. The second part trains with Adam plus L2 (`adam_l2`) and with AdamW
(`adamw`) at growing weight decay: at 0 they are the same rule, from there on they part company.
"""

import importlib
import inspect
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

Array = NDArray[np.float32]
Params = dict[str, Array]

REPOSITORY = Path(__file__).resolve().parents[1]
BATCH = 64
HIDDEN = 64
TEST_IMAGES = 360
RECORDED_STEPS = 40
RECORDED_OPTIONS: Mapping[str, float] = {
    "lr": 5e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 1e-2,
}

LEARNING_RATES: Mapping[str, float] = {
    "sgd": 0.5,
    "sgd_l2": 0.5,
    "sgdw": 0.05,
    "momentum": 0.05,
    "momentum_ema": 0.5,
    "nesterov": 0.05,
    "adagrad": 0.05,
    "rmsprop": 3e-3,
    "rmsprop_centered": 3e-3,
    "rmsprop_momentum": 1e-3,
    "adam": 5e-3,
    "adam_l2": 5e-3,
    "adamw": 5e-3,
    "amsgrad": 5e-3,
    "nadam": 5e-3,
    "lion": 1e-3,
    "lamb": 0.02,
}
"""A learning rate per rule; a rule that is not here trains with its kernel's default."""

WEIGHT_DECAYS = (0.0, 1e-3, 1e-2, 1e-1, 1.0)


class Kernel(Protocol):
    """The part of a generated module this example calls."""

    def init(self, param: Array) -> dict[str, NDArray[np.generic]]:
        """Return the states before the first step."""

    def step(
        self, param: Array, grad: Array, state: dict[str, NDArray[np.generic]], **options: float
    ) -> None:
        """Update `param` and `state` in place."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Images scaled to [0, 1] as float32 rows, their classes, and which rows are for testing."""

    train_images: Array
    train_classes: NDArray[np.int64]
    test_images: Array
    test_classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Run:
    """What one training run left behind."""

    params: Params
    losses: tuple[float, ...]
    output_gradients: tuple[Array, ...]
    milliseconds_per_step: float


@dataclass(frozen=True, slots=True)
class Parting:
    """Where adam_l2 (coupled) and adamw (decoupled) ended at one weight decay."""

    weight_decay: float
    distance: float
    coupled_norm: float
    decoupled_norm: float


def read_digits(seed: int) -> Digits:
    """Return scikit-learn's 1797 digits of 8 by 8 pixels, shuffled by `seed` and split."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    images = (digits.data[order] / 16).astype(np.float32)
    classes = digits.target[order].astype(np.int64)
    return Digits(
        images[TEST_IMAGES:], classes[TEST_IMAGES:], images[:TEST_IMAGES], classes[:TEST_IMAGES]
    )


def initial_params(seed: int) -> Params:
    """Return the network's weights (Glorot normal) and biases (zero)."""
    rng = np.random.default_rng([seed, 1])

    def glorot(rows: int, columns: int) -> Array:
        scale = np.sqrt(2 / (rows + columns))
        return np.asarray(scale * rng.standard_normal((rows, columns)), np.float32)

    return {
        "hidden_weight": glorot(64, HIDDEN),
        "hidden_bias": np.zeros(HIDDEN, np.float32),
        "output_weight": glorot(HIDDEN, 10),
        "output_bias": np.zeros(10, np.float32),
    }


def logits(params: Params, images: Array) -> tuple[Array, Array]:
    """Return the hidden activations and the scores of the ten classes."""
    hidden = np.tanh(images @ params["hidden_weight"] + params["hidden_bias"])
    return hidden, hidden @ params["output_weight"] + params["output_bias"]


def loss_and_gradients(
    params: Params, images: Array, classes: NDArray[np.int64]
) -> tuple[float, Params]:
    """Return the mean cross entropy over the rows and its gradient in every parameter."""
    hidden, scores = logits(params, images)
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(classes))
    loss = -float(log_likelihood[rows, classes].mean())
    scores_grad = np.exp(log_likelihood)
    scores_grad[rows, classes] -= 1
    scores_grad /= len(classes)
    hidden_grad = (scores_grad @ params["output_weight"].T) * (1 - hidden * hidden)
    return loss, {
        "hidden_weight": images.T @ hidden_grad,
        "hidden_bias": hidden_grad.sum(axis=0),
        "output_weight": hidden.T @ scores_grad,
        "output_bias": scores_grad.sum(axis=0),
    }


def minibatches(count: int, steps: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield `steps` lists of row numbers, each pass over the rows in a new order."""
    rng = np.random.default_rng([seed, 2])
    waiting = rng.permutation(count)
    for _ in range(steps):
        if len(waiting) < BATCH:
            waiting = rng.permutation(count)
        yield waiting[:BATCH]
        waiting = waiting[BATCH:]


def train(
    kernel: Kernel, digits: Digits, steps: int, seed: int, options: Mapping[str, float]
) -> Run:
    """Train from the same start and on the same minibatches, whatever the kernel."""
    params = initial_params(seed)
    states = {name: kernel.init(param) for name, param in params.items()}
    losses, output_gradients, seconds = [], [], 0.0
    for rows in minibatches(len(digits.train_images), steps, seed):
        loss, grads = loss_and_gradients(
            params, digits.train_images[rows], digits.train_classes[rows]
        )
        losses.append(loss)
        output_gradients.append(grads["output_weight"])
        started = time.perf_counter()
        for name, param in params.items():
            kernel.step(param, grads[name], states[name], **options)
        seconds += time.perf_counter() - started
    return Run(params, tuple(losses), tuple(output_gradients), 1e3 * seconds / steps)


def accuracy(params: Params, images: Array, classes: NDArray[np.int64]) -> float:
    """Return the share of rows whose highest score is their class."""
    return float(np.mean(logits(params, images)[1].argmax(axis=1) == classes))


def flat(params: Params) -> NDArray[np.float64]:
    """Return all parameters as one float64 vector."""
    return np.concatenate([param.ravel() for param in params.values()]).astype(np.float64)


def find_kernels(generated: Path) -> dict[str, ModuleType]:
    """Import every kernel in `generated`/numpy, by file name.

    Raises:
        click.ClickException: There is none.
    """
    names = sorted(
        path.stem for path in (generated / "numpy").glob("*.py") if not path.stem.startswith("_")
    )
    if not names:
        raise click.ClickException(
            f"no NumPy kernels in {generated / 'numpy'}; make them with: "
            "optgen build --target numpy"
        )
    sys.path.insert(0, str(generated.parent))
    modules = {name: importlib.import_module(f"{generated.name}.numpy.{name}") for name in names}
    # Kernels of storage mixes take arrays of several types, which this network does not have.
    return {name: module for name, module in modules.items() if not hasattr(module, "_TYPES")}


def missing_inputs(kernel: ModuleType) -> list[str]:
    """Return what `step` asks for beyond the parameter, its gradient and the states."""
    known = {"param", "grad", "state"}
    return [
        name
        for name, parameter in inspect.signature(kernel.step).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in known
    ]


def options_for(rule: str) -> dict[str, float]:
    """Return the learning rate to train `rule` with, or nothing to use the kernel's default."""
    return {"lr": LEARNING_RATES[rule]} if rule in LEARNING_RATES else {}


def compare_rules(
    console: Console, kernels: Mapping[str, Kernel], digits: Digits, steps: int, seed: int
) -> dict[str, Run]:
    """Train with every kernel and print one row for each."""
    table = Table(title=f"{steps} steps of {BATCH} images, seed {seed}", title_justify="left")
    table.add_column("rule", no_wrap=True)
    for heading in ("lr", "first loss", "last loss", "train acc", "test acc", "ms per step"):
        table.add_column(heading, justify="right", min_width=6)
    runs = {}
    for rule, kernel in kernels.items():
        options = options_for(rule)
        run = runs[rule] = train(kernel, digits, steps, seed, options)
        table.add_row(
            rule,
            f"{options['lr']:g}" if options else "default",
            f"{run.losses[0]:.4f}",
            f"{run.losses[-1]:.4f}",
            f"{accuracy(run.params, digits.train_images, digits.train_classes):.4f}",
            f"{accuracy(run.params, digits.test_images, digits.test_classes):.4f}",
            f"{run.milliseconds_per_step:.3f}",
        )
    console.print(table)
    return runs


def part_company(
    console: Console, kernels: Mapping[str, Kernel], digits: Digits, steps: int, seed: int
) -> list[Parting]:
    """Train adam_l2 and adamw at each weight decay, print how far apart they end, return that.

    Norms and distances are Euclidean, over all parameters as one vector; accuracies are on the
    test images. The relative distance, in norms of AdamW's parameters, says more than the distance
    alone: at a large decay all parameters are small, and so is the distance.
    """
    table = Table(title="Adam with L2 and AdamW part company", title_justify="left")
    for heading in (
        "weight decay",
        "distance",
        "relative",
        "|adam_l2|",
        "|adamw|",
        "adam_l2 acc",
        "adamw acc",
    ):
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    partings = []
    for weight_decay in WEIGHT_DECAYS:
        runs = [
            train(
                kernels[rule],
                digits,
                steps,
                seed,
                {**options_for(rule), "weight_decay": weight_decay},
            )
            for rule in ("adam_l2", "adamw")
        ]
        coupled, decoupled = (flat(run.params) for run in runs)
        parting = Parting(
            weight_decay,
            distance=float(np.linalg.norm(coupled - decoupled)),
            coupled_norm=float(np.linalg.norm(coupled)),
            decoupled_norm=float(np.linalg.norm(decoupled)),
        )
        partings.append(parting)
        scores = [accuracy(run.params, digits.test_images, digits.test_classes) for run in runs]
        table.add_row(
            f"{weight_decay:g}",
            f"{parting.distance:.6g}",
            f"{parting.distance / parting.decoupled_norm:.4f}",
            f"{parting.coupled_norm:.4f}",
            f"{parting.decoupled_norm:.4f}",
            *(f"{score:.4f}" for score in scores),
        )
    console.print(table)
    return partings


def draw(runs: Mapping[str, Run], partings: list[Parting], path: Path) -> None:
    """Write the loss curves and, where both were trained, how adam_l2 and adamw part."""
    mpl.use("agg")
    figure = Figure(figsize=(14, 5.5), layout="constrained")
    curves, apart = figure.subplots(1, 2, width_ratios=(3, 2))
    window = max(1, min(15, len(next(iter(runs.values())).losses) // 5))
    for index, (rule, run) in enumerate(runs.items()):
        smooth = np.convolve(run.losses, np.ones(window) / window, mode="valid")
        style = ("-", "--", ":")[index // 10 % 3]
        curves.plot(np.arange(len(smooth)) + window, smooth, style, label=rule, linewidth=1.2)
    curves.set(
        xlabel="step",
        ylabel=f"cross entropy, mean of {window} steps",
        title="Training loss",
        yscale="log",
    )
    curves.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    if partings:
        places = range(len(partings))
        apart.plot(places, [at.decoupled_norm for at in partings], "s--", label="norm of adamw")
        apart.plot(places, [at.coupled_norm for at in partings], "^--", label="norm of adam_l2")
        apart.plot(places, [at.distance for at in partings], "o-", label="distance between them")
        apart.set_xticks(places, [f"{at.weight_decay:g}" for at in partings])
        apart.set(xlabel="weight_decay", title="Final parameters of adam_l2 and adamw")
        apart.legend()
    else:
        apart.set_axis_off()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def record(kernel: Kernel, digits: Digits, seed: int, path: Path) -> None:
    """Write the output layer's gradients of a short run, and its first weights, as an npz file."""
    run = train(kernel, digits, RECORDED_STEPS, seed, RECORDED_OPTIONS)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        param=initial_params(seed)["output_weight"],
        gradients=np.stack(run.output_gradients),
    )


def chosen(kernels: dict[str, ModuleType], rules: str | None) -> dict[str, ModuleType]:
    """Return the kernels named in the comma-separated `rules`, or all of them.

    Raises:
        click.BadParameter: There is no kernel of such a name.
    """
    if rules is None:
        return kernels
    names = [name.strip() for name in rules.split(",")]
    unknown = [name for name in names if name not in kernels]
    if unknown:
        raise click.BadParameter(
            f"no kernel named {', '.join(unknown)}; there are {', '.join(kernels)}",
            param_hint="--rules",
        )
    return {name: kernels[name] for name in names}


@click.command(help=__doc__.partition("\n")[0])
@click.option("--steps", default=300, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--out",
    default=REPOSITORY / "examples" / "out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for digits.png.  [default: examples/out]",
)
@click.option("--rules", help="Comma-separated kernel names.  [default: all there are]")
@click.option(
    "--generated",
    default=REPOSITORY / "generated",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds numpy/.  [default: generated]",
)
@click.option(
    "--record",
    "record_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Also write {RECORDED_STEPS} gradients of the output layer under adamw (npz).",
)
def main(
    steps: int, seed: int, out: Path, rules: str | None, generated: Path, record_path: Path | None
) -> None:
    """Train, print both tables, draw both panels."""
    console = Console()
    available = find_kernels(generated.resolve())
    kernels = {}
    for name, kernel in chosen(available, rules).items():
        if missing := missing_inputs(kernel):
            console.print(f"{name} left out: it also needs {', '.join(missing)}")
        else:
            kernels[name] = kernel
    if not kernels:
        raise click.ClickException("no kernel left to train with")
    digits = read_digits(seed)
    runs = compare_rules(console, kernels, digits, steps, seed)
    partings = []
    if {"adam_l2", "adamw"} <= kernels.keys():
        partings = part_company(console, kernels, digits, steps, seed)
    else:
        console.print("adam_l2 and adamw are not compared: both must be among the rules")
    out.mkdir(parents=True, exist_ok=True)
    draw(runs, partings, out / "digits.png")
    console.print(f"wrote {out / 'digits.png'}", soft_wrap=True)
    if record_path:
        if "adamw" not in available:
            raise click.ClickException("--record needs the adamw kernel")
        record(available["adamw"], digits, seed, record_path)
        console.print(f"wrote {record_path}", soft_wrap=True)


if __name__ == "__main__":
    main()
