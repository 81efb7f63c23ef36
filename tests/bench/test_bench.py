"""`optgen bench` without a clock: what is measured, how it is counted, what is refused."""

import importlib
import json
import re
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from optgen.bench import contestants, measure, timing
from optgen.bench.contestants import Entrant, LeftOut, Subject, computes_the_rule
from optgen.bench.floor import floor_on, floor_text
from optgen.bench.intervals import ratio_of_medians
from optgen.bench.measure import Plan
from optgen.bench.optax_rules import FACTORIES
from optgen.bench.report import markdown, milliseconds, rows
from optgen.bench.results import Measurement, Run, Timing
from optgen.bench.torch_rules import CLASSES, torch_entrants
from optgen.bench.workloads import Workload, gpt2_sizes, workloads
from optgen.cli import main
from optgen.errors import BackendUnavailable, UsageError
from optgen.loader import load_catalogue
from optgen.runtime.compiler import find_compiler
from optgen.sheet.memory import traffic

RULES = load_catalogue()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def compiler():
    try:
        return find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)


# --- statistics ---------------------------------------------------------------------


def test_a_ratio_of_constants_has_no_width():
    found = ratio_of_medians([3.0] * 9, [2.0] * 9)
    assert (found.value, found.low, found.high) == (1.5, 1.5, 1.5)
    assert str(found) == "1.50 (1.50-1.50)"


def test_medians_are_divided_and_not_ratios_averaged():
    found = ratio_of_medians([1.0, 2.0, 30.0], [1.0, 4.0, 5.0])
    assert found.value == 0.5
    assert found.low <= found.value <= found.high


def test_only_turns_that_both_had_count():
    assert ratio_of_medians([2.0, 2.0], [1.0, 1.0, 100.0, 100.0]).value == 2.0
    with pytest.raises(ValueError, match="at least one turn"):
        ratio_of_medians([], [1.0])


def test_intervals_hold_the_true_ratio_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        above, below = 2 + rng.exponential(0.2, 41), 1 + rng.exponential(0.1, 41)
        truth = (2 + 0.2 * np.log(2)) / (1 + 0.1 * np.log(2))
        found = ratio_of_medians(above.tolist(), below.tolist())
        held += found.low <= truth <= found.high
    assert 180 <= held <= 200  # of 200, 190 are expected


# --- workloads ----------------------------------------------------------------------


def test_gpt2_small_has_its_parameters():
    sizes = gpt2_sizes()
    assert sum(sizes) == 124_439_808
    assert len(sizes) == 148


def test_workloads_are_what_they_say():
    (small,) = workloads("small")
    assert len(small.sizes) == 500
    assert 1.0e6 < small.elements < 1.2e6
    assert [w.sizes for w in workloads("call")] == [(10,), (10,) * 500]
    assert [w.elements for w in workloads("sizes")] == [10**k for k in range(2, 9)]
    with pytest.raises(UsageError, match="no workload"):
        list(workloads("tiny"))
    with pytest.raises(UsageError, match="are none"):
        list(workloads("large", 0))


# --- the floor ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RULES)
def test_the_floor_moves_what_the_kernel_moves(name, dtype, compiler):
    """Run it: what is stored changes, what is read only does not; count what the text says."""
    subject = Subject.of(RULES[name], dtype)
    text = floor_text(subject.kernel)
    passes = re.findall(r"static void pass_\d+\(const uint64_t n, (.*?)\) \{(.*?)\n\}", text, re.S)
    size = np.dtype(dtype).itemsize
    loads = sum(len(set(re.findall(r"(\w+)\[i\]", body.split(";")[1]))) for _, body in passes)
    stores = sum(len(re.findall(r"(\w+)\[i\] =", body)) for _, body in passes)
    counted = sum(len(re.findall(r"\w+\[i\](?! =)", body)) for _, body in passes) + stores
    assert counted * size == traffic(subject.kernel), (loads, stores)
    rng = np.random.default_rng(3)
    arrays = {
        b.name: [rng.standard_normal(n).astype(dtype) for n in (40_000, 3, 70_001)]
        for b in subject.kernel.buffers
    }
    before = {name: [a.copy() for a in held] for name, held in arrays.items()}
    floor_on(subject.kernel, arrays)()
    written = {s for stage in subject.kernel.stages for s in getattr(stage, "stores", ())}
    for buffer, held in arrays.items():
        for old, new in zip(before[buffer], held, strict=True):
            same = old.view(f"u{size}") == new.view(f"u{size}")
            assert same.mean() < 0.01 if buffer in written else same.all()


# --- who takes part ------------------------------------------------------------------


