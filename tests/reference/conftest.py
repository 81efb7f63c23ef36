"""Fixtures for the references."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository_on_path(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `generated` importable from its parent folder, as users do in a checkout."""
    monkeypatch.syspath_prepend(REPOSITORY)
    return REPOSITORY
