"""More attacks that must stay without success: on the checker, on files and on limits."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from optgen.checker import Accepted, Malformed, check
from optgen.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


ENDLESS = Path("/dev/zero")


@pytest.mark.skipif(not ENDLESS.exists(), reason="this system has no file without an end")
def test_a_file_without_an_end_is_too_large() -> None:
    """Such a file says that its size is 0."""
    found = run("check", str(ENDLESS))
    assert found.exit_code == 2
    assert "the file is too large for a certificate" in found.output


@pytest.mark.parametrize("arguments", [("verify", "adam"), ("compare", "adam", "adam")])
def test_what_is_no_number_is_no_limit(arguments: tuple[str, ...]) -> None:
    found = run(*arguments, "--timeout", str(math.nan))
    assert found.exit_code == 2
    assert "timeout" in found.output
    assert "Fix: allow" in found.output


REAL, POSITIVE = [None, True, None, True, False], ["0", True, None, True, False]
INTEGER = ["1", False, None, True, True]
ONE, FIRST, SECOND = [[1, []]], [[1, [[0, 1]]]], [[1, [[1, 1]]]]
ANY = [None, None]


def refused(
    variables: list[Any],
    nodes: list[Any],
    sides: tuple[int, int],
    polynomials: list[Any],
    tree: dict[str, Any],
    generators: tuple[Any, ...] = (),
) -> bool:
    statement = {"variables": variables, "nodes": nodes, "equations": [["value", *sides]]}
    proof = {
        "polynomials": polynomials,
        "generators": [*generators],
        "alike": [],
        "claims": {},
        "tree": tree,
    }
    proofs = [{"statement": statement, "proof": proof}]
    try:
        found = check({"kind": "optgen-certificate", "version": 1, "proofs": proofs})
    except Malformed:
        return True
    return not isinstance(found, Accepted)


@pytest.mark.parametrize("degree", [0, -1])
def test_a_root_of_degree_0_is_everything(degree: int) -> None:
    """p**t = p, for w**0 = (p**t)**0 holds of each w."""
    root = ["root", 0, 1, None, None, None, [], []]
    law = ["law", degree, "0", [[0, 1, 1, None, None, ANY]], [], None, root]
    nodes = [["name", "p"], ["name", "t"], ["power", 0, 1]]
    tree = {"claims": {"2": law}, "zero": {}}
    assert refused([["p", *POSITIVE], ["t", *REAL]], nodes, (2, 0), [FIRST, ONE], tree)


def test_half_an_integer_is_no_exponent_of_what_may_be_negative() -> None:
    """(x**2)**(t/2) = x**t fails at x = -2, t = 1."""
    nodes = [["name", "x"], ["name", "t"], ["number", "2"], ["power", 0, 2], ["number", "1/2"]]
    nodes += [["mul", 1, 4], ["power", 3, 5], ["power", 0, 1]]
    laws = {
        str(node): ["law", 1, "0", [[1, 2, count, None, None, ANY]], [[2, 1, 0]], None, None]
        for node, count in ((6, 2), (7, 1))
    }
    assert refused(
        [["t", *INTEGER], ["x", *REAL]],
        nodes,
        (6, 7),
        [FIRST, SECOND, ONE],
        {"claims": laws, "zero": {}},
        (["power", 1, 2, 0, ANY + ANY],),
    )


def test_an_exponent_does_not_run_over_into_the_next_generator() -> None:
    """What runs over behind the last generator would have any sign, and leave no point."""
    over = [[0, 999]] * 1049 + [[0, (1 << 20) - 999 * 1049]]
    nodes = [["name", "x"], ["number", "0"]]
    for constant in range(-4, 5):
        whole, part, rest = (
            [[c, over], [d, []]] for c, d in ((-5, -3), (1, constant), (-6, -3 - constant))
        )
        tree = {"split": 0, "out": ["sum", [[1, None], [2, None]]], "parts": []}
        assert refused([["x", *REAL]], nodes, (0, 1), [whole, part, rest], tree)


def test_a_certificate_of_nothing_is_none() -> None:
    with pytest.raises(Malformed, match="it states nothing"):
        check({"kind": "optgen-certificate", "version": 1, "proofs": []})


def test_a_high_power_between_two_ends_takes_no_time() -> None:
    nodes = [["name", "x"], ["number", "128"], ["power", 0, 1], ["power", 2, 1], ["abs", 3]]
    started = time.monotonic()
    ends = ["1/3", False, "2", False, False]
    tree = {"claims": {"4": ["signs", ANY]}, "zero": {}}
    refused([["x", *ends]], nodes, (4, 3), [], tree)
    assert time.monotonic() - started < 2