def test_whoever_computes_something_else_is_left_out(monkeypatch):
    subject = Subject.of(RULES["adamw"], "float32")

    def wrong(params, grads, chosen):
        def run():
            for p, g in zip(params, grads, strict=True):
                p -= chosen["lr"] * g

        return run, lambda: params

    said = computes_the_rule(subject, Entrant("wrong", "naive", wrong), {"lr": 1e-3})
    assert said.startswith("computes something else")
    monkeypatch.setattr(measure, "naive", lambda _: [Entrant("wrong", "naive", wrong)])
    taking, left = measure.entrants(subject, Plan(("numpy",), ("naive",)))
    assert "wrong" not in [one.name for one in taking]
    assert [one.name for one in left if one.name == "wrong"] == ["wrong"]


def test_a_contestant_that_fails_is_left_out(monkeypatch):
    def broken(params, grads, chosen):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(measure, "naive", lambda _: [Entrant("broken", "naive", broken)])
    subject = Subject.of(RULES["sgd"], "float32")
    _, left = measure.entrants(subject, Plan(("numpy",), ("naive",)))
    assert any("RuntimeError" in one.reason for one in left)


@pytest.mark.parametrize("name", RULES)
def test_the_naive_form_and_our_targets_compute_the_rule(name, compiler):
    subject = Subject.of(RULES[name], "float32")
    for one in (*contestants.own(subject, ("c", "numpy")), *contestants.naive(subject)):
        assert isinstance(one, Entrant), one
        if one.checked:
            assert computes_the_rule(subject, one, {"lr": 1e-3}) == ""


@pytest.mark.torch
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_way_of_torch_computes_the_rule_or_is_known_not_to(name):
    subject = Subject.of(RULES[name], "float32")
    found = [one for one in torch_entrants(subject) if isinstance(one, Entrant)]
    assert found
    for one in found:
        assert computes_the_rule(subject, one, {"lr": 1e-3}) == "", one.name


def test_every_rule_of_others_is_one_of_ours():
    own = {spec.identifier for spec in RULES.values()}
    assert set(CLASSES) <= own
    assert set(FACTORIES) <= own
    for name, (_, arguments, _) in (CLASSES | FACTORIES).items():
        known = {h.name for s in RULES.values() if s.identifier == name for h in s.hyperparameters}
        assert set(arguments) <= known


