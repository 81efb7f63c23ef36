"""Whole builds into a folder of their own: what is written, reused, refused, and left whole."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from optgen.building.output import replace_folder
from optgen.building.record import Record
from optgen.building.request import BuildRequest
from optgen.building.rule_build import Algebra
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import RenderError, UsageError
from optgen.pipeline import run_build

REPOSITORY = Path(__file__).parents[1]

SPEC = """
from optgen.spec import Hyperparameter, OptimizerSpec, Reference, Set
from optgen.symbols import grad, lr, param

{name} = OptimizerSpec(
    name="{name}",
    summary="A rule of the tests.",
    hyperparameters=(Hyperparameter(lr, "1e-2", "[0, oo)", "step size"),),
    rule=(Set(param, param - {factor} * lr * grad),),
    references=(Reference(title="none", url="https://example.org", year=2000),),
)
"""


def request(out, *names, targets=("numpy",), dtypes=("float32",), **others):
    others = {"archs": ("sm_80",), "specs": (), **others}
    return BuildRequest(names=names, targets=targets, dtypes=dtypes, out=out, **others)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".build" not in path.parts
    }


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A catalogue of two small rules, `plain_rule` and `slow_rule`, in place of optgen's own."""
    folder = tmp_path / "specs"
    folder.mkdir()
    for name, factor in (("plain_rule", 1), ("slow_rule", 2)):
        (folder / f"{name}.py").write_text(SPEC.format(name=name, factor=factor))
    monkeypatch.setattr("optgen.paths.SPECS", folder)
    return folder


def names_built(report):
    return {row.rule for row in report.rows}


def test_a_build_writes_files_and_a_manifest(own, tmp_path):
    out = tmp_path / "generated"
    report = run_build(request(out, targets=("numpy", "cuda"), dtypes=("float32", "float64")))
    assert report.exit_code == 0, report.summary
    assert names_built(report) == {"plain_rule", "slow_rule"}
    assert set(files(out)) - {".gitignore"} == {
        "MANIFEST.json", "numpy/plain_rule.py", "numpy/slow_rule.py",
        "cuda/plain_rule.cu", "cuda/plain_rule.h", "cuda/plain_rule.json",
        "cuda/slow_rule.cu", "cuda/slow_rule.h", "cuda/slow_rule.json",
    }  # fmt: skip
    module = load_module("plain_rule", (out / "numpy/plain_rule.py").read_text())
    assert module.init is not None
    assert len(report.rows) == 8
    assert "2 rules, 8 files" in report.summary[0]


def test_committed_files_say_nothing_of_time_host_or_versions(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out, targets=("numpy", "cuda")))
    manifest = json.loads((out / "MANIFEST.json").read_text())
    assert manifest.keys() == {"format", "rules"}
    assert [*manifest["rules"]] == ["plain_rule", "slow_rule"]
    for rule in manifest["rules"].values():
        assert rule.keys() == {"digest", "files"}
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in rule["files"].values())
    for name, content in files(out).items():
        text = content.decode()
        assert str(tmp_path) not in text, name
        assert not re.search(r"20[2-9]\d-\d\d-\d\d|NVRTC|\d\d:\d\d:\d\d", text), name


def test_a_second_build_reuses_everything(own, tmp_path):
    out = tmp_path / "generated"
    plain_rule = run_build(request(out))
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    slow_rule = run_build(request(out))
    assert not plain_rule.reused
    assert slow_rule.reused
    assert slow_rule.rows == plain_rule.rows
    assert "nothing had changed" in slow_rule.summary[0]
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_a_changed_spec_file_rebuilds_its_rules_only(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    kept = (out / "numpy/plain_rule.py").stat().st_ino
    (own / "slow_rule.py").write_text(SPEC.format(name="slow_rule", factor=3))
    report = run_build(request(out))
    assert "1 built, 1 unchanged" in report.summary[0]
    assert "3*lr*grad" in (out / "numpy/slow_rule.py").read_text()
    assert (out / "numpy/plain_rule.py").stat().st_ino == kept


@pytest.mark.parametrize("harm", ["deleted", "altered", "manifest", "record"])
def test_a_harmed_folder_is_mended(own, tmp_path, harm):
    out = tmp_path / "generated"
    run_build(request(out))
    whole = files(out)
    victim = {"manifest": out / "MANIFEST.json", "record": out / ".build/record.json"}.get(
        harm, out / "numpy/slow_rule.py"
    )
    if harm == "deleted":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-10])
    report = run_build(request(out))
    assert not report.reused
    assert files(out) == whole
    assert run_build(request(out)).reused


