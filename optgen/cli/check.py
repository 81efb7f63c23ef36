"""`optgen check`: does a certificate prove what it states, and of which rules?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optgen import checker
from optgen.cli import options, output
from optgen.configuration import find_spec, open_catalogue, spec_folders
from optgen.errors import OptgenError, UsageError

if TYPE_CHECKING:
    from optgen.verify.verdicts import Certificate

_LARGEST = 64_000_000  # bytes


@click.command("check", short_help="Check a certificate that `optgen compare` wrote.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("rules", nargs=-1, metavar="[LEFT RIGHT]")
@click.option(
    "--given",
    multiple=True,
    metavar="NAME=EXPR",
    help="A substitution, as for `optgen compare`: the certificate must be of these rules with it.",
)
@options.specs
@options.as_json
@click.pass_context
def check(
    ctx: click.Context,
    file: Path,
    rules: tuple[str, ...],
    given: tuple[str, ...],
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check a certificate, with a checker that shares no code with the prover.

    With LEFT and RIGHT it must also be a certificate that these two rules are
    equal. Exits with 0 if it proves what it states, with 1 if it does not, with
    2 if it cannot be read or is one of something else.
    """
    if len(rules) not in (0, 2) or (given and not rules):
        raise UsageError(
            "a certificate is checked alone or against two rules",
            where=" ".join(("optgen check", str(file), *rules)),
            fix="write `optgen check FILE` or `optgen check FILE LEFT RIGHT [--given NAME=EXPR]`",
        )
    document = read_certificate(file)
    wanted = _statements(rules, given, specs) if rules else None
    try:
        stated = [proof["statement"] for proof in document["proofs"]]
        if wanted is not None and stated != wanted:
            raise UsageError(
                f"this is a certificate of something else than {rules[0]} = {rules[1]}",
                where=file,
                fix="write one with `optgen compare LEFT RIGHT --certificate FILE`, same --given",
            )
        found = checker.check(document, wanted)
    except (checker.Malformed, KeyError, TypeError) as error:
        raise _unreadable(f"this is no certificate: {error}", file) from None
    accepted = isinstance(found, checker.Accepted)
    if as_json:
        reason = found.reason if isinstance(found, checker.Rejected) else ""
        output.document({"accepted": accepted, "reason": reason})
    else:
        output.text(checker.words(found))
    ctx.exit(0 if accepted else 1)


def read_certificate(file: Path) -> Any:
    """Read a certificate.

    Raises:
        UsageError: There is no such file, or it is no JSON.
    """
    try:
        with file.open("rb") as opened:  # what is no plain file does not tell its size
            text = opened.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise _unreadable("the file is too large for a certificate", file)
        return json.loads(text.decode("utf-8"))
    except OSError as error:
        raise _unreadable(f"the certificate cannot be opened: {error.strerror}", file) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"this is no JSON: {str(error)[:200]}", file) from None


def write_certificate(file: Path, certificate: Certificate | None) -> None:
    """Write a certificate, or say that there is none.

    Raises:
        UsageError: The file cannot be written.
    """
    if certificate is None:
        output.note(f"no certificate: the rules were not proved equal, {file} was not written")
        return
    try:
        file.write_text(json.dumps(certificate.document()) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the certificate cannot be written: {error.strerror}", where=file, fix="check the path"
        ) from None


def _statements(rules: tuple[str, ...], given: tuple[str, ...], specs: tuple[Path, ...]) -> Any:
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    left, right = (find_spec(catalogue, name, folders) for name in rules)
    from optgen import verify

    with output.working(f"comparing {rules[0]} with {rules[1]}"):
        found = verify.compare(left, right, given=given)
    if found.certificate is None:
        raise UsageError(
            f"{rules[0]} and {rules[1]} are not proved to be equal: {found.verdict}",
            where="optgen check",
            fix="no certificate can be one of these rules: see `optgen compare`",
        )
    return json.loads(json.dumps([proof["statement"] for proof in found.certificate.proofs]))


def _unreadable(what: str, file: Path) -> OptgenError:
    return UsageError(
        what, where=file, fix="write it again with `optgen compare LEFT RIGHT --certificate FILE`"
    )
