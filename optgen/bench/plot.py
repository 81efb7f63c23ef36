"""A run as a picture: how many times the floor each contestant takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optgen.bench.results import Measurement, Run
from optgen.errors import BackendUnavailable, UsageError

# Okabe and Ito's colours, which most colour-blind people can tell apart.
_COLOURS = {
    "optgen": "#0072B2",
    "naive": "#999999",
    "torch": "#D55E00",
    "optax": "#009E73",
    "floor": "#000000",
}


def draw(run: Run, file: Path) -> None:
    """Draw one panel for each rule and workload into a PNG file.

    Args:
        run: What was measured, with a floor.
        file: Where to write; the folder must exist.

    Raises:
        BackendUnavailable: matplotlib is missing.
        UsageError: There is nothing to draw, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BackendUnavailable(
            "drawing needs matplotlib, which is not installed",
            fix="pip install 'optgen[examples]'",
        ) from None
    shown = [one for one in run.measurements if one.named("floor") and len(one.timings) > 1]
    if not shown:
        raise UsageError("there is nothing to draw: no floor", fix="install a C compiler")
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    most = max(len(one.timings) for one in shown)
    figure = Figure(figsize=(4.6 * columns, (0.9 + 0.3 * most) * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes, one in zip(grid.flat, shown, strict=False):
        _panel(axes, one)
    between = "\n" if columns == 1 else " "
    figure.suptitle(
        f"Time of one step,{between}as a multiple of moving the same bytes (95 % interval)",
        fontsize=11,
    )
    try:
        figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    except OSError as error:
        raise UsageError(
            f"the picture cannot be written: {error.strerror or error}",
            where=file,
            fix="name a file in a folder that exists and may be written",
        ) from None


def _panel(axes: Any, one: Measurement) -> None:
    found = [(t, one.ratio(t.name)) for t in one.timings if t.name != "floor"]
    rows = sorted(((r.value, r, t) for t, r in found if r is not None), key=lambda row: -row[0])
    axes.axvline(1.0, color=_COLOURS["floor"], linewidth=1.2)
    for place, (value, ratio, timing) in enumerate(rows):
        axes.barh(place, value, color=_COLOURS[timing.group], height=0.7)
        axes.plot([ratio.low, ratio.high], [place, place], color="black", linewidth=1.5)
        axes.annotate(
            f"{value:.2f}",
            (max(value, ratio.high), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(rows)), [timing.name for _, _, timing in rows], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(0.7, 1.6 * max(value for value, _, _ in rows))
    ticks = [x for x in (1, 2, 4, 8, 16, 32, 64, 128) if x <= 1.6 * rows[0][0]]
    axes.set_xticks(ticks, [str(x) for x in ticks], fontsize=8)
    axes.minorticks_off()
    axes.set_title(f"{one.label}, {one.title}", fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
