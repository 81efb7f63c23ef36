"""The record of the last build: read back, refused when torn, never trusted over the files."""

import json

import pytest

from optgen.backends.base import SourceFile
from optgen.building.record import Record, RuleRecord, fingerprint
from optgen.building.report import BuildReport, Row, RuleBuild
from optgen.building.request import BuildRequest

ROW = Row("sgd", "numpy", "float32", "equal", "equal", "", "bits of the IR", None, None, None, 0.5)


def request(out, **changes):
    given = {
        "names": (), "targets": ("numpy",), "dtypes": ("float32",), "archs": (), "out": out,
        "specs": (), **changes,
    }  # fmt: skip
    return BuildRequest(**given)


def written(tmp_path):
    from optgen.building.fingerprint import of_bytes

    file = SourceFile("numpy/sgd.py", "text\n")
    rule = RuleRecord(
        "base", "specs/sgd.py", "hash", "digest", {file.path: of_bytes(b"text\n")}, (ROW,), ("a",)
    )
    record = Record(tmp_path / "out", {"sgd": rule}, {"specs/sgd.py": "hash"}, ("sgd",))
    build = RuleBuild("sgd", "digest", (file,), (("cuda/sgd.cubin", b"\0"),), (ROW,), ("a",))
    record.write(record.folder, [build], frozenset())
    return record


def test_a_record_is_read_back(tmp_path):
    record = written(tmp_path)
    assert Record.read(record.folder) == record
    assert (record.folder / "numpy/sgd.py").read_text() == "text\n"
    assert (record.folder / ".build/cuda/sgd.cubin").read_bytes() == b"\0"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"rules": {}}', '{"rules": {"sgd": {}}, "specs": {}, "names": []}',
     '{"rules": {"sgd": {"rows": 1, "levels": []}}, "specs": {}, "names": []}'],
)  # fmt: skip
def test_a_torn_record_counts_as_none(tmp_path, text):
    record = written(tmp_path)
    (record.folder / ".build/record.json").write_text(text)
    assert Record.read(record.folder).rules == {}


def test_a_record_of_nowhere_is_empty(tmp_path):
    assert Record.read(tmp_path / "none") == Record(tmp_path / "none")


def test_the_manifest_is_sorted_and_holds_hashes_only(tmp_path):
    manifest = json.loads(written(tmp_path).manifest())
    assert manifest["rules"]["sgd"].keys() == {"digest", "files"}
    assert "base" not in json.dumps(manifest)


def test_the_fingerprint_follows_the_request(tmp_path):
    base = fingerprint(request(tmp_path))
    assert base == fingerprint(request(tmp_path / "elsewhere", jobs=4, check=True))
    for changes in ({"targets": ("cuda",)}, {"dtypes": ("float64",)}, {"archs": ("sm_90",)}):
        assert fingerprint(request(tmp_path, **changes)) != base


def test_rows_survive_json_and_say_what_they_know():
    from dataclasses import asdict

    assert Row.from_json(json.loads(json.dumps(asdict(ROW)))) == ROW
    assert ROW.cells() == (
        "sgd",
        "numpy",
        "f32",
        "equal",
        "",
        "bits of the IR",
        "",
        "",
        "",
        "0.50",
    )
    report = BuildReport((ROW,), ("done",), failed=True)
    assert report.exit_code == 1
    header, rows = report.table()
    assert len(header) == len(rows[0])
    assert report.to_json()["failed"] is True
