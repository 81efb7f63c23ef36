"""Rules by name: those of the catalogue and those of `specs/` beside this file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from optgen.configuration import open_catalogue
from optgen.spec import OptimizerSpec

SPECS = Path(__file__).parent / "specs"


@pytest.fixture(scope="session")
def rule() -> Callable[[str], OptimizerSpec]:
    catalogue = open_catalogue((SPECS,))
    return lambda name: catalogue[name]
