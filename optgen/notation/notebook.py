"""How a rule shows itself in a notebook: mathematics, and a table of what the user chooses."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from optgen.notation import latex
from optgen.notation.glossary import Glossary
from optgen.notation.page import hyperparameter_cells, source, state_cells
from optgen.spec import OptimizerSpec


def as_latex(spec: OptimizerSpec) -> str:
    """Return a rule as displayed mathematics, for `_repr_latex_`."""
    return f"$$\n{latex.aligned(spec)}\n$$"


def as_html(spec: OptimizerSpec) -> str:
    """Return a rule as HTML with its mathematics between `$$`, for `_repr_html_`."""
    letters = Glossary.of(spec)
    chosen = [(f"${letters[h.name]}$", *hyperparameter_cells(h)) for h in spec.hyperparameters]
    kept = [
        (f"${letters[b.name]}$", name, domain, doc)
        for b in spec.state
        for name, _, domain, doc in (state_cells(b),)
    ]
    sources = "".join(f"<li>{escape(source(r))}</li>" for r in spec.references)
    return "\n".join(
        (
            f"<div><strong>{escape(spec.name)}</strong>: {escape(spec.summary)}</div>",
            f"<div>{escape(as_latex(spec), quote=False)}</div>",
            _table(("", "chosen by the user", "domain", "meaning"), chosen),
            _table(("", "state at the start", "domain", "meaning"), kept),
            f"<ul>{sources}</ul>" if sources else "",
        )
    ).rstrip()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
