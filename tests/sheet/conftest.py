"""A rule as the derivations want it."""

from collections.abc import Callable

import pytest

from optgen.loader import Catalogue, load_catalogue
from optgen.sheet.subject import Subject
from optgen.spec import OptimizerSpec
from optgen.verify.deadline import Deadline


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def subject(catalogue: Catalogue) -> Callable[[OptimizerSpec | str], Subject]:
    made: dict[str, Subject] = {}

    def make(rule: OptimizerSpec | str) -> Subject:
        if not isinstance(rule, str):
            return Subject(rule, catalogue, Deadline.after(60))
        if rule not in made:
            made[rule] = Subject(catalogue[rule], catalogue, Deadline.after(600))
        return made[rule]

    return make
