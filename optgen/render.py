"""Fills a template with ready strings; templates decide nothing."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

import jinja2

from optgen import paths
from optgen.errors import RenderError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is code, not HTML
    )


def render(template: str, context: DataclassInstance) -> str:
    """Return a template filled with the fields of a frozen context.

    Args:
        template: Path below templates/.
        context: A dataclass whose fields are the names that the template reads.

    Raises:
        RenderError: The template is missing, malformed, or reads an unknown name.
    """
    try:
        text = (
            _environment()
            .get_template(template)
            .render({f.name: getattr(context, f.name) for f in fields(context)})
        )
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f"templates/{template}" + (f":{line}" if line else "")
        raise RenderError(
            f"the template cannot be filled: {error}", where=place, fix="mend the template"
        ) from error
    return text.rstrip("\n") + "\n"
