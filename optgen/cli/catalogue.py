"""`optgen list` and `optgen show`: what rules there are, and one of them in several notations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optgen.cli import options, output
from optgen.cli.sheet import show_sheet
from optgen.configuration import find_spec, open_catalogue, spec_folders, unread_hint

if TYPE_CHECKING:
    from optgen.loader import Catalogue
    from optgen.spec import OptimizerSpec


@click.command("list", short_help="What rules there are.")
@options.specs
@options.as_json
def list_rules(specs: tuple[Path, ...], as_json: bool) -> None:
    """List the rules, by family."""
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    if as_json:
        output.document([_entry(spec) for spec in catalogue.values()])
        return
    rows = [(s.family, s.name, s.summary) for s in _by_family(catalogue)]
    shown: str | None = None
    for index, row in enumerate(rows):
        if row[0] == shown:
            rows[index] = ("", *row[1:])
        shown = row[0]
    output.table(("family", "name", "what it is"), rows)
    if hint := unread_hint(folders):
        output.note(hint)


@click.command(
    "show", short_help="One rule: text, LaTeX, algorithm box, JSON, properties; differences."
)
@click.argument("name")
@click.option(
    "--as",
    "notation",
    type=click.Choice(["text", "latex", "algorithm", "json", "sheet"]),
    default="text",
    help="The notation: plain text (the default), aligned LaTeX, a LaTeX algorithm box, or JSON; "
    "'sheet' derives and proves the rule's properties.",
)
@click.option(
    "--png",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --as sheet: also draw the stability region into FILE.",
)
@click.option("--variants", is_flag=True, help="The rules of the same family, and their choices.")
@click.option("--against", metavar="OTHER", help="How the rule differs, line by line, from OTHER.")
@options.specs
@options.as_json
def show(
    name: str,
    notation: str,
    png: Path | None,
    variants: bool,
    against: str | None,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Show the rule NAME: its hyperparameters, states, update and sources."""
    if variants and against is not None:
        raise click.UsageError("--variants and --against exclude each other")
    if notation != "text" and (variants or against is not None):
        raise click.UsageError("--as does not go with --variants or --against")
    if png is not None and notation != "sheet":
        raise click.UsageError("--png goes with --as sheet")
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    spec = find_spec(catalogue, name, folders)
    if against is not None:
        _show_difference(spec, find_spec(catalogue, against, folders), as_json)
    elif variants:
        _show_variants(spec, catalogue, as_json)
    elif notation == "sheet":
        show_sheet(spec, catalogue, png, as_json)
    else:
        _show_rule(spec, notation, as_json)


def _show_rule(spec: OptimizerSpec, notation: str, as_json: bool) -> None:
    from optgen.notation.json import describe

    if notation == "json" or (as_json and notation == "text"):
        output.document(describe(spec))
        return
    rendered = _printer(notation)(spec)
    if as_json:
        output.document({"name": spec.name, "as": notation, "text": rendered})
    else:
        output.text(rendered)


def _printer(notation: str) -> Callable[[OptimizerSpec], str]:
    if notation == "latex":
        from optgen.notation.latex import document

        return document
    if notation == "algorithm":
        from optgen.notation.algorithm import algorithm

        return algorithm
    from optgen.notation.page import page

    return page


def _show_difference(left: OptimizerSpec, right: OptimizerSpec, as_json: bool) -> None:
    from optgen.notation.difference import difference

    found = difference(left, right)
    if as_json:
        output.document(found.to_json())
    else:
        output.text(str(found))


def _show_variants(spec: OptimizerSpec, catalogue: Catalogue, as_json: bool) -> None:
    family = [s for s in catalogue.values() if s.family == spec.family]
    if as_json:
        output.document([_entry(s) for s in family])
        return
    # Only what tells the members apart: an axis on which all agree says nothing here.
    axes = list(dict.fromkeys(axis for s in family for axis, _ in s.choices))
    chosen = [dict(s.choices) for s in family]
    telling = [a for a in axes if len({c.get(a) for c in chosen}) > 1]
    rows = [
        (s.name, s.full_name, *(c.get(axis, "-") for axis in telling))
        for s, c in zip(family, chosen, strict=True)
    ]
    output.table(("name", "full name", *telling), rows)


def _by_family(catalogue: Catalogue) -> list[OptimizerSpec]:
    families = list(dict.fromkeys(s.family for s in catalogue.values()))
    return sorted(catalogue.values(), key=lambda s: families.index(s.family))


def _entry(spec: OptimizerSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "full_name": spec.full_name,
        "family": spec.family,
        "summary": spec.summary,
        "hyperparameters": [h.name for h in spec.hyperparameters],
        "state": [b.name for b in spec.state],
        "choices": [list(choice) for choice in spec.choices],
    }
