"""Files of claims: what two rules should be to each other, and whether they are.

A claim is a TOML file: `left`, `right` and `verdict`; if needed `given`, `steps`,
`witness` and `constant`; and for people `source` and `note`. Rules are looked up in the
catalogue and in the folder `specs` beside the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from optgen.errors import ClaimError, UsageError, nearest
from optgen.loader import Catalogue, load_file
from optgen.spec import OptimizerSpec
from optgen.spec_files import spec_files
from optgen.verify.comparing import TIMEOUT as TIMEOUT
from optgen.verify.comparing import compare
from optgen.verify.comparison import Comparison, Word
from optgen.verify.explanation import explain

_STEPS = 3
_KEYS = ("left", "right", "given", "steps", "verdict", "constant", "witness", "source", "note")
_NEEDED = ("left", "right", "verdict")
_VERDICTS: tuple[Word, ...] = get_args(Word)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one file claims.

    Attributes:
        name: Name of the file, without its ending.
        path: The file.
        left: A rule.
        right: Another.
        verdict: What comparing them should say.
        given: Substitutions.
        steps: How many steps a run may take.
        constant: Hyperparameters without whose constancy the rules are not equal.
        witness: A run at which the rules must differ; None if any will do.
        source: Where the claim comes from.
        note: What it is about.
    """

    name: str
    path: Path
    left: OptimizerSpec
    right: OptimizerSpec
    verdict: Word
    given: tuple[str, ...] = ()
    steps: int = _STEPS
    constant: tuple[str, ...] = ()
    witness: Mapping[str, Fraction] | None = None
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """Whether a claim holds; `unknown` is never a pass.

    Attributes:
        claim: The claim.
        outcome: `ok`, `failed`, or `unknown` where the decider cannot tell.
        comparison: What was found.
        detail: Why it did not pass; empty if it did.
    """

    claim: Claim
    outcome: Literal["ok", "failed", "unknown"]
    comparison: Comparison
    detail: str = ""


def load_claims(path: Path, catalogue: Catalogue) -> tuple[Claim, ...]:
    """Read a claim file, or every `*.toml` of a folder, sorted by name.

    Args:
        path: A file or a folder.
        catalogue: Rules besides those in `specs` beside the claims.

    Raises:
        ClaimError: There is no such file, a file is no claim, or it names an unknown rule.
        SpecError: A spec file beside the claims is broken.
    """
    folder = path if path.is_dir() else path.parent
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise ClaimError("the folder holds no claim", where=path, fix="add a file NAME.toml")
    rules = _rules(folder, catalogue)
    return tuple(_read(file, rules) for file in files)


def _rules(folder: Path, catalogue: Catalogue) -> Catalogue:
    own = folder / "specs"
    if not own.is_dir():
        return catalogue
    found = [spec for file in spec_files((own,)) for spec in load_file(file)]
    return Catalogue((*catalogue.values(), *found))


