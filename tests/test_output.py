"""Writing a folder as a whole."""

import errno
import os
import subprocess
import sys

import pytest

from optgen.building.output import clear_leftovers, replace_folder
from optgen.errors import RenderError


def put(folder, remove=(), **files):
    named = {name.replace("__", "/"): content for name, content in files.items()}
    replace_folder(folder, named, frozenset(remove))


def content(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def alone(folder):
    return [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    out = tmp_path / "a" / "b"
    put(out, x=b"1", sub__y=b"2")
    assert content(out) == {"x": b"1", "sub/y": b"2"}
    assert out.stat().st_mode & 0o777 == 0o755


def test_other_files_stay_and_named_ones_go(tmp_path):
    out = tmp_path / "out"
    put(out, x=b"1", y=b"2", sub__z=b"3")
    put(out, remove={"y"}, x=b"new")
    assert content(out) == {"x": b"new", "sub/z": b"3"}
    assert alone(out)


def test_files_that_stay_are_the_same_files(tmp_path):
    out = tmp_path / "out"
    put(out, x=b"1", y=b"2")
    before = (out / "y").stat()
    put(out, x=b"2")
    after = (out / "y").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_hard_link_to_an_old_file_keeps_the_old_content(tmp_path):
    out = tmp_path / "out"
    put(out, x=b"old")
    os.link(out / "x", tmp_path / "kept")
    put(out, x=b"new")
    assert (tmp_path / "kept").read_bytes() == b"old"


def test_caches_are_left_behind(tmp_path):
    out = tmp_path / "out"
    put(out, x=b"1", __pycache____x=b"cache")
    (out / "numpy" / "__pycache__").mkdir(parents=True)
    (out / "numpy" / "__pycache__" / "a.pyc").write_bytes(b"stale")
    put(out, x=b"2")
    assert "numpy/__pycache__/a.pyc" not in content(out)


def test_links_inside_stay_links(tmp_path):
    out = tmp_path / "out"
    put(out, x=b"1")
    (out / "link").symlink_to("x")
    put(out, y=b"2")
    assert (out / "link").is_symlink()
    assert (out / "link").read_bytes() == b"1"


def test_a_link_to_the_folder_stays_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    put(link, x=b"1")
    assert link.is_symlink()
    assert content(real) == {"x": b"1"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_file_in_the_place_of_the_folder_is_kept(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(RenderError, match="a file is in the place of the folder"):
        put(out, x=b"1")
    assert out.read_text() == "mine"
    assert alone(out)


def test_without_an_atomic_exchange_two_renames_do(tmp_path, monkeypatch):
    monkeypatch.setattr("optgen.building.output._exchange", lambda left, right: False)
    out = tmp_path / "out"
    put(out, x=b"1", y=b"2")
    put(out, x=b"new")
    assert content(out) == {"x": b"new", "y": b"2"}
    assert alone(out)


def test_without_links_files_are_copied(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise OSError(errno.EPERM, "no links here")

    out = tmp_path / "out"
    put(out, x=b"1", y=b"2")
    monkeypatch.setattr(os, "link", refuse)
    put(out, x=b"new")
    assert content(out) == {"x": b"new", "y": b"2"}


def test_leftovers_of_dead_processes_are_cleared_and_others_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = tmp_path / f".out-staging-{dead.pid}-abc"
    alive = tmp_path / f".out-staging-{os.getpid()}-abc"
    foreign = tmp_path / ".other-staging-1-abc"
    for folder in (gone, alive, foreign):
        folder.mkdir()
    clear_leftovers(tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([alive.name, foreign.name])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_parent_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RenderError, match="cannot be written: Permission denied"):
            put(tmp_path / "out", x=b"1")
    finally:
        tmp_path.chmod(0o700)
