"""`optgen new`: writes a rule file that builds as it stands, commented for whoever changes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from optgen import paths
from optgen.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Written:
    """A rule file that was written.

    Attributes:
        path: The file.
        commands: What to run next.
        setting: Lines for pyproject.toml that make `--specs` needless; empty if it is so already.
    """

    path: Path
    commands: tuple[str, ...]
    setting: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what was written as a JSON document."""
        return {
            "path": self.path.as_posix(),
            "next": list(self.commands),
            "setting": list(self.setting),
        }


def write_rule(name: str, folder: Path, *, read: Iterable[Path] = ()) -> Written:
    """Write `folder/name.py`, a rule called `name`.

    Args:
        name: Name of the rule and of the file: lower-case letters, digits, `_`.
        folder: Made if it is not there.
        read: The folders of rules that are read already, besides optgen's own.

    Raises:
        UsageError: The name cannot be used or is taken, or the file exists.
    """
    _check_name(name)
    known = tuple(read)
    is_read = folder.resolve() in {p.resolve() for p in (paths.SPECS, *known)}
    path = folder / f"{name}.py"
    if path.exists():
        raise UsageError(
            "the file is there already, and is not overwritten",
            where=path,
            fix="choose another name, or change the file itself",
        )
    _check_free(name, known if is_read or not folder.is_dir() else (*known, folder))
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(rule_text(name))
    option = "" if is_read else f" --specs {_quoted(folder)}"
    return Written(
        path=path,
        commands=tuple(
            f"optgen {command}{option}"
            for command in (f"show {name}", f"compare {name} momentum", f"build {name}")
        ),
        setting=() if is_read else ("[tool.optgen]", f'specs = ["{folder.as_posix()}"]'),
    )


def rule_text(name: str) -> str:
    """Return the text of a rule file for a rule called `name`."""
    return _TEXT.substitute(name=name)


def _quoted(folder: Path) -> str:
    return f'"{folder}"' if " " in str(folder) else str(folder)


def _check_name(name: str) -> None:
    from optgen.checks import reserved

    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not a name for a rule file",
            fix="write lower-case letters, digits and _, beginning with a letter",
        )
    if word := reserved(name):
        raise UsageError(
            f"'{name}' is a reserved word of {word}",
            fix=f"choose another name, for example '{name}_rule'",
        )


def _check_free(name: str, folders: tuple[Path, ...]) -> None:
    from optgen.loader import load_catalogue

    catalogue = load_catalogue(folders)
    if name in catalogue:
        raise UsageError(
            f"there is a rule '{name}' already",
            where=catalogue[name].location,
            fix=f"choose another name, for example 'my_{name}'",
        )


_TEXT = Template('''\
"""$name: say in one sentence what this rule does.

Below stands momentum SGD. Change it line by line; every mistake is answered
with the line it is in. A file in this folder is read unless its name begins
with _, and may declare several rules.
"""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer

# The names that rules share, in torch's spelling (`optgen show adam` uses most of
# them), and sqrt, sign, Abs, Max, Min, Piecewise, norm, mean.
from optgen.symbols import grad, lr, momentum, momentum_buffer, param, symbol, weight_decay

# A name that optgen does not have is made like this, once.
decayed_grad = symbol("decayed_grad")

rule = OptimizerSpec(
    name="$name",
    summary="Momentum SGD with an L2 penalty, to be changed.",
    # What the user chooses: symbol, default, domain, meaning. The default is text, so that it
    # is exact. "[0, 1)" holds 0 and not 1; "[0, oo)" has no upper end.
    hyperparameters=(
        Hyperparameter(lr, "1e-2", "[0, oo)", "step size"),
        Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept"),
        Hyperparameter(weight_decay, "0", "[0, oo)", "factor of the L2 penalty"),
    ),
    # What is kept from one step to the next. It starts at 0 unless initial="..." is given, and
    # has one value for each of the parameter unless shape="scalar" is given.
    state=(StateBuffer(momentum_buffer, doc="accumulated gradient"),),
    # One step, from top to bottom. Let names a value; Set writes the parameter or a state. A
    # read sees the latest write above it. Name every intermediate value: a name is rounded
    # once and never rewritten, so the kernel computes what stands here.
    rule=(
        Let(decayed_grad, grad + weight_decay * param),
        Set(momentum_buffer, momentum * momentum_buffer + decayed_grad),
        Set(param, param - lr * momentum_buffer),
    ),
    # Where the formula is printed.
    references=(
        Reference(
            title="Some methods of speeding up the convergence of iteration methods",
            url="https://doi.org/10.1016/0041-5553(64)90137-5",
            year=1964,
            where="heavy ball",
        ),
    ),
)
''')
