"""How a folder differs from what it should hold."""

from optgen.building.drift import differences, listed

ALL = frozenset({"numpy"})


def test_equal_folders_do_not_differ(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    assert differences(tmp_path, {"a.txt": "one\n"}, whole=ALL) == ()


def test_every_kind_of_difference(tmp_path):
    (tmp_path / "changed").write_text("one\ntwo\n")
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "stray").write_text("")
    (tmp_path / "elsewhere").write_text("")
    found = differences(tmp_path, {"changed": "one\n2\n", "gone": ""}, whole=ALL)
    assert found == (
        "--- a/changed", "+++ b/changed", "@@ -1,2 +1,2 @@", " one", "-two", "+2",
        "gone: missing", "numpy/stray: not built by any rule",
    )  # fmt: skip
    assert "numpy/stray: not built by any rule" not in differences(tmp_path, {}, whole=frozenset())


def test_line_ends_count(tmp_path):
    (tmp_path / "a").write_bytes(b"one\r\n")
    assert differences(tmp_path, {"a": "one\n"}, whole=ALL) == (
        "a: line ends or the last newline differ",
    )
    (tmp_path / "a").write_bytes(b"one")
    assert differences(tmp_path, {"a": "one\n"}, whole=ALL)


def test_long_differences_are_cut(tmp_path):
    (tmp_path / "a").write_text("old\n" * 100)
    found = differences(tmp_path, {"a": "new\n" * 100}, whole=ALL)
    assert len(found) == 41
    assert found[-1].endswith("more lines")


def test_what_is_no_text_differs(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    assert differences(tmp_path, {"a": "text\n"}, whole=ALL)


def test_caches_and_own_notes_are_not_listed(tmp_path):
    for name in ("numpy/a.py", "numpy/__pycache__/a.pyc", ".build/record.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert listed(tmp_path) == {"numpy/a.py"}
