"""`compare`, `verify`, `build`, `new` and `doctor`: what they ask for and how they end."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import optgen as package
from optgen.building.request import BuildRequest
from optgen.cli import levels
from optgen.cli.levels import LevelReport, VerifyReport
from optgen.cli.outcome import Check
from optgen.errors import BackendUnavailable


def put_module(monkeypatch: pytest.MonkeyPatch, name: str, module: Any) -> None:
    monkeypatch.setitem(sys.modules, f"optgen.{name}", module)
    monkeypatch.setattr(package, name, module, raising=False)


# compare


@dataclass
class Decider:
    """A stand-in for optgen.verify."""

    verdict: str = "equal"
    asked: list[Any] = field(default_factory=list)

    def compare(self, left: Any, right: Any, **options: Any) -> Any:
        self.asked.append((left.name, right.name, options))
        return SimpleNamespace(verdict=self.verdict, to_json=lambda: {"verdict": self.verdict})

    def explain(self, comparison: Any) -> str:
        return f"they are {comparison.verdict}"


@pytest.mark.parametrize("verdict", ["equal", "different", "unknown"])
def test_every_verdict_is_an_answer(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    decider = Decider(verdict)
    put_module(monkeypatch, "verify", decider)
    result = optgen("compare", "adam+l2", "adamw")
    assert (result.exit_code, result.out, result.err) == (0, f"they are {verdict}\n", "")
    assert optgen("compare", "adam", "adamw", "--json").document == {"verdict": verdict}
    assert [(left, right) for left, right, _ in decider.asked] == [
        ("adam_l2", "adamw"),
        ("adam", "adamw"),
    ]


def test_compare_hands_on_its_options(optgen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decider = Decider()
    put_module(monkeypatch, "verify", decider)
    given = ("--given", "beta2=beta1", "--given", "right.weight_decay=0")
    optgen("compare", "adam", "adamw", *given, "--steps", "5", "--timeout", "2.5")
    assert decider.asked[0][2] == {
        "given": ("beta2=beta1", "right.weight_decay=0"),
        "steps": 5,
        "timeout": 2.5,
    }


def test_compare_leaves_what_is_not_given_to_verify(
    optgen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decider = Decider()
    put_module(monkeypatch, "verify", decider)
    optgen("compare", "adam", "adamw")
    assert decider.asked[0][2] == {"given": ()}


@pytest.mark.parametrize("wrong", [("--steps", "0"), ("--timeout", "0"), ("--steps", "many")])
def test_compare_refuses_numbers_without_sense(optgen: Any, wrong: tuple[str, str]) -> None:
    assert optgen("compare", "adam", "adamw", *wrong).exit_code == 2


# verify


def put_runner(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
    def missing(request: levels.VerifyRequest) -> tuple[Check, ...]:
        raise BackendUnavailable("no CUDA compiler", fix="pip install it")

    runners = dict.fromkeys(levels.RUNNERS, missing) | {"algebra": lambda request: checks}
    monkeypatch.setattr(levels, "RUNNERS", MappingProxyType(runners))


def test_verify_counts_and_says_what_did_not_run(
    optgen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_runner(monkeypatch, Check("adam", "passed", "equals itself"))
    result = optgen("verify")
    assert (result.exit_code, result.err) == (0, "")
    assert "algebra: 1 of 1 passed\n" in result.out
    assert "compile: not run: no CUDA compiler: pip install it\n" in result.out
    assert "gpu: not run: no CUDA compiler: pip install it\n" in result.out


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_verify_ends_with_1_if_a_check_did_not_pass(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, outcome: Any
) -> None:
    put_runner(monkeypatch, Check("adam", "passed"), Check("lion", outcome, "because"))
    result = optgen("verify", "--level", "algebra")
    assert result.exit_code == 1
    assert "algebra: 1 of 2 passed\n" in result.out
    assert "compile" not in result.out
    document = optgen("verify", "--level", "algebra", "--json").document
    assert document["exit_code"] == 1
    assert document["levels"][0]["checks"][1] == {
        "subject": "lion",
        "outcome": outcome,
        "detail": "because",
    }


@pytest.mark.parametrize(
    ("same", "other", "outcomes", "exit_code"),
    [
        ("equal", "different", ["passed", "passed"], 0),
        ("different", "different", ["failed", "passed"], 1),
        ("equal", "equal", ["passed", "failed"], 1),
        ("unknown", "unknown", ["unknown", "unknown"], 1),
    ],
)
def test_algebra_wants_every_rule_to_equal_itself_and_no_other(
    optgen: Any,
    monkeypatch: pytest.MonkeyPatch,
    same: str,
    other: str,
    outcomes: list[str],
    exit_code: int,
) -> None:
    asked: list[tuple[str, str]] = []

    def compare(left: Any, right: Any, **_options: Any) -> Any:
        asked.append((left.name, right.name))
        return SimpleNamespace(verdict=same if left == right else other, reason="")

    monkeypatch.setattr("optgen.verify.algebra.compare", compare)
    result = optgen("verify", "adam+l2", "lion", "--level", "algebra", "--json")
    assert result.exit_code == exit_code
    checks = [c for c in result.document["levels"][0]["checks"] if "itself" in c["detail"]]
    assert [c["outcome"] for c in checks] == outcomes * 2
    assert asked == [("adam_l2", "adam_l2")] * 2 + [("lion", "lion")] * 2
    unknown = optgen("verify", "adamm", "--level", "algebra")
    assert (unknown.exit_code, unknown.out) == (2, "")
    assert "did you mean 'adam'" in unknown.err


def test_claims_come_from_one_folder(optgen: Any, tmp_path: Path) -> None:
    result = optgen("verify", "--claims", tmp_path, "--claims", tmp_path)
    assert result.exit_code == 2
    assert "--claims is given 2 times" in result.err
    assert "Fix: give one folder" in result.err


def test_claims_are_read_from_the_folder_that_is_named(optgen: Any, tmp_path: Path) -> None:
    claim = tmp_path / "sgd_is_sgd_l2.toml"
    claim.write_text('left = "sgd"\nright = "sgd_l2"\nverdict = "equal"\n')
    result = optgen("verify", "sgd_is_sgd_l2", "--level", "algebra", "--claims", tmp_path)
    assert result.exit_code == 1
    assert "algebra: 4 of 5 passed" in result.out
    claim.write_text('left = "sgd"\nright = "sgd_l2"\nverdict = "different"\n')
    result = optgen("verify", "sgd_is_sgd_l2", "--level", "algebra", "--claims", tmp_path)
    assert result.exit_code == 0
    assert "algebra: 5 of 5 passed" in result.out


@pytest.mark.parametrize("level", ["algebra", "compile", "run", "proof"])
def test_a_name_that_is_neither_rule_nor_claim_is_refused_at_every_level(
    optgen: Any, level: str
) -> None:
    result = optgen("verify", "adamm", "--level", level)
    assert (result.exit_code, result.out) == (2, "")
    assert "there is no rule 'adamm'" in result.err
    assert "did you mean" in result.err


@pytest.mark.parametrize(
    ("level", "function"),
    [("compile", "check_compiled"), ("run", "check_run"), ("proof", "check_proof")],
)
def test_levels_of_generated_code_are_given_names_and_folders(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, level: str, function: str
) -> None:
    def check(
        names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
    ) -> tuple[Check, ...]:
        return (Check(f"{names} {len(folders)}", "passed"),)

    monkeypatch.setattr(f"optgen.cli.kernels.{function}", check)
    result = optgen("verify", "lion", "--level", level, "--specs", tmp_path)
    assert result.exit_code == 0
    assert "('lion',) 1" in result.out
    assert f"{level}: 1 of 1 passed\n" in result.out


def test_a_level_that_was_asked_for_and_cannot_run_is_no_success(
    optgen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_runner(monkeypatch, Check("adam", "passed"))
    assert optgen("verify", "--level", "compile").exit_code == 2
    assert optgen("verify", "--level", "gpu", "--level", "algebra").exit_code == 2
    assert optgen("verify", "--level", "algebra").exit_code == 0
    assert optgen("verify", "--level", "everything").exit_code == 2


def test_a_failed_check_outweighs_a_missing_tool() -> None:
    reports = (LevelReport("algebra", (Check("adam", "failed"),)), LevelReport("gpu", off="none"))
    assert VerifyReport(reports, ("gpu",)).exit_code == 1


# build


@dataclass
class Pipeline:
    """A stand-in for optgen.pipeline."""

    exit_code: int = 0
    asked: list[BuildRequest] = field(default_factory=list)

    def run_build(self, request: BuildRequest, progress: Any) -> Any:
        self.asked.append(request)
        progress(1, 1)
        return SimpleNamespace(
            table=lambda: (("rule", "numpy"), [("adam", "written")]),
            summary=("1 rule",),
            exit_code=self.exit_code,
            to_json=lambda: {"rules": ["adam"]},
        )


def test_build_builds_everything_by_default(optgen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline()
    put_module(monkeypatch, "pipeline", pipeline)
    result = optgen("build")
    assert (result.exit_code, result.err) == (0, "")
    assert result.out == "rule numpy\nadam written\n1 rule\n"
    (request,) = pipeline.asked
    assert request.jobs >= 1
    assert request == BuildRequest(
        names=(),
        targets=("numpy", "c", "cuda"),
        dtypes=("float32", "float64"),
        archs=(),
        out=Path("generated"),
        specs=(),
        check=False,
        jobs=request.jobs,
    )


def test_build_hands_on_its_options(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipeline = Pipeline(exit_code=1)
    put_module(monkeypatch, "pipeline", pipeline)
    options = "--target cuda --target cuda --dtype float64 --arch sm_80 --arch sm_90a --check"
    where = ("--out", tmp_path / "out", "--specs", tmp_path, "--jobs", "3", "--json")
    result = optgen("build", "adam", "lion", *options.split(), *where)
    assert (result.exit_code, result.document) == (1, {"rules": ["adam"]})
    assert pipeline.asked == [
        BuildRequest(
            names=("adam", "lion"),
            targets=("cuda",),
            dtypes=("float64",),
            archs=("sm_80", "sm_90a"),
            out=tmp_path / "out",
            specs=(tmp_path,),
            check=True,
            jobs=3,
        )
    ]


@pytest.mark.parametrize(
    "wrong",
    [("--arch", "80"), ("--target", "opencl"), ("--dtype", "float"), ("--jobs", "0")],
)
def test_build_refuses_what_it_does_not_know(optgen: Any, wrong: tuple[str, str]) -> None:
    assert optgen("build", *wrong).exit_code == 2


def test_asking_for_a_build_imports_nothing_heavy() -> None:
    assert "sympy" not in Path(sys.modules["optgen.cli.build"].__file__ or "").read_text("utf-8")


# new and doctor


def test_new_says_what_comes_next(
    optgen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = optgen("new", "mine")
    assert (result.exit_code, result.err) == (0, "")
    assert result.out.startswith("wrote specs/mine.py: ")
    assert "\n  optgen build mine --specs specs\n" in result.out
    assert result.out.endswith('  [tool.optgen]\n  specs = ["specs"]\n')
    assert optgen("show", "mine", "--specs", "specs").exit_code == 0
    again = optgen("new", "mine")
    assert (again.exit_code, again.out) == (2, "")
    assert "is not overwritten" in again.err


def test_new_as_json(optgen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.optgen]\nspecs = ["rules"]\n', encoding="utf-8")
    Path("rules").mkdir()
    assert optgen("new", "mine", "--specs", "rules", "--json").document == {
        "path": "rules/mine.py",
        "next": ["optgen show mine", "optgen compare mine momentum", "optgen build mine"],
        "setting": [],
    }
    assert optgen("show", "mine").exit_code == 0


def test_doctor_lists_tools_and_levels(optgen: Any) -> None:
    result = optgen("doctor")
    assert (result.exit_code, result.err) == (0, "")
    assert "\nsympy " in result.out
    assert "\nalgebra  can run" in result.out
    document = optgen("doctor", "--json").document
    assert {level["name"]: level["can_run"] for level in document["levels"]}["algebra"] is True
