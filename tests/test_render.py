"""Templates are filled, or the error says which one and where."""

from dataclasses import dataclass

import pytest

from optgen import paths
from optgen import render as render_module
from optgen.errors import RenderError
from optgen.render import render


@dataclass(frozen=True, slots=True)
class Context:
    name: str
    lines: tuple[str, ...] = ()


@pytest.fixture
def templates(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "TEMPLATES", tmp_path)
    render_module._environment.cache_clear()
    yield tmp_path
    render_module._environment.cache_clear()


def test_fields_are_placed_and_the_text_ends_in_one_newline(templates):
    (templates / "a.jinja").write_text(
        "{{ name }} <&>\n{% for x in lines %}\n{{ x }}\n{% endfor %}\n\n\n"
    )
    assert render("a.jinja", Context("x", ("1", "2"))) == "x <&>\n1\n2\n"


def test_a_missing_template_is_named(templates):
    with pytest.raises(RenderError) as caught:
        render("none.jinja", Context("x"))
    assert caught.value.where == "templates/none.jinja"


def test_a_malformed_template_is_located(templates):
    (templates / "a.jinja").write_text("fine\n{% for %}\n")
    with pytest.raises(RenderError, match="cannot be filled") as caught:
        render("a.jinja", Context("x"))
    assert caught.value.where == "templates/a.jinja:2"
    assert caught.value.fix == "mend the template"


def test_an_unknown_name_is_an_error(templates):
    (templates / "a.jinja").write_text("{{ nothing }}\n")
    with pytest.raises(RenderError, match="'nothing' is undefined"):
        render("a.jinja", Context("x"))
