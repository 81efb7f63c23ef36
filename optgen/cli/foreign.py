"""`optgen verify --ptx FILE --as NAME --bind MAP`: a kernel that optgen did not write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optgen.cli import output
from optgen.configuration import find_spec, open_catalogue
from optgen.errors import UsageError, nearest

if TYPE_CHECKING:
    from optgen.translation.ptx_foreign import ForeignProof


@dataclass(frozen=True, slots=True)
class ForeignRequest:
    """What is asked of a kernel.

    Attributes:
        ptx: The file.
        rule: Name of the rule.
        bind: What the kernel's parameters mean, as written.
        entry: Name of the kernel; empty if the file has only one.
        given: `NAME=EXPR`: values of the rule's hyperparameters.
        literals: `DECIMAL=VALUE`: what constants of the kernel stand for.
        timeout: Seconds after which the answer is unknown.
        specs: Folders of rules besides optgen's own.
    """

    ptx: Path
    rule: str
    bind: str
    entry: str
    given: tuple[str, ...]
    literals: tuple[str, ...]
    timeout: float
    specs: tuple[Path, ...]


_OPTIONS = (
    click.option("--ptx", type=click.Path(path_type=Path), metavar="FILE",
                 help="PTX that optgen did not write; needs --as and --bind."),
    click.option("--as", "rule", metavar="NAME", help="The rule that --ptx is compared with."),
    click.option("--bind", metavar="MAP",
                 help="What the kernel's parameters mean: param=0,grad=1,lr=2,n=3,"
                 "4=1-beta1**step; or a TOML file with a table [bind]."),
    click.option("--entry", metavar="NAME", default="", help="The kernel in --ptx."),
    click.option("--given", multiple=True, metavar="NAME=EXPR",
                 help="With --ptx: what a hyperparameter is in this kernel."),
    click.option("--literal", "literals", multiple=True, metavar="DECIMAL=VALUE",
                 help="With --ptx: what a constant stands for, if not for the shortest decimal."),
    click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=20.0,
                 help="With --ptx: seconds after which the answer is unknown."),
)  # fmt: skip


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `optgen verify` that belong to a foreign kernel."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def verify_foreign(
    request: dict[str, Any], names: tuple[str, ...], levels: tuple[str, ...], as_json: bool
) -> int | None:
    """Check a foreign kernel if one was named; return the exit code, or None if not.

    Raises:
        UsageError: An option is missing, or says what cannot be.
    """
    if not request["timeout"] > 0:  # what is no number is in every range
        raise UsageError(
            f"a check with --timeout {request['timeout']} cannot look at anything",
            where="--timeout",
            fix="allow some seconds",
        )
    if request["ptx"] is None:
        for option in ("rule", "bind", "entry", "given", "literals"):
            if request[option]:
                name = {"rule": "as", "literals": "literal"}.get(option, option)
                raise UsageError(
                    f"--{name} belongs to --ptx", where=f"--{name}", fix="add --ptx FILE"
                )
        return None
    if names or levels:
        raise UsageError(
            "--ptx is checked alone",
            where=" ".join((*names, *(f"--level {level}" for level in levels))),
            fix="leave names and levels away; the rule goes behind --as",
        )
    for option, fix in (("rule", "--as adamw"), ("bind", "--bind param=0,grad=1,lr=2,n=3")):
        if request[option] is None:
            raise UsageError(
                f"--ptx needs {fix.split()[0]}", where="optgen verify", fix=f"add for example {fix}"
            )
    asked = ForeignRequest(**request)
    with output.working(f"reading {asked.ptx.name}"):
        entry, proof = run_foreign(asked)
    if as_json:
        output.document(_document(asked, entry, proof))
    else:
        _print(asked, entry, proof)
    return 0 if proof.outcome == "proved" else 1


def run_foreign(request: ForeignRequest) -> tuple[str, ForeignProof]:
    """Return the kernel's name and what was found.

    Raises:
        UsageError: The file cannot be read, or the request does not fit it.
    """
    from optgen.translation.ptx_bind import read_binds
    from optgen.translation.ptx_foreign import check_foreign

    spec = find_spec(open_catalogue(request.specs), request.rule, request.specs)
    try:
        text = request.ptx.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the PTX cannot be read: {error}",
            where=f"--ptx {request.ptx}",
            fix="name a text file as nvcc --ptx, NVRTC or Triton writes it",
        ) from error
    module = _parsed(text, request.ptx)
    entry = module.entries[_entry(list(module.entries), request)]
    binding = read_binds(request.bind, entry, spec)
    proof = check_foreign(
        text,
        entry.name,
        spec,
        binding,
        given=_given(request.given, {h.name: h.domain for h in spec.hyperparameters}),
        literals=_literals(request.literals),
        timeout=request.timeout,
    )
    return entry.name, proof


def _parsed(text: str, path: Path) -> Any:
    from optgen.crosscheck.ptx import PtxUnsupported, parse

    try:
        return parse(text)
    except PtxUnsupported as error:
        raise UsageError(
            f"the PTX is not understood: {error.what}",
            where=f"{path}, line {error.line}: {error.text}",
            fix="compile without debug information; functions that are called must be inlined",
        ) from error


def _entry(entries: list[str], request: ForeignRequest) -> str:
    if request.entry in entries:
        return request.entry
    if not entries:
        raise UsageError("the file holds no kernel", where=f"--ptx {request.ptx}", fix="name PTX")
    if not request.entry and len(entries) == 1:
        return entries[0]
    what = f"there is no kernel {request.entry}" if request.entry else "there are several kernels"
    raise UsageError(
        what, where=f"--ptx {request.ptx}", fix=f"add --entry with one of {', '.join(entries)}"
    )


def _given(texts: tuple[str, ...], known: Mapping[str, Any]) -> Mapping[str, Any]:
    from optgen.translation.ptx_bind import read_expression

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            fix = f"write NAME=EXPR with one of {', '.join(known)}"
            raise UsageError(f"'{text}' has no two sides", where=f"--given {text}", fix=fix)
        if name not in known:
            hint = nearest(name, known)
            raise UsageError(
                f"'{name}' is no hyperparameter of the rule",
                where=f"--given {text}",
                fix=f"write NAME=EXPR with one of {', '.join(known)}{f'; {hint}' if hint else ''}",
            )
        if name in found:
            raise UsageError(f"{name} is given twice", where=f"--given {text}", fix="give it once")
        rest = tuple(k for k in known if k != name and k not in found)
        found[name] = read_expression(value, rest, f"--given {text}")
        _check_inside(found[name], known[name], text)
    return found


def _check_inside(value: Any, domain: Any, text: str) -> None:
    """Reject a number outside a domain; an expression over other names may have any value."""
    from optgen.verify import evaluate as independent

    try:
        (found,) = independent.evaluate(value, {"param": (independent.exact(0),)}, 128)
    except KeyError:
        return
    except (independent.NoValue, independent.Unclear):
        raise UsageError(
            f"'{text}' has no real value", where=f"--given {text}", fix="mend the expression"
        ) from None
    if found.low not in domain and found.high not in domain:
        raise UsageError(
            f"{text.partition('=')[2].strip()} lies outside {domain}, the domain of the rule",
            where=f"--given {text}",
            fix="give a value inside the domain",
        )


def _literals(texts: tuple[str, ...]) -> dict[Fraction, Fraction]:
    found = {}
    for text in texts:
        try:
            left, right = text.split("=")
            found[Fraction(left.strip())] = Fraction(right.strip())
        except (ValueError, ZeroDivisionError) as error:
            raise UsageError(
                "a literal is not DECIMAL=VALUE",
                where=f"--literal {text}",
                fix="write for example --literal 0.0009999871=0.001",
            ) from error
    return found


def _print(request: ForeignRequest, entry: str, proof: ForeignProof) -> None:
    rows = [(f.output, f.outcome, f.detail) for f in proof.findings]
    output.table(("array", "outcome", ""), rows)
    output.text(f"{entry} as {request.rule}: {proof.outcome}")
    for note in proof.notes:
        output.text(f"  if {note}")


def _document(request: ForeignRequest, entry: str, proof: ForeignProof) -> dict[str, Any]:
    return {
        "ptx": str(request.ptx),
        "entry": entry,
        "rule": request.rule,
        "outcome": proof.outcome,
        "arrays": [
            {
                "array": finding.output,
                "outcome": finding.outcome,
                "detail": finding.detail,
                "witness": {name: str(value) for name, value in finding.witness},
            }
            for finding in proof.findings
        ],
        "assumes": list(proof.notes),
    }
