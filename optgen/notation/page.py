"""One rule on a page of plain text: what it takes, what it does, where it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from optgen.arithmetic import arrange
from optgen.notation.text import expression, number, rule_lines
from optgen.order import Order
from optgen.spec import Hyperparameter, OptimizerSpec, Reference, StateBuffer
from optgen.symbols import param


def page(spec: OptimizerSpec) -> str:
    """Return a rule as a page of plain text, without a newline at the end."""
    return "\n".join(_page(spec))


def hyperparameter_cells(hyperparameter: Hyperparameter) -> tuple[str, str, str]:
    """Return a hyperparameter as (`lr = 0.001`, its domain, its meaning)."""
    assert isinstance(hyperparameter.default, Fraction)
    default = number(hyperparameter.default)
    return f"{hyperparameter.name} = {default}", str(hyperparameter.domain), hyperparameter.doc


def state_cells(buffer: StateBuffer) -> tuple[str, str, str, str]:
    """Return a state as (`exp_avg = 0`, its shape, its domain, its meaning)."""
    assert isinstance(buffer.initial, Fraction)
    shape = "like param" if buffer.shape == "param" else buffer.shape
    return f"{buffer.name} = {number(buffer.initial)}", shape, str(buffer.domain), buffer.doc


def source(reference: Reference) -> str:
    """Return a reference on one line: title, year, place, address."""
    place = f", {reference.where}" if reference.where else ""
    return f"{reference.title} ({reference.year}){place}: {reference.url}"


def query_text(spec: OptimizerSpec) -> str:
    """Return where the gradient is taken."""
    return expression(arrange(spec.query), Order.of(spec))


def choices(spec: OptimizerSpec) -> dict[str, str]:
    """Return the choices of a rule by axis; the last word on an axis counts.

    A modifier adds its choice after those of the rule that it modifies.
    """
    return dict(spec.choices)


def _page(spec: OptimizerSpec) -> Iterator[str]:
    yield spec.name if spec.name == spec.full_name else f"{spec.name} ({spec.full_name})"
    yield spec.summary
    if spec.hyperparameters:
        yield from ("", "hyperparameters")
        yield from _columns([hyperparameter_cells(h) for h in spec.hyperparameters])
    if spec.state:
        yield from ("", "state, before the first step")
        yield from _columns([state_cells(b) for b in spec.state])
    if spec.inputs:
        yield from ("", "inputs besides the gradient")
        yield from (f"  {symbol.name}" for symbol in spec.inputs)
    yield ""
    yield f"rule{'' if spec.query == param else f', with grad taken at {query_text(spec)}'}"
    yield from (f"  {line}" for line in rule_lines(spec))
    if spec.choices:
        yield from ("", "choices")
        yield from _columns(list(choices(spec).items()))
    if spec.references:
        yield from ("", "sources")
        yield from (f"  {source(reference)}" for reference in spec.references)
    if spec.notes:
        yield from ("", "notes")
        yield from (f"  {text}" for text in spec.notes)


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows with their columns aligned, two spaces before and between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(map(str.ljust, row, widths)).rstrip()
