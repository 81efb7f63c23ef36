"""The level `host` of all rules, as `optgen verify --level host` runs it, with date and versions.

    python benchmarks/verify_host.py [--write]

`--write` puts the result into `benchmarks/results/verify_host.json`. The exit code is that of
the command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

from optgen.version import __version__

RESULT = Path(__file__).resolve().parent / "results" / "verify_host.json"
COMMAND = ("-m", "optgen", "verify", "--level", "host", "--json")


def main() -> int:
    """Run the level and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    started = time.perf_counter()
    ran = subprocess.run((sys.executable, *COMMAND), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    (level,) = json.loads(ran.stdout)["levels"]
    outcomes = [check["outcome"] for check in level["checks"]]
    result = {
        "command": f"python {' '.join(COMMAND)}",
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "optgen": __version__,
        },
        "seconds": round(seconds, 1),
        "passed": f"{outcomes.count('passed')} of {len(outcomes)}",
        "notes": level["notes"],
        "off": level["off"],
        "checks": [f"{c['subject']}: {c['outcome']}: {c['detail']}" for c in level["checks"]],
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text)
    if given.write:
        RESULT.write_text(text, encoding="utf-8")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
