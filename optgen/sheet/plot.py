"""The stability region of a rule as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sympy

from optgen.errors import BackendUnavailable, UsageError
from optgen.loader import Catalogue
from optgen.sheet.limit import NoLimit
from optgen.sheet.stability import NotLinear, Region, inequality, stability
from optgen.sheet.subject import Subject
from optgen.spec import OptimizerSpec
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline

TIMEOUT = 20.0
_POINTS = 240
_FEWER = 160


def draw_region(spec: OptimizerSpec, catalogue: Catalogue, file: Path) -> None:
    """Draw how fast a rule converges on a quadratic, and where it does not, into a PNG file.

    Along the horizontal axis the curvature times the step size; along the vertical one the
    first share in [0, 1) that the rule has, such as its momentum. What else there is stands
    at its default, values that are held fixed at 1.

    Args:
        spec: The rule.
        catalogue: The rules around it.
        file: Where to write; the folder must exist.

    Raises:
        BackendUnavailable: matplotlib is missing.
        UsageError: The rule has no stability region, or the file cannot be written.
    """
    subject = Subject(spec, catalogue, Deadline.after(TIMEOUT))
    try:
        region = stability(subject)
    except (NotLinear, NoLimit) as error:
        raise UsageError(
            f"'{subject.spec.name}' has no stability region to draw: {error}",
            fix="leave --png out",
        ) from None
    figure = _figure(subject, region)
    try:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    except OSError as error:
        raise UsageError(
            f"the picture cannot be written: {error.strerror or error}",
            where=file,
            fix="name a file in a folder that exists and may be written",
        ) from None


def spectral_radius(region: Region, values: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Return the largest absolute eigenvalue of the step at each point of a grid.

    Args:
        region: The rule.
        values: An array for each name in the matrix, all of one shape.
    """
    shape = values[region.names[0]].shape
    entries = [_on(x, values) for x in region.matrix]
    size = region.matrix.rows
    stacked = np.stack(entries, axis=-1).reshape(*shape, size, size)
    return np.abs(np.linalg.eigvals(stacked)).max(axis=-1)


def _on(value: sympy.Expr, values: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Return the values of an expression on a grid."""
    names = list(values)
    compute = sympy.lambdify([symbol(n) for n in names], value, "numpy")
    return np.broadcast_to(compute(*values.values()), values[names[0]].shape)


def _figure(subject: Subject, region: Region) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BackendUnavailable(
            "drawing needs matplotlib, which is not installed",
            fix="pip install 'optgen[examples]'",
        ) from None
    share = next((n for n in region.names if region.domains[n].high == 1), None)
    gains = [n for n in region.names if n in subject.hyperparameters and _is_gain(subject, n)]
    shares = np.linspace(0.0, 0.995, _FEWER)
    reach = _reach(subject, region, share)
    axis = np.linspace(reach / _POINTS, reach, _POINTS)
    gain, kept = np.meshgrid(axis, shares)
    values: dict[str, np.ndarray[Any, Any]] = {}
    for name in region.names:
        default = {h.name: float(h.default) for h in subject.spec.hyperparameters}
        values[name] = np.full_like(gain, 1.0 if name in gains else default.get(name, 1.0))
    values[str(region.curvature)] = gain
    if share is not None:
        values[share] = kept
    radius = spectral_radius(region, values)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    label = "*".join([str(region.curvature), *gains])
    if region.frozen:
        label += f"  ({', '.join(region.frozen)} = 1)"
    axes.set_xlabel(label)
    axes.set_title(f"{subject.spec.name}: {_condition(subject, region)}", fontsize=9)
    if share is None:
        axes.plot(axis, radius[0])
        axes.axhline(1.0, color="black", linewidth=1.5)
        axes.set_ylabel("largest absolute eigenvalue of a step")
        return figure
    shown = np.minimum(radius, 2.0)
    filled = axes.contourf(gain, kept, shown, levels=np.linspace(0.0, 2.0, 21), cmap="RdYlBu_r")
    for condition in region.conditions:
        axes.contour(
            gain, kept, _on(condition, values), levels=[0.0], colors="black", linewidths=2.0
        )
    figure.colorbar(filled, ax=axes, label="largest absolute eigenvalue of a step (2 and more: 2)")
    axes.set_ylabel(share)
    return figure


def _condition(subject: Subject, region: Region) -> str:
    return " and ".join(inequality(subject, region, c) for c in region.conditions)


def _is_gain(subject: Subject, name: str) -> bool:
    """Whether a hyperparameter is a step size: it may be as large as one likes, and is not 0."""
    return name == "lr" and subject.hyperparameters[name].high is None


def _reach(subject: Subject, region: Region, share: str | None) -> float:
    """Return a curvature a little beyond the last at which the rule converges, within reason."""
    chosen = {h.name: float(h.default) for h in subject.spec.hyperparameters}
    found = []
    for kept in (0.0, 0.5, 0.8):
        point = {n: chosen.get(n, 1.0) for n in region.names}
        point |= {n: 1.0 for n in region.names if n == "lr"}
        if share is not None:
            point[share] = kept
        h = region.curvature
        numbers = {symbol(n): v for n, v in point.items() if n != str(h)}
        for condition in region.conditions:
            inside = sympy.Poly(condition.xreplace(numbers), h)
            found += [float(r) for r in inside.nroots() if r.is_real and 0 < r < 100]
    return 1.25 * max(found, default=4.0)