def test_another_request_builds_again(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    assert not run_build(request(out, dtypes=("float64",))).reused


def test_a_full_build_after_a_partial_one_builds_the_others(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out, "plain_rule"))
    assert set(files(out)) >= {"numpy/plain_rule.py"}
    assert not (out / "numpy/slow_rule.py").exists()
    report = run_build(request(out))
    assert not report.reused
    assert "1 built, 1 unchanged" in report.summary[0]
    assert (out / "numpy/slow_rule.py").is_file()


def test_a_partial_build_keeps_the_others(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    (own / "slow_rule.py").write_text(SPEC.format(name="slow_rule", factor=3))
    whole = files(out)
    report = run_build(request(out, "slow_rule"))
    assert names_built(report) == {"slow_rule"}
    after = files(out)
    assert after["numpy/plain_rule.py"] == whole["numpy/plain_rule.py"]
    assert after["numpy/slow_rule.py"] != whole["numpy/slow_rule.py"]
    assert run_build(request(out)).reused


def test_files_of_rules_that_are_gone_are_removed(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    (own / "slow_rule.py").unlink()
    run_build(request(out, "plain_rule"))
    assert (out / "numpy/slow_rule.py").exists()  # a partial build removes nothing
    run_build(request(out))
    assert not (out / "numpy/slow_rule.py").exists()
    assert "slow_rule" not in (out / "MANIFEST.json").read_text()


def test_files_that_optgen_did_not_write_are_never_touched(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    (out / "precious.txt").write_text("mine")
    (out / "numpy" / "mine.py").write_text("mine too")
    run_build(request(out, dtypes=("float64",)))
    assert (out / "precious.txt").read_text() == "mine"
    assert (out / "numpy" / "mine.py").read_text() == "mine too"


@pytest.mark.parametrize("own_place", ["precious.txt", "data/precious.txt", "numpy/sub/mine.py"])
def test_a_folder_of_the_user_is_never_replaced(own, tmp_path, own_place):
    out = tmp_path / "project"
    (out / own_place).parent.mkdir(parents=True)
    (out / own_place).write_text("mine")
    with pytest.raises(RenderError, match="which is not optgen's"):
        run_build(request(out))
    assert files(out) == {own_place: b"mine"}


def test_the_place_where_one_stands_is_never_replaced(own, tmp_path, monkeypatch):
    here = tmp_path / "project" / "inner"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for out in (Path(), Path(), here, here.parent, Path("..")):
        with pytest.raises(RenderError, match="where you stand"):
            run_build(request(out))
    assert list(here.iterdir()) == []


def test_a_private_folder_stays_private(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    out.chmod(0o700)
    run_build(request(out, dtypes=("float64",)))
    assert out.stat().st_mode & 0o777 == 0o700


def test_an_edited_file_is_replaced_with_a_word_and_never_removed(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    edited = out / "numpy/slow_rule.py"
    edited.write_text(edited.read_text() + "# mine\n")
    report = run_build(request(out))
    assert "replaced numpy/slow_rule.py, which had been edited by hand." in report.summary
    edited.write_text(edited.read_text() + "# mine\n")
    (own / "slow_rule.py").unlink()
    run_build(request(out))
    assert edited.read_text().endswith("# mine\n")


def test_builds_at_the_same_time_keep_what_each_has_built(own, tmp_path):
    out = tmp_path / "generated"
    stale = Record.read(out)
    run_build(request(out, "slow_rule"))
    original = Record.read
    # The second build begins before the first has written.
    reads = iter([stale])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Record, "read", lambda folder: next(reads, None) or original(folder))
        run_build(request(out, "plain_rule"))
    listed = json.loads((out / "MANIFEST.json").read_text())["rules"]
    assert set(listed) == {"slow_rule", "plain_rule"}


def test_unknown_rules_are_named(own, tmp_path):
    with pytest.raises(UsageError, match="there is no rule 'plain_rul'"):
        run_build(request(tmp_path / "generated", "plain_rul"))
    assert not (tmp_path / "generated").exists()


def test_user_specs_are_built_beside_the_own_ones(own, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "third_rule.py").write_text(SPEC.format(name="third_rule", factor=5))
    out = tmp_path / "generated"
    report = run_build(request(out, specs=(mine,)))
    assert names_built(report) == {"plain_rule", "slow_rule", "third_rule"}
    assert run_build(request(out, specs=(mine,))).reused
    assert not run_build(request(out)).reused
    assert (out / "numpy/third_rule.py").exists()  # not read this time, but not gone
    (mine / "third_rule.py").unlink()
    report = run_build(request(out))
    assert "removed numpy/third_rule.py: no rule gives it any more." in report.summary
    assert not (out / "numpy/third_rule.py").exists()


# --- checks that do not hold ------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch):
    monkeypatch.setattr(
        "optgen.building.rule_build.check_algebra",
        lambda spec, kernel: Algebra(failures=("algebra: different",)),
    )


def test_a_failed_check_writes_nothing(own, tmp_path, failing):
    out = tmp_path / "generated"
    report = run_build(request(out))
    assert report.exit_code == 1
    assert report.summary[0] == "Nothing was written: a check failed."
    assert any(line.startswith("plain_rule (numpy, float32): ") for line in report.summary)
    assert not out.exists()


def test_a_failed_check_leaves_the_old_folder(own, tmp_path, monkeypatch):
    out = tmp_path / "generated"
    run_build(request(out))
    whole = files(out)
    monkeypatch.setattr(
        "optgen.building.rule_build.check_algebra",
        lambda spec, kernel: Algebra(failures=("unsure",)),
    )
    (own / "slow_rule.py").write_text(SPEC.format(name="slow_rule", factor=3))
    assert run_build(request(out)).exit_code == 1
    assert files(out) == whole


def test_a_spec_that_does_not_load_writes_nothing(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    whole = files(out)
    (own / "slow_rule.py").write_text("this is no Python")
    with pytest.raises(Exception, match="this is not Python"):
        run_build(request(out))
    assert files(out) == whole


# --- --check ----------------------------------------------------------------------------


def test_check_accepts_what_a_build_gives_and_writes_nothing(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if "specs" not in p.parts}
    report = run_build(request(out, check=True))
    assert report.exit_code == 0
    assert report.summary == (f"{out} is what optgen builds.",)
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if "specs" not in p.parts}
    assert after == before


@pytest.mark.parametrize("harm", ["altered", "deleted", "added", "manifest", "spec"])
def test_check_reports_drift(own, tmp_path, harm):
    out = tmp_path / "generated"
    run_build(request(out))
    wanted = "numpy/slow_rule.py"
    if harm == "altered":
        (out / wanted).write_text((out / wanted).read_text().replace("lr", "rate"))
    elif harm == "deleted":
        (out / wanted).unlink()
    elif harm == "added":
        (out / "numpy/stray.py").write_text("")
        wanted = "numpy/stray.py: not built by any rule"
    elif harm == "manifest":
        (out / "MANIFEST.json").write_text("{}")
        wanted = "MANIFEST.json"
    else:
        (own / "slow_rule.py").write_text(SPEC.format(name="slow_rule", factor=7))
    report = run_build(request(out, check=True))
    assert report.exit_code == 1
    assert "run `optgen build`" in report.summary[0]
    assert any(wanted in line for line in report.summary[1:])


def test_check_of_a_folder_that_does_not_exist(own, tmp_path):
    report = run_build(request(tmp_path / "none", check=True))
    assert report.exit_code == 1
    assert "numpy/plain_rule.py: missing" in report.summary
    assert not (tmp_path / "none").exists()


def test_check_of_one_rule_looks_at_its_files_only(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    (out / "numpy/slow_rule.py").write_text("")
    assert run_build(request(out, "plain_rule", check=True)).exit_code == 0


# --- interruptions ----------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from optgen import paths
paths.SPECS = Path(sys.argv[1])
from optgen.pipeline import run_build
from optgen.building.record import Record
from optgen.building.request import BuildRequest
from optgen.building.rule_build import Algebra
import optgen.building.output
print("ready", flush=True)
out = Path(sys.argv[2])
for dtype in ("float64", "float32") * 1000:
    run_build(BuildRequest((), ("numpy",), (dtype,), ("sm_80",), out, ()))
"""


def is_whole(out):
    """Whether the folder holds one build and nothing of another."""
    manifest = json.loads((out / "MANIFEST.json").read_text())
    record = json.loads((out / ".build/record.json").read_text())
    for name, rule in manifest["rules"].items():
        assert rule["files"] == record["rules"][name]["files"]
    from optgen.building.fingerprint import of_bytes

    for rule in manifest["rules"].values():
        for path, digest in rule["files"].items():
            assert of_bytes((out / path).read_bytes()) == digest
            load_module("any", (out / path).read_text())
    return True


def test_kill_9_at_any_time_leaves_a_whole_folder(own, tmp_path):
    out = tmp_path / "generated"
    run_build(request(out))
    randomness = random.Random(4)
    for _ in range(6):
        run = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(own), str(out)],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        time.sleep(randomness.uniform(0.1, 0.7))
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdout.close()
        assert is_whole(out)
    run_build(request(out, dtypes=("float64", "float32")))
    assert is_whole(out)
    assert [p.name for p in tmp_path.iterdir() if "staging" in p.name] == []


STOPPED = """
import os, signal, sys
from pathlib import Path
from optgen.building import output
step = int(sys.argv[2])
count = 0
def die(*_):
    global count
    count += 1
    if count == step:
        os.kill(os.getpid(), signal.SIGKILL)
def trace(frame, event, argument):
    if frame.f_code.co_filename == output.__file__:
        die()
        return trace
sys.settrace(trace)
files = {"numpy/a.py": b"new", "MANIFEST.json": b"new"}
output.replace_folder(Path(sys.argv[1]), files, frozenset({"old.py"}))
"""


def test_kill_9_at_every_line_of_the_write(tmp_path):
    """The write itself is killed at its plain_rule line, its second, ... until it gets through."""
    old = {"numpy/a.py": b"old", "MANIFEST.json": b"old", "old.py": b"old", "kept/b.txt": b"kept"}
    new = {"numpy/a.py": b"new", "MANIFEST.json": b"new", "kept/b.txt": b"kept"}
    out = tmp_path / "generated"
    for name, content in old.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    seen = []
    step = 1
    while True:
        run = subprocess.run(
            [sys.executable, "-c", STOPPED, str(out), str(step)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False, capture_output=True,
        )  # fmt: skip
        found = files(out)
        assert found in (old, new), f"killed at line {step}"
        seen.append(found == new)
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, run.stderr
        if found == new:  # only what follows the exchange is left to be killed
            break
        step += 7
    assert seen[0] is False
    assert seen[-1] is True


def test_a_read_only_folder_is_refused(own, tmp_path, monkeypatch):
    out = tmp_path / "generated"
    run_build(request(out))
    whole = files(out)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(RenderError) as caught:
        run_build(request(out, dtypes=("float64",)))
    assert "cannot be written: the folder is read-only" in caught.value.what
    assert caught.value.where == out
    assert "nothing has been changed" in caught.value.fix
    assert files(out) == whole


@pytest.mark.parametrize("where", ["open", "fsync", "mkdtemp", "rename"])
def test_a_full_disk_leaves_the_old_folder(own, tmp_path, monkeypatch, where):
    out = tmp_path / "generated"
    run_build(request(out))
    whole = files(out)

    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if where == "open":
        monkeypatch.setattr(Path, "open", full)
    elif where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif where == "mkdtemp":
        monkeypatch.setattr("tempfile.mkdtemp", full)
    else:
        monkeypatch.setattr("optgen.building.output._exchange", lambda left, right: False)
        monkeypatch.setattr(Path, "rename", full)
    # Reading specs opens files too, so of a build only the write is tried.
    with pytest.raises(RenderError, match="No space left on device") as caught:
        replace_folder(out, {"numpy/plain_rule.py": b"new"}, frozenset())
    monkeypatch.undo()
    assert "make room" in caught.value.fix
    assert files(out) == whole
    assert [p.name for p in tmp_path.iterdir() if "staging" in p.name] == []


# --- determinism ------------------------------------------------------------------------

RENDER_ALL = """
import hashlib
from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
whole = hashlib.sha256()
for spec in load_catalogue().values():
    kernels = [run_passes(lower(spec, dtype)) for dtype in DType]
    for backend in BACKENDS.values():
        for file in backend.render(Heading.of(spec), kernels):
            whole.update(file.path.encode() + file.text.encode())
print(whole.hexdigest())
"""


def test_output_does_not_depend_on_hash_seeds():
    found = [
        subprocess.run(
            [sys.executable, "-c", RENDER_ALL], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0].strip()) == 64


def test_parallel_and_serial_builds_give_the_same_files(own, tmp_path):
    run_build(request(tmp_path / "one"))
    run_build(request(tmp_path / "two", jobs=2))
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_templates_are_short():
    templates = [p for p in (REPOSITORY / "templates").rglob("*") if p.is_file()]
    assert templates
    for template in templates:
        assert len(template.read_text().splitlines()) <= 60, template
