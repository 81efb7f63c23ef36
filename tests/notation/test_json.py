"""The JSON description: complete, plain, and read back to the same rule."""

from json import dumps, loads
from pathlib import Path

import pytest

from optgen.errors import SpecError
from optgen.loader import load_catalogue, load_file
from optgen.notation.json import describe, read
from optgen.spec import OptimizerSpec

CATALOGUE = load_catalogue()
(EVERYTHING,) = load_file(Path(__file__).parent / "everything.py")


@pytest.mark.parametrize("spec", [*CATALOGUE.values(), EVERYTHING], ids=lambda spec: spec.name)
def test_a_rule_survives_the_way_out_and_back(spec: OptimizerSpec) -> None:
    document = loads(dumps(describe(spec), allow_nan=False))
    back = read(document)
    assert [(type(a), a.target, a.value, a.doc) for a in back.rule] == [
        (type(a), a.target, a.value, a.doc) for a in spec.rule
    ]
    assert back.domains == spec.domains
    assert back.query == spec.query
    assert [h.default for h in back.hyperparameters] == [h.default for h in spec.hyperparameters]
    assert [b.initial for b in back.state] == [b.initial for b in spec.state]
    assert back.references == spec.references
    assert describe(back) == document


def test_trees_stand_in_the_order_of_evaluation() -> None:
    (line,) = describe(CATALOGUE["sgd"])["rule"]
    assert line["text"] == "param - lr*grad"
    product = {"op": "product", "args": [{"number": "-1"}, {"name": "lr"}, {"name": "grad"}]}
    assert line["tree"] == {"op": "sum", "args": [{"name": "param"}, product]}


def test_numbers_are_exact_text() -> None:
    lr = describe(CATALOGUE["adam"])["hyperparameters"][0]
    assert lr == {"name": "lr", "default": "1/1000", "domain": "[0, oo)", "doc": "step size"}


def test_another_format_is_refused() -> None:
    with pytest.raises(SpecError, match="not a rule in format 1: its format is 2"):
        read({**describe(CATALOGUE["sgd"]), "format": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": [{"kind": "put"}]}, "a line is neither let nor set: 'put'"),
        ({"name": None}, "incomplete or wrong"),
        ({"query": {}}, "incomplete or wrong: KeyError: 'tree'"),
        ({"rule": []}, "rule 'sgd' never writes the parameter"),
    ],
)
def test_a_wrong_document_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read({**describe(CATALOGUE["sgd"]), **change})
