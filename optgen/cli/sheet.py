"""`optgen show NAME --as sheet`: the properties of a rule, derived and proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optgen.cli import output

if TYPE_CHECKING:
    from optgen.loader import Catalogue
    from optgen.spec import OptimizerSpec


def show_sheet(spec: OptimizerSpec, catalogue: Catalogue, png: Path | None, as_json: bool) -> None:
    """Print the property sheet of a rule, and draw its stability region where asked to.

    Raises:
        BackendUnavailable: A picture is asked for and matplotlib is missing.
        UsageError: A picture is asked for and the rule has no stability region, or the file
            cannot be written.
    """
    from optgen.sheet import property_sheet

    if png is not None:
        from optgen.sheet.plot import draw_region

        draw_region(spec, catalogue, png)
        output.note(f"wrote {png}")
    with output.working(f"deriving the properties of {spec.name}"):
        sheet = property_sheet(spec, catalogue=catalogue)
    if as_json:
        output.document(sheet.to_json())
    else:
        output.text(str(sheet))
