"""The checker of certificates: what it takes for proved, and false certificates it must refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optgen.checker import KIND, VERSION, Accepted, Malformed, Rejected, check, main, words

REAL = [None, True, None, True, False]
NONNEGATIVE = ["0", False, None, True, False]
ONE = [[1, []]]
X = [[1, [[0, 1]]]]


def certificate(
    variables: list[Any],
    nodes: list[Any],
    sides: tuple[int, int],
    *,
    polynomials: list[Any] | None = None,
    generators: list[Any] | None = None,
    alike: list[Any] | None = None,
    tree: dict[str, Any] | None = None,
) -> dict[str, Any]:
    statement = {"variables": variables, "nodes": nodes, "equations": [["value", *sides]]}
    proof = {
        "polynomials": polynomials or [],
        "generators": generators or [],
        "alike": [[*pair, {}] for pair in alike or []],
        "claims": {},
        "tree": tree or {"claims": {}, "zero": {}},
    }
    return {"kind": KIND, "version": VERSION, "proofs": [{"statement": statement, "proof": proof}]}


def leaf(claims: dict[str, Any] | None = None, zero: dict[str, Any] | None = None) -> Any:
    return {"claims": claims or {}, "zero": zero or {}}


def verdict(document: Any) -> str:
    """Return `accepted` or `rejected`; what cannot be read is as good as rejected."""
    try:
        return "accepted" if isinstance(check(document), Accepted) else "rejected"
    except Malformed:
        return "rejected"


ROOT_OF_SQUARE = [
    ["name", "x"],
    ["number", "2"],
    ["number", "1/2"],
    ["power", 0, 1],
    ["power", 3, 2],
    ["abs", 0],
    ["number", "-1"],
    ["mul", 6, 0],
]


def root_of_square(
    domain: list[Any], right: int, value: Any = X, tree: Any = None, claims: Any = None
) -> dict[str, Any]:
    own = {"4": ["root", 0, 1, None, None, None, [], []], **(claims or {})}
    return certificate(
        [["x", *domain]],
        ROOT_OF_SQUARE,
        (4, right),
        polynomials=[value, ONE, X, [[-1, [[0, 1]]]]],
        tree=tree or leaf(own),
    )


def test_the_root_of_a_square_on_one_half() -> None:
    assert verdict(root_of_square(NONNEGATIVE, 0)) == "accepted"


def test_the_root_of_a_square_on_the_reals_is_not_x() -> None:
    assert check(root_of_square(REAL, 0)) == Rejected("its root may be negative")
    assert verdict(root_of_square(REAL, 7, [[-1, [[0, 1]]]])) == "rejected"


def split(parts: list[Any], poly: int = 2) -> dict[str, Any]:
    return {"split": poly, "out": None, "parts": parts}


def half(sign: int) -> dict[str, Any]:
    root = ["root", 0 if sign > 0 else 3, 1, None, None, None, [], []]
    return leaf({"4": root, "5": ["signs", [None, None]]})


def test_the_root_of_a_square_is_the_absolute_value_by_two_regions() -> None:
    both = split([[[0, 1], None, half(1)], [[-1], None, half(-1)]])
    assert check(root_of_square(REAL, 5, tree=both)) == Accepted(1, 2)


def test_a_region_left_out() -> None:
    one = split([[[0, 1], None, half(1)]])
    assert check(root_of_square(REAL, 5, tree=one)) == Rejected(
        "a region of the domain is left out"
    )
    gap = split([[[1], None, half(1)], [[-1], None, half(-1)]])
    assert verdict(root_of_square(REAL, 5, tree=gap)) == "rejected"


def test_signs_that_do_not_exist_cover_nothing() -> None:
    odd = split([[[0, 1], None, half(1)], [[-2], None, half(-1)]])
    assert verdict(root_of_square(REAL, 5, tree=odd)) == "rejected"


def test_an_absolute_value_of_the_wrong_sign() -> None:
    wrong = split([[[0, 1], None, half(1)], [[-1], None, half(1)]])
    assert verdict(root_of_square(REAL, 5, tree=wrong)) == "rejected"


def test_the_sign_of_a_product_with_what_may_be_0() -> None:
    """sign(v*m) = sign(m) with v >= 0 fails at v = 0."""
    nodes = [["name", "m"], ["name", "v"], ["mul", 0, 1], ["sign", 2], ["sign", 0]]
    v, m, both = [[1, [[1, 1]]]], [[1, [[0, 1]]]], [[1, [[0, 1], [1, 1]]]]
    claims = {
        "3": ["signs", [["product", 1, [[0, 1, None], [1, 1, None]]], None]],
        "4": ["signs", [None, None]],
    }
    found = certificate(
        [["m", *REAL], ["v", *NONNEGATIVE]],
        nodes,
        (3, 4),
        polynomials=[v, m, both],
        tree=split([[[s], None, leaf(claims)] for s in (-1, 0, 1)], poly=1),
    )
    assert verdict(found) == "rejected"
    positive = json.loads(json.dumps(found))
    positive["proofs"][0]["statement"]["variables"][1][2] = True
    assert verdict(positive) == "accepted"


def test_a_maximum_in_the_wrong_order() -> None:
    nodes = [["name", "x"], ["number", "0"], ["max", 0, 1], ["min", 0, 1]]
    assert verdict(certificate([["x", *NONNEGATIVE]], nodes, (2, 0))) == "accepted"
    assert verdict(certificate([["x", *NONNEGATIVE]], nodes, (2, 1))) == "rejected"
    assert verdict(certificate([["x", *NONNEGATIVE]], nodes, (3, 0))) == "rejected"
    assert verdict(certificate([["x", *REAL]], nodes, (2, 0))) == "rejected"


def test_no_operand_of_a_maximum_is_passed_over() -> None:
    nodes = [["name", "x"], ["number", "0"], ["number", "9"], ["max", 0, 1, 2]]
    tree = leaf({"3": ["signs", [None, None]]})
    assert verdict(certificate([["x", *NONNEGATIVE]], nodes, (3, 0), tree=tree)) == "rejected"


def test_both_sides_times_0() -> None:
    """x/x = 1 wherever it has a value; 0*x = 0*y does not make x and y equal."""
    nodes = [["name", "x"], ["number", "-1"], ["power", 0, 1], ["mul", 0, 2], ["number", "1"]]
    assert verdict(certificate([["x", *REAL]], nodes, (3, 4))) == "accepted"
    assert verdict(certificate([["x", *REAL]], nodes, (3, 0))) == "rejected"
    nodes = [["name", "x"], ["name", "y"]]
    zero = leaf({"0/": [0, 0, 0]})
    found = certificate([["x", *REAL], ["y", *REAL]], nodes, (0, 1), polynomials=[[]], tree=zero)
    assert verdict(found) == "rejected"


def test_a_cancelled_factor_must_divide_both_parts() -> None:
    nodes = [["name", "x"], ["number", "1"]]
    for cut in ([1, 1, 2], [2, 2, 1], [1, 2, 2], [0, 0, 1]):
        found = certificate(
            [["x", *NONNEGATIVE]],
            nodes,
            (0, 1),
            polynomials=[[], ONE, X],
            tree=leaf({"0/": cut}),
        )
        assert verdict(found) == "rejected"


FACE = [["name", "x"], ["number", "2"], ["power", 0, 1], ["number", "0"]]


def test_a_factor_that_is_0_on_a_face_only() -> None:
    on_face = leaf(zero={"0": [[[0, 0]], None]})
    inside = split([[[0], None, on_face], [[-1, 1], None, on_face]], poly=0)
    found = certificate([["x", *REAL]], FACE, (2, 3), polynomials=[X], tree=inside)
    assert check(found) == Rejected("value: it takes for 0 what is not")
    fixed = split([[[0], 0, leaf()], [[-1, 1], 0, leaf()]], poly=0)
    found = certificate([["x", *REAL]], FACE, (2, 3), polynomials=[X], tree=fixed)
    assert verdict(found) == "rejected"


def test_a_face_covers_no_more_than_the_face() -> None:
    point = ["0", False, "0", False, False]
    found = certificate([["x", *point]], FACE, (2, 3), polynomials=[X])
    only = split([[[0], 0, leaf()]], poly=0)
    found["proofs"][0]["proof"]["tree"] = only
    assert verdict(found) == "accepted"
    found = certificate([["x", *NONNEGATIVE]], FACE, (2, 3), polynomials=[X], tree=only)
    assert verdict(found) == "rejected"


def test_a_variable_is_fixed_by_its_own_equation_only() -> None:
    nodes = [["name", "x"], ["name", "y"]]
    square = [[1, [[0, 2]]]]
    for poly in (square, [[2, [[0, 1]]]], [[1, [[0, 1]]], [-1, [[0, 2]]]]):
        tree = split([[[s], 0, leaf()] for s in (0, -1, 1)], poly=0)
        found = certificate(
            [["x", *REAL], ["y", *REAL]], nodes, (0, 1), polynomials=[poly], tree=tree
        )
        assert verdict(found) == "rejected"


def odd_root(domain: list[Any], right: int) -> dict[str, Any]:
    """abs(x**(1/3)) = x**(1/3): the root is never negative, for it exists on one half only."""
    nodes = [
        ["name", "x"],
        ["number", "1/3"],
        ["power", 0, 1],
        ["abs", 2],
        ["abs", 0],
        ["power", 4, 1],
        ["number", "-1"],
        ["mul", 6, 2],
    ]
    root = [[1, [[1, 1]]]]
    return certificate(
        [["x", *domain]],
        nodes,
        (3, right),
        polynomials=[X, root, ONE],
        generators=[["root", 3, 0, None]],
        tree=leaf({"2": ["root", 1, 2, None, None, None, [[1, None]], []]}),
    )


def test_an_odd_root_is_not_negative_only_where_its_radicand_is_not() -> None:
    assert verdict(odd_root(NONNEGATIVE, 2)) == "accepted"
    assert verdict(odd_root(REAL, 2)) == "rejected"
    assert verdict(odd_root(NONNEGATIVE, 7)) == "rejected"


def test_a_split_by_a_root_that_need_not_be_real_covers_nothing() -> None:
    nodes = [["name", "x"], ["abs", 0]]
    root = [[1, [[1, 1]]]]
    tree = split([[[0, 1], None, leaf({"1": ["signs", [None, None]]})]], poly=1)
    found = certificate(
        [["x", *REAL]],
        nodes,
        (0, 1),
        polynomials=[X, root],
        generators=[["root", 2, 0, None]],
        tree=tree,
    )
    assert verdict(found) == "rejected"


def test_the_square_of_a_root_that_need_not_be_real_has_no_sign() -> None:
    nodes = [["name", "x"], ["abs", 0]]
    square = ["product", 1, [[1, 2, None]]]

    def found(domain: Any) -> str:
        return verdict(
            certificate(
                [["x", *domain]],
                nodes,
                (0, 1),
                polynomials=[X, [[1, [[1, 1]]]]],
                generators=[["root", 2, 0, None]],
                tree=leaf({"1": ["signs", [square, None]]}),
            )
        )

    assert found(NONNEGATIVE) == "accepted"
    assert found(REAL) == "rejected"


def test_a_power_of_zero_is_zero_only_if_the_exponent_is_positive() -> None:
    nodes = [["number", "0"], ["name", "x"], ["power", 0, 1]]
    assert verdict(certificate([["x", "0", True, None, True, False]], nodes, (2, 0))) == "accepted"
    assert verdict(certificate([["x", *NONNEGATIVE]], nodes, (2, 0))) == "rejected"
    assert verdict(certificate([["x", *REAL]], nodes, (2, 0))) == "rejected"


def test_a_power_is_positive_only_where_its_base_is() -> None:
    nodes = [["name", "b"], ["name", "t"], ["power", 0, 1], ["sign", 2], ["number", "1"]]
    law = ["law", 1, "0", [[0, 2, 1, None, None, [None, None]]], [[2, 1, 0]], None, None]

    def found(base: Any) -> str:
        tree = leaf({"2": law, "3": ["signs", [None, None]]}) | {"real": [[2, None]]}
        return verdict(
            certificate(
                [["b", *base], ["t", "1", False, None, True, True]],
                nodes,
                (3, 4),
                polynomials=[X, [[1, [[1, 1]]]], [[1, []]]],
                generators=[["power", 0, 2, 1, [None] * 4]],
                tree=tree,
            )
        )

    assert found(["0", True, None, True, False]) == "accepted"
    assert found(NONNEGATIVE) == "rejected"


def test_norms_of_different_arguments_are_different() -> None:
    nodes = [
        ["name", "x"],
        ["name", "y"],
        ["norm", 0],
        ["norm", 1],
        ["number", "-1"],
        ["mul", 4, 0],
    ]
    nodes += [["norm", 5], ["mean", 0], ["mean", 5]]
    both = [["x", *REAL], ["y", *REAL]]

    def norms(left: int, right: int) -> str:
        return verdict(
            certificate(
                both, nodes, (left, right), generators=[["opaque", left]], alike=[[right, left]]
            )
        )

    assert norms(2, 6) == "accepted"
    assert norms(2, 3) == "rejected"
    assert norms(7, 8) == "rejected"
    assert norms(2, 7) == "rejected"


@pytest.mark.parametrize(
    ("tag", "opposite", "signs", "expected"),
    [
        ("norm", [0], [[0, 1], [-1]], "accepted"),
        ("norm", [], [[0, 1], [-1]], "rejected"),
        ("norm", [0], [[0, 1]], "rejected"),
        ("mean", [0], [[0, 1], [-1]], "rejected"),
    ],
)
def test_norms_of_what_is_the_same_or_opposite_in_each_region(
    tag: str, opposite: list[int], signs: list[list[int]], expected: str
) -> None:
    nodes = [["name", "x"], ["abs", 0], [tag, 0], [tag, 1]]
    own = {"1": ["signs", [None, None]]}
    leaves = [leaf(own), {**leaf(own), "opposite": opposite}]
    parts = [[s, None, below] for s, below in zip(signs, leaves, strict=False)]
    found = certificate([["x", *REAL]], nodes, (2, 3), polynomials=[X], generators=[["opaque", 2]])
    found["proofs"][0]["proof"]["alike"] = [[3, 2, {"2": split(parts, poly=0)}]]
    assert verdict(found) == expected


def test_a_region_whose_facts_add_up_to_less_than_0_has_no_point() -> None:
    x, y, z = ([[1, [[i, 1]]]] for i in range(3))

    def over(a: list[Any], b: list[Any], by: int) -> list[Any]:
        return [*a, *([-c, m] for c, m in b), [by, []]]

    def found(by: int) -> str:
        polynomials = [over(x, y, -1), over(y, z, -1), over(z, x, by), over(x, y, -1)]
        polynomials += [[[-c, m] for c, m in p] for p in (polynomials[1], polynomials[2])]
        polynomials += [[[-1, []]]]
        nodes = [["name", n] for n in "xyz"] + [["add", 0, 1, 2]]
        out = ["sum", [[4, None], [5, None], [6, None]]]
        below = {"split": 3, "out": out, "parts": []}
        for at in (2, 1, 0):
            rest = [[[-1, 0], None, leaf()]]
            below = split([[[1], None, below], *rest], poly=at)
        domains = [[n, *REAL] for n in "xyz"]
        return verdict(certificate(domains, nodes, (3, 3), polynomials=polynomials, tree=below))

    assert found(1) == "accepted"
    assert found(3) == "rejected"


def power_of_sum(exponent: list[Any], low: str, open_end: bool) -> dict[str, Any]:
    nodes = [
        ["name", "b"],
        ["name", "t"],
        ["power", 0, 1],
        ["number", exponent[0]],
        ["add", 1, 3],
        ["power", 0, 4],
        ["mul", 0, 2],
    ]
    own = ["law", 1, "0", [[0, 1, 1, None, None, [None, None]]], [[2, 1, 0]], None, None]
    more = ["law", 1, exponent[1], *own[3:]]
    return certificate(
        [["b", low, open_end, "1", True, False], ["t", "1", False, None, True, True]],
        nodes,
        (5, 6),
        polynomials=[X, ONE, [[1, [[1, 1]]]]],
        generators=[["power", 0, 1, 2, [None, None, None, None]]],
        tree=leaf({"2": own, "5": more}),
    )


def test_laws_of_powers() -> None:
    assert verdict(power_of_sum(["1", "1"], "0", False)) == "accepted"
    assert verdict(power_of_sum(["2", "2"], "0", False)) == "rejected"
    assert verdict(power_of_sum(["2", "1"], "0", False)) == "rejected"
    assert verdict(power_of_sum(["1", "1"], "-1", False)) == "accepted"  # whole exponents


def test_what_has_no_value_is_not_taken_on_trust() -> None:
    """A root is said to have no value although it has one on half of the domain."""
    nodes = [["name", "x"], ["number", "1/2"], ["power", 0, 1], ["number", "7"]]
    tree = leaf({"2": ["none", None, None]})
    assert verdict(certificate([["x", *REAL]], nodes, (2, 3), tree=tree)) == "rejected"
    negative = [None, True, "0", True, False]
    assert verdict(certificate([["x", *negative]], nodes, (2, 3), tree=tree)) == "accepted"


def test_a_choice_takes_its_first_true_branch() -> None:
    nodes = [["name", "x"], ["number", "0"], ["compare", ">", 0, 1], ["and"]]
    nodes += [["choice", [0, 2], [1, 3]]]
    holds = {"2": ["signs", [None, None]], "4": ["take", 0]}
    other = {"2": ["signs", [None, None]], "4": ["take", 1]}
    positive, negative = [["x", "0", True, None, True, False]], [["x", *REAL]]
    assert verdict(certificate(positive, nodes, (4, 0), tree=leaf(holds))) == "accepted"
    assert verdict(certificate(positive, nodes, (4, 1), tree=leaf(other))) == "rejected"
    assert verdict(certificate(negative, nodes, (4, 0), tree=leaf(holds))) == "rejected"
    assert (
        verdict(certificate(positive, nodes, (4, 1), tree=leaf({"4": ["take", 1]}))) == "rejected"
    )


def test_a_certificate_of_something_else() -> None:
    document = root_of_square(NONNEGATIVE, 0)
    wanted = [root_of_square(NONNEGATIVE, 5)["proofs"][0]["statement"]]
    assert check(document, wanted) == Rejected("it is a certificate of something else")


@pytest.mark.parametrize(
    "number", ["1e999999999", "nan", "inf", "1/0", "9" * 5000, "", "0x10", "1_0", 1, 0.5, None]
)
def test_numbers_that_are_none(number: Any) -> None:
    found = certificate([], [["number", number], ["number", "1"]], (0, 0))
    assert verdict(found) == "rejected"


@pytest.mark.parametrize(
    "polynomial",
    [
        [[1, [[0, 10**9]]]],
        [[1, [[7, 1]]]],
        [[1, [[0, -1]]]],
        [[0.5, []]],
        [[True, []]],
        [[1 << 100_000, []]],
        "x",
        [1],
    ],
)
def test_polynomials_that_are_none(polynomial: Any) -> None:
    found = certificate([["x", *REAL]], [["name", "x"]], (0, 0), polynomials=[polynomial])
    assert verdict(found) == "rejected"


def test_work_has_an_end() -> None:
    nodes: list[Any] = [["name", "x"], ["number", "1"], ["add", 0, 1]]
    nodes += [["mul", i, i] for i in range(2, 60)]
    assert verdict(certificate([["x", *REAL]], nodes, (len(nodes) - 1, 0))) == "rejected"
    tower = [["name", "x"], *(["mul", i, i] for i in range(200))]
    assert verdict(certificate([["x", *REAL]], tower, (200, 0))) == "rejected"


def test_deep_trees_have_an_end() -> None:
    tree: Any = leaf()
    for _ in range(3000):
        tree = {"split": 0, "out": None, "parts": [[[-1, 0, 1], None, tree]]}
    found = certificate([["x", *REAL]], [["name", "x"]], (0, 0), polynomials=[X], tree=tree)
    assert verdict(found) == "rejected"


@pytest.mark.parametrize(
    "document", [None, 1, [], {}, "x", {"kind": KIND}, {"kind": KIND, "version": 1}]
)
def test_what_is_no_certificate(document: Any) -> None:
    with pytest.raises(Malformed):
        check(document)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, torn = (tmp_path / name for name in ("good.json", "bad.json", "torn.json"))
    good.write_text(json.dumps(root_of_square(NONNEGATIVE, 0)))
    bad.write_text(json.dumps(root_of_square(REAL, 0)))
    torn.write_text(good.read_text()[:-20])
    assert [main([str(f)]) for f in (good, bad, torn, tmp_path / "none.json")] == [0, 1, 2, 2]
    assert main([]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        words(Accepted(1, 1)),
        "rejected: its root may be negative",
    ]


def test_it_runs_alone(tmp_path: Path) -> None:
    """As a copied file, without optgen; and as a module without sympy and the prover."""
    file = tmp_path / "good.json"
    file.write_text(json.dumps(root_of_square(NONNEGATIVE, 0)))
    source = Path(__file__).parents[1] / "optgen" / "checker.py"
    copy = tmp_path / "copied.py"
    copy.write_text(source.read_text())
    done = subprocess.run([sys.executable, "-I", str(copy), str(file)], capture_output=True)
    assert done.returncode == 0, done.stderr
    script = (
        "import sys; from optgen.checker import main; code = main(sys.argv[1:]); "
        "bad = [m for m in sys.modules if m in ('sympy', 'numpy') or m.startswith('optgen.')]; "
        "print(bad); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['optgen.checker']"