def _read(path: Path, rules: Catalogue) -> Claim:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ClaimError("there is no such claim file", where=path, fix="check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClaimError(f"this is not TOML: {error}", where=path, fix="mend the file") from None
    for key in table:
        if key not in _KEYS:
            fix = nearest(key, _KEYS) or f"the fields are {', '.join(_KEYS)}"
            raise ClaimError(f"a claim has no field '{key}'", where=path, fix=fix)
    for key in _NEEDED:
        if key not in table:
            raise ClaimError(
                f"the claim does not say '{key}'", where=path, fix=f'add {key} = "..."'
            )
    for key in ("left", "right", "verdict", "source", "note"):
        if not isinstance(table.get(key, ""), str):
            raise ClaimError(f"'{key}' is not text", where=path, fix=f'write {key} = "..."')
    return Claim(
        name=path.stem,
        path=path,
        left=_rule(table["left"], rules, path),
        right=_rule(table["right"], rules, path),
        verdict=_verdict(table["verdict"], path),
        given=_given(table.get("given", []), path),
        steps=_steps(table.get("steps", _STEPS), path),
        constant=_constant(table.get("constant"), table["verdict"], path),
        witness=_witness(table.get("witness"), table["verdict"], path),
        source=table.get("source", ""),
        note=table.get("note", ""),
    )


def _rule(name: str, rules: Catalogue, path: Path) -> OptimizerSpec:
    try:
        return rules[name]
    except UsageError as error:
        raise ClaimError(error.what, where=path, fix=error.fix) from None


def _verdict(text: str, path: Path) -> Word:
    for word in _VERDICTS:
        if text == word:
            return word
    listed = f"{', '.join(_VERDICTS[:-1])} or {_VERDICTS[-1]}"
    raise ClaimError(f"'{text}' is no verdict", where=path, fix=f"write {listed}")


def _given(value: object, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ClaimError(
            "'given' is not a list of substitutions", where=path, fix='write given = ["eps=0"]'
        )
    return tuple(value)


def _steps(value: object, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ClaimError("'steps' is not a positive number", where=path, fix="write steps = 3")
    return value


def _constant(value: object, verdict: str, path: Path) -> tuple[str, ...]:
    needed = verdict == "equal while constant"
    names = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    if value is None and not needed:
        return ()
    if not needed or not names:
        raise ClaimError(
            "'constant' lists the hyperparameters of rules that are equal while they are constant",
            where=path,
            fix='write verdict = "equal while constant" and constant = ["lr"]',
        )
    assert isinstance(value, list)
    return tuple(sorted(value))


_PARTING = ("different", "equal while constant")


def _witness(value: object, verdict: str, path: Path) -> Mapping[str, Fraction] | None:
    if value is None:
        return None
    if verdict not in _PARTING or not isinstance(value, dict):
        raise ClaimError(
            "a witness belongs to rules that part, and is a table",
            where=path,
            fix='write verdict = "different" and [witness] with lines such as grad_1 = "1/2"',
        )
    try:
        return {name: Fraction(str(number)) for name, number in value.items()}
    except (ValueError, ZeroDivisionError) as error:
        raise ClaimError(
            f"a value of the witness is no fraction: {error}", where=path, fix='write "1/2"'
        ) from None


def check_claims(claims: Iterable[Claim], timeout: float = TIMEOUT) -> tuple[ClaimResult, ...]:
    """Check claims.

    Args:
        claims: The claims.
        timeout: Seconds for each.

    Raises:
        ClaimError: A claim's `given` cannot be used.
    """
    return tuple(check_claim(claim, timeout) for claim in claims)


def check_claim(claim: Claim, timeout: float = TIMEOUT) -> ClaimResult:
    """Check one claim; raises `ClaimError` if its `given` or `witness` cannot be used."""
    try:
        found = compare(claim.left, claim.right, claim.given, claim.steps, timeout)
    except UsageError as error:
        where = f"{claim.path}: {error.where}"
        raise ClaimError(error.what, where=where, fix=error.fix) from None
    if found.verdict != claim.verdict:
        outcome: Any = "unknown" if found.verdict == "unknown" else "failed"
        detail = f"claimed {claim.verdict}, found {found.verdict}\n{explain(found)}"
        return ClaimResult(claim, outcome, found, detail)
    if found.constant != claim.constant:
        detail = (
            f"claimed while {', '.join(claim.constant)} constant, found while "
            f"{', '.join(found.constant)} constant\n{explain(found)}"
        )
        return ClaimResult(claim, "failed", found, detail)
    if claim.witness is not None and not _differs_at(claim):
        return ClaimResult(claim, "failed", found, "the rules do not differ at the claim's witness")
    return ClaimResult(claim, "ok", found)


def _differs_at(claim: Claim) -> bool:
    from optgen.verify.runs.replay import differ_at

    assert claim.witness is not None
    try:
        return differ_at(claim.left, claim.right, claim.given, claim.witness)
    except KeyError as error:
        raise ClaimError(
            f"the witness does not say {error}",
            where=claim.path,
            fix="give a value to every hyperparameter, to param and to grad_1, grad_2, ...",
        ) from None
