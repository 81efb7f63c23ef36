"""Where specs/, templates/ and generated/ live: in an installed wheel, or beside the package."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_BUNDLED = PACKAGE / "_data"  # written by the wheel build only
DATA = _BUNDLED if _BUNDLED.is_dir() else PACKAGE.parent
SPECS, TEMPLATES, GENERATED = DATA / "specs", DATA / "templates", DATA / "generated"
