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
    def make(rule: OptimizerSpec | str) -> Subject:
        spec = catalogue[rule] if isinstance(rule, str) else rule
        return Subject(spec, catalogue, Deadline.after(60))

    return make
