"""Where specs/ and templates/ live: in an installed wheel, or beside the package in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_BUNDLED = PACKAGE / "_data"  # written by the wheel build only
DATA = _BUNDLED if _BUNDLED.is_dir() else PACKAGE.parent
SPECS, TEMPLATES = DATA / "specs", DATA / "templates"
