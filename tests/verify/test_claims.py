"""The claims corpus holds, and a broken claim file says what is wrong, where, and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from optgen.errors import ClaimError
from optgen.loader import load_catalogue
from optgen.verify import check_claims, load_claims, verify_algebra

FOLDER = Path(__file__).parents[1] / "claims"
RULES = load_catalogue()
CLAIMS = load_claims(FOLDER, RULES)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_claims_hold(claim: object) -> None:
    (result,) = check_claims([claim])  # type: ignore[list-item]
    assert result.outcome == "ok", result.detail


def test_the_corpus_speaks_of_the_seed_document() -> None:
    assert sum(claim.source.startswith("the seed document") for claim in CLAIMS) >= 9


def test_every_claim_says_where_it_comes_from() -> None:
    assert len(CLAIMS) >= 90
    assert not [
        c.name for c in CLAIMS if "https://" not in c.source and "the seed document" not in c.source
    ]
    assert not [c.name for c in CLAIMS if not c.note]


def test_no_claim_stands_twice() -> None:
    asked = [(c.left.name, c.right.name, c.given, str(c.witness)) for c in CLAIMS]
    assert len(asked) == len(set(asked))


def test_the_corpus_is_balanced() -> None:
    """A checker that gives one answer to everything must fail a third of it."""
    found = [c.verdict for c in CLAIMS]
    for verdict in ("equal", "different"):
        assert found.count(verdict) >= len(found) // 3


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


WHILE = 'left = "adam"\nright = "adamw"\nverdict = "equal while constant"\n'
GOOD = 'left = "adam"\nright = "adamw"\nverdict = "different"\n'


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("left = adam", "this is not TOML", "mend"),
        ('left = "adam"\nverdict = "equal"', "the claim does not say 'right'", 'add right = "..."'),
        (GOOD + 'givn = ["eps=0"]', "a claim has no field 'givn'", "did you mean 'given'?"),
        (GOOD.replace("adamw", "adamv"), "there is no rule 'adamv'", "did you mean"),
        (GOOD.replace("different", "same"), "'same' is no verdict", "different or unknown"),
        (GOOD + 'given = "eps=0"', "'given' is not a list", "given = "),
        (GOOD + "steps = 0", "'steps' is not a positive number", "steps = 3"),
        (GOOD + "note = 1", "'note' is not text", "note = "),
        (GOOD + "witness = 1", "a witness belongs to rules that part", "[witness]"),
        (GOOD + 'constant = ["lr"]', "'constant' lists", 'constant = ["lr"]'),
        (WHILE, "'constant' lists", 'constant = ["lr"]'),
        (WHILE + "constant = []", "'constant' lists", 'constant = ["lr"]'),
        (WHILE + 'constant = "lr"', "'constant' lists", 'constant = ["lr"]'),
        (GOOD + '[witness]\nlr = "one"', "a value of the witness is no fraction", "1/2"),
    ],
)
def test_broken_claims(tmp_path: Path, text: str, what: str, fix: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ClaimError) as caught:
        load_claims(path, RULES)
    assert what in caught.value.what
    assert caught.value.where == path
    assert fix in caught.value.fix


def test_a_bad_substitution_is_an_error_of_the_claim(tmp_path: Path) -> None:
    claims = load_claims(write(tmp_path, GOOD + 'given = ["epsilon=0"]'), RULES)
    with pytest.raises(ClaimError, match="'epsilon'") as caught:
        check_claims(claims)
    assert str(tmp_path) in str(caught.value.where)


SCALED = """
left = "momentum"
right = "momentum_ema"
given = ["dampening=0", "left.lr=right.lr*(1-momentum)"]
verdict = "equal while constant"
constant = ["{}"]
[witness]
lr = 1
momentum_1 = 0
momentum_2 = "{}"
param = 0
grad_1 = 1
grad_2 = 0
"""


@pytest.mark.parametrize(
    ("name", "second", "outcome", "detail"),
    [
        ("momentum", "1/2", "ok", ""),
        ("lr", "1/2", "failed", "claimed while lr constant, found while momentum constant"),
        ("momentum", "0", "failed", "the rules do not differ at the claim's witness"),
        ("momentum", "3/2", "failed", "the rules do not differ at the claim's witness"),
    ],
)
def test_claims_of_equality_while_something_is_constant(
    tmp_path: Path, name: str, second: str, outcome: str, detail: str
) -> None:
    """The witness has a schedule; it must lie in the domain and part the two."""
    claims = load_claims(write(tmp_path, SCALED.format(name, second)), RULES)
    (result,) = check_claims(claims)
    assert result.outcome == outcome
    assert result.detail.startswith(detail)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="holds no claim"):
        load_claims(tmp_path, RULES)
    with pytest.raises(ClaimError, match="no such claim file"):
        load_claims(tmp_path / "none.toml", RULES)


def test_false_claims_fail(tmp_path: Path) -> None:
    (result,) = check_claims(
        load_claims(
            write(tmp_path, GOOD.replace("diff", "equal #").replace('equal #erent"', 'equal"')),
            RULES,
        )
    )
    assert result.outcome == "failed"
    assert "claimed equal, found different" in result.detail


def test_unknown_is_not_a_pass(tmp_path: Path) -> None:
    (result,) = check_claims(load_claims(write(tmp_path, GOOD), RULES), timeout=1e-9)
    assert result.outcome == "unknown"


WITNESS = """
[witness]
lr = 1
beta1 = 0
beta2 = 0
eps = "{eps}"
weight_decay = "1/2"
param = {param}
grad_1 = 1
"""


@pytest.mark.parametrize(
    ("param", "eps", "outcome"), [("1", "1", "ok"), ("0", "1", "failed"), ("1", "-1/2", "failed")]
)
def test_a_claimed_witness_is_replayed(tmp_path: Path, param: str, eps: str, outcome: str) -> None:
    """It must differ there, and lie in the domain."""
    claims = load_claims(write(tmp_path, GOOD + WITNESS.format(param=param, eps=eps)), RULES)
    assert check_claims(claims)[0].outcome == outcome


def test_a_witness_must_be_complete(tmp_path: Path) -> None:
    claims = load_claims(write(tmp_path, GOOD + "[witness]\nlr = 1\ngrad_1 = 1"), RULES)
    with pytest.raises(ClaimError, match="the witness does not say"):
        check_claims(claims)


def test_the_algebra_level() -> None:
    few = {name: RULES[name] for name in ("adam", "sgd", "nadam", "adam_l2")}
    report = verify_algebra(few)
    assert report.passed
    document = report.to_json()
    assert document["passed"] is True
    subjects = [(check["subject"], check["claim"]) for check in document["checks"]]
    assert ("nadam", "mu_product stays in its domain") in subjects
    assert ("adam_l2", "exp_avg_sq stays in its domain") in subjects
    assert ("sgd", "equals itself") in subjects


def test_the_algebra_level_takes_claims(tmp_path: Path) -> None:
    path = write(tmp_path, 'left = "sgd"\nright = "sgd_l2"\nverdict = "equal"\n')
    rules = {"sgd": RULES["sgd"], "sgd_l2": RULES["sgd_l2"]}
    report = verify_algebra(rules, load_claims(path, RULES))
    assert not report.passed
    assert [check.outcome for check in report.checks] == ["ok"] * 4 + ["failed"]


@pytest.mark.parametrize("verdict", ["equal", "different", "unknown"])
def test_a_decider_with_one_answer_fails_before_any_claim(
    monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    from optgen.verify import algebra
    from optgen.verify.comparison import Comparison

    def always(left: object, right: object, *_: object, **__: object) -> Comparison:
        return Comparison("left", "right", (), 3, verdict)  # type: ignore[arg-type]

    def never(*_: object) -> None:
        raise AssertionError("a claim was looked at")

    monkeypatch.setattr(algebra, "compare", always)
    monkeypatch.setattr(algebra, "check_claim", never)
    report = verify_algebra({"adam": RULES["adam"]}, CLAIMS)
    assert not report.passed
    assert report.checks[0].subject == "adam"
    assert report.checks[-1].claim == "not looked at"
