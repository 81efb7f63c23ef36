"""The version: of the installed distribution, or of the checkout that was never installed."""

import tomllib
from importlib import metadata

from optgen import paths


def _version() -> str:
    try:
        return metadata.version("optgen")
    except metadata.PackageNotFoundError:  # `python -m optgen` in a bare checkout
        text = (paths.PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])


__version__ = _version()