def test_without_torch_it_says_so(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    (one,) = torch_entrants(Subject.of(RULES["sgd"], "float32"))
    assert isinstance(one, LeftOut)
    assert "not installed" in one.reason


# --- timing --------------------------------------------------------------------------


def test_turns_are_mixed_and_everyone_has_all_of_them():
    seen = []
    runs = {name: lambda name=name: seen.append(name) for name in "abc"}
    times = timing.interleaved(runs, 7, pause=0)
    assert {name: len(found) for name, found in times.items()} == dict.fromkeys("abc", 7)
    assert all(t >= 0 for found in times.values() for t in found)
    orders = {tuple(dict.fromkeys(seen[i:])) for i in range(len(seen) - 3)}
    assert len(orders) > 1


def test_slow_ones_stop_and_the_others_go_on(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    times = timing.interleaved(
        {"slow": lambda: None, "floor": lambda: None},
        20, limit=3.0, always=frozenset({"floor"}), least=5, pause=0,
    )  # fmt: skip
    assert len(times["slow"]) == 5
    assert len(times["floor"]) == 20


def test_quick_calls_are_timed_together():
    assert timing.repetitions(1.0) == 1
    assert timing.repetitions(2e-6) == 1000
    assert timing.repetitions(2e-4) == 10
    assert timing.repetitions(1.9e-3) == 2
    assert timing.repetitions(0.0) == 1000


# --- results ---------------------------------------------------------------------------


def made():
    one = Measurement(
        "adamw", "large", "one tensor", "float32", 1, 1000, 28000,
        (Timing("floor", "floor", (1e-3, 1e-3)), Timing("c", "optgen", (1.1e-3, 1.1e-3))),
        (("torch", "not here"),),
    )  # fmt: skip
    return Run("optgen bench", "2026-01-01", {"processor": "x"}, 2, (one,))


def test_a_run_goes_through_json():
    run = made()
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_tables():
    run = made()
    found = rows(run.measurements)
    assert [row[2] for row in found] == ["floor", "c"]
    assert found[1][3:6] == ("1.1 ms", "1.10", "1.10-1.10")
    text = markdown(run, "large", ["c", "torch fused"])
    assert "| adamw | 1 ms | 1.10 (1.10-1.10) | - |" in text
    assert milliseconds(2.4e-6) == "2.4 us"


def test_a_picture_is_drawn(tmp_path):
    plot = pytest.importorskip("optgen.bench.plot")
    pytest.importorskip("matplotlib")
    plot.draw(made(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    nothing = replace(made(), measurements=())
    with pytest.raises(UsageError, match="nothing to draw"):
        plot.draw(nothing, tmp_path / "b.png")
    with pytest.raises(UsageError, match="cannot be written"):
        plot.draw(made(), tmp_path / "no" / "c.png")


# --- the command -----------------------------------------------------------------------


def invoke(*words):
    return CliRunner().invoke(main, ["bench", *words])


def test_three_turns_from_end_to_end(tmp_path, compiler, monkeypatch):
    command = importlib.import_module("optgen.cli.bench")
    monkeypatch.setattr(command, "_use_threads", lambda threads: None)
    out = tmp_path / "run.json"
    result = invoke(
        *("sgd", "adamw", "--elements", "1000", "--turns", "3", "--out", str(out)),
        *("--against", "naive"),
    )
    assert result.exit_code == 0, result.output
    run = Run.from_json(json.loads(out.read_text(encoding="utf-8")))
    assert [one.rule for one in run.measurements] == ["sgd", "adamw"]
    for one in run.measurements:
        names = [t.name for t in one.timings]
        assert names == ["floor", "c", "c, new gradients", "numpy", "naive"]
        assert all(len(t.seconds) == 3 and min(t.seconds) > 0 for t in one.timings)
        assert one.bytes == one.elements * traffic(Subject.of(RULES[one.rule], "float32").kernel)
        ratio = one.ratio("c")
        found = [statistics.median(one.named(n).seconds) for n in ("c", "floor")]
        assert ratio.value == pytest.approx(found[0] / found[1])
    assert run.machine["compiler"] == compiler.version
    assert "adamw" in result.output


def test_storage_mixes_are_timed_beside_a_floor_of_their_bytes(tmp_path, compiler, monkeypatch):
    pytest.importorskip("ml_dtypes")
    command = importlib.import_module("optgen.cli.bench")
    monkeypatch.setattr(command, "_use_threads", lambda threads: None)
    out = tmp_path / "run.json"
    mixes = ("bfloat16-bfloat16-float32", "float16-float16-float16")
    asked = [word for mix in mixes for word in ("--storage", mix)]
    result = invoke("adamw", "--elements", "1000", "--turns", "2", "--out", str(out), *asked)
    assert result.exit_code == 0, result.output
    run = Run.from_json(json.loads(out.read_text(encoding="utf-8")))
    assert [one.label for one in run.measurements] == [f"adamw {mix}" for mix in mixes]
    assert [one.bytes for one in run.measurements] == [22_000, 14_000]
    for one in run.measurements:
        assert [t.name for t in one.timings] == ["floor", "c", "c, new gradients", "numpy"]
        assert not one.left_out


def test_a_result_does_not_say_where_it_was_written(monkeypatch):
    command = importlib.import_module("optgen.cli.bench")
    words = ["sgd", "--out", "a/b.json", "--turns", "3", "--plot=c.png", "--json"]
    monkeypatch.setattr("sys.argv", ["optgen", "bench", *words])
    assert command._said() == ["sgd", "--turns", "3", "--json"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--storage", "bfloat17-float32-float32"), "bfloat16"),
        (("adamw", "sgd_l2", "--storage", "float16-float16-float32+stochastic"), "float16 has"),
        (("adamm",), "adamw"),
        (("--workload", "huge"), "huge"),
        (("--turns", "-1"), "--turns"),
        (("--turns", "0"), "--turns"),
        (("--threads", "0"), "--threads"),
        (("--threads", "99999"), "more than the"),
        (("--against", "nobody", "--against", "torch"), "nobody stands beside others"),
        (("--out", "/no/such/folder/a.json"), "could not be written"),
        (("--plot", "/no/such/folder/a.png"), "could not be written"),
    ],
)
def test_wrong_usage(words, says, monkeypatch):
    monkeypatch.setattr("optgen.bench.measure.measure", None)  # nothing may be measured
    result = invoke(*words)
    assert result.exit_code == 2
    assert says in result.output


def test_memory_that_is_not_there_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(measure, "available_bytes", lambda: int(measure._KEPT_FREE) + 100_000)
    plan = Plan(("numpy",), ("naive",), turns=1)
    found = measure.measure(RULES["adamw"], Workload("w", (5000,), "w"), plan)
    assert any("GiB of memory" in reason for _, reason in found.left_out)
    assert found.timings


# --- what is committed ---------------------------------------------------------------------


def test_the_page_has_the_numbers_of_the_committed_results():
    import subprocess
    import sys

    if not (ROOT / "benchmarks" / "results" / "cpu_large.json").exists():
        pytest.skip("nothing is committed yet")
    script = ROOT / "benchmarks" / "cpu_page.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run python benchmarks/cpu_page.py"
