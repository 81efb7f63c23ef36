"""What the last build knew: which inputs gave which files. Decides what need not be built again.

`MANIFEST.json` is committed and depends on sources only. `.build/record.json` is
this machine's own: fingerprints, measurements, and cubins beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optgen import paths
from optgen.building import fingerprint as hashes
from optgen.building.report import BuildReport, Row, RuleBuild
from optgen.building.request import BuildRequest

if TYPE_CHECKING:
    from optgen.loader import Catalogue
    from optgen.spec import OptimizerSpec

_RECORD = ".build/record.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What is remembered of one rule.

    Attributes:
        base: Fingerprint of the tools and of what was asked for.
        spec: Path of the spec file.
        spec_hash: Hash of the spec file.
        digest: Hash of what the rule computes.
        files: SHA-256 of each generated file, by path.
        rows: The rows of its last report.
        levels: As in `RuleBuild`.
        storages: As in `RuleBuild`.
    """

    base: str
    spec: str
    spec_hash: str
    digest: str
    files: dict[str, str]
    rows: tuple[Row, ...]
    levels: tuple[str, ...]
    storages: tuple[str, ...] = ()


def fingerprint(request: BuildRequest) -> str:
    """Return one hash of all that every rule of a build depends on, its spec file excepted."""
    asked = json.dumps([request.targets, request.dtypes, request.archs])
    if "c" in request.targets:
        asked += hashes.of_compiler()
    return hashes.of_bytes((hashes.of_tools() + asked).encode())


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a folder; empty if nothing readable is there.

    Attributes:
        folder: The output folder.
        rules: What is remembered, by rule.
        specs: Hash of every spec file that was loaded, by path.
        names: Every rule that those files declare, built or not.
        listed: Entries of the manifest for rules that this machine has not built.
    """

    folder: Path
    rules: dict[str, RuleRecord] = field(default_factory=dict)
    specs: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read the record of a folder; one that cannot be read counts as none."""
        listed = _listed(folder)
        try:
            data = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            rules = {
                str(name): RuleRecord(
                    **entry
                    | {
                        "files": {str(p): str(h) for p, h in entry["files"].items()},
                        "rows": tuple(Row.from_json(row) for row in entry["rows"]),
                        "levels": tuple(entry["levels"]),
                        "storages": tuple(entry["storages"]),
                    }
                )
                for name, entry in data["rules"].items()
            }
            others = {name: entry for name, entry in listed.items() if name not in rules}
            return cls(folder, rules, dict(data["specs"]), tuple(data["names"]), others)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls(folder, listed=listed)

    def manifest(self) -> str:
        """Return the committed list of what was generated: no times, hosts or versions."""
        rules = self.listed | {
            name: {"digest": rule.digest, "files": dict(sorted(rule.files.items()))}
            | ({"storage": [*rule.storages]} if rule.storages else {})
            for name, rule in self.rules.items()
        }
        ordered = {name: rules[name] for name in sorted(rules)}
        return json.dumps({"format": _FORMAT, "rules": ordered}, indent=2) + "\n"

    def storages(self, name: str) -> tuple[str, ...]:
        """Return the storage mixes of a rule that the folder holds."""
        if name in self.rules:
            return self.rules[name].storages
        return tuple(self.listed.get(name, {}).get("storage", ()))

    def is_current(self, base: str, request: BuildRequest) -> bool:
        """Return whether a build would give what is there; reads hashes only."""
        if not self.rules or self.specs != _spec_hashes(request.specs):
            return False
        gone = any(
            r.spec not in self.specs and not Path(r.spec).is_file() for r in self.rules.values()
        )
        if (self.listed or gone) and not request.names:
            return False  # files of rules that are gone are still there
        names = request.names or self.names
        path = self.folder / "MANIFEST.json"
        if not path.is_file() or path.read_bytes() != self.manifest().encode():
            return False
        return all(
            name in self.rules
            and self.rules[name].base == base
            and {*request.storages} <= {*self.rules[name].storages}
            and self._intact(name)
            for name in names
        )

    def holds(self, base: str, spec: OptimizerSpec, storages: tuple[str, ...] = ()) -> bool:
        """Return whether the files of one rule, mixes too, are what a build of it would give."""
        rule = self.rules.get(spec.name)
        if rule is None or not {*storages} <= {*rule.storages}:
            return False
        if rule.base != base or not self._intact(spec.name):
            return False
        file, content = _spec_file(spec)
        return rule.spec == file and rule.spec_hash == content

    def _intact(self, name: str) -> bool:
        """Return whether the files of a rule are as they were written."""
        for path, wanted in self.rules[name].files.items():
            file = self.folder / path
            if not file.is_file() or hashes.of_bytes(file.read_bytes()) != wanted:
                return False
        return True

    def updated(
        self,
        base: str,
        results: Iterable[RuleBuild],
        catalogue: Catalogue,
        request: BuildRequest,
    ) -> Record:
        """Return the record after a build; a whole build drops rules that no longer exist.

        A rule whose spec file is there, but was not among those loaded, still exists.
        """
        specs = _spec_hashes(request.specs)
        unread = {
            name: rule
            for name, rule in self.rules.items()
            if name not in catalogue and rule.spec not in specs and Path(rule.spec).is_file()
        }
        rules = {name: rule for name, rule in self.rules.items() if name in catalogue}
        for result in results:
            file, content = _spec_file(catalogue[result.rule])
            listed = self.listed.get(result.rule, {"files": {}})["files"]
            before = rules[result.rule].files if result.rule in rules else listed
            others = {p: h for p, h in before.items() if p.split("/")[0] not in request.targets}
            rules[result.rule] = RuleRecord(
                base=base,
                spec=file,
                spec_hash=content,
                digest=result.digest,
                files=others | {f.path: hashes.of_bytes(f.text.encode()) for f in result.files},
                rows=result.rows,
                levels=result.levels,
                storages=result.storages,
            )
        ordered = {name: rules[name] for name in catalogue if name in rules} | unread
        entries = json.loads(self.manifest())["rules"] if request.names else {}
        kept = {name: entry for name, entry in entries.items() if name not in ordered}
        return Record(self.folder, ordered, specs, tuple(catalogue), kept)

    def write(self, folder: Path, results: Iterable[RuleBuild], stale: frozenset[str]) -> None:
        """Write the files of a build, the manifest and this record, all at once.

        Args:
            folder: The output folder.
            results: What was built.
            stale: Files that must be gone afterwards.
        """
        from optgen.building.output import replace_folder

        files: dict[str, bytes] = {}
        for result in results:
            files |= {f.path: f.text.encode() for f in result.files}
            files |= {f".build/{path}": content for path, content in result.binaries}
        files["MANIFEST.json"] = self.manifest().encode()
        data = {
            "specs": self.specs,
            "names": self.names,
            "rules": {name: asdict(rule) for name, rule in self.rules.items()},
        }
        files[".build/.gitignore"] = b"*\n"  # measurements and binaries are this machine's own
        files[_RECORD] = json.dumps(data, indent=1).encode()
        replace_folder(folder, files, remove=stale)

    def stale(self, after: Record) -> frozenset[str]:
        """Return the files that an earlier build wrote for rules that no longer exist.

        A file that has been edited since is not among them: it is no longer the build's own.
        """
        kept = {path for rule in after.rules.values() for path in rule.files}
        written = {path for rule in self.rules.values() for path in rule.files}
        written |= {path for entry in self.listed.values() for path in entry["files"]}
        return frozenset(path for path in written - kept if not self._is_edited(path))

    def edited(self, results: Iterable[RuleBuild]) -> tuple[str, ...]:
        """Return the files of a build that somebody has edited since they were written."""
        return tuple(f.path for r in results for f in r.files if self._is_edited(f.path))

    def _is_edited(self, path: str) -> bool:
        hashed = [rule.files[path] for rule in self.rules.values() if path in rule.files]
        hashed += [e["files"][path] for e in self.listed.values() if path in e["files"]]
        file = self.folder / path
        return bool(hashed) and file.is_file() and hashes.of_bytes(file.read_bytes()) not in hashed

    def report(
        self,
        request: BuildRequest,
        *,
        built: int = 0,
        reused: bool = False,
        removed: frozenset[str] = frozenset(),
        edited: tuple[str, ...] = (),
    ) -> BuildReport:
        """Return the report of a build from what is recorded."""
        names = request.names or tuple(self.rules)
        chosen = [r for n, r in self.rules.items() if not request.names or n in names]
        rows = tuple(row for rule in chosen for row in rule.rows)
        files = sum(len(rule.files) for rule in chosen)
        done = (
            "nothing had changed" if reused else f"{built} built, {len(chosen) - built} unchanged"
        )
        levels = dict.fromkeys(line for rule in chosen for line in rule.levels)
        rules = "1 rule" if len(chosen) == 1 else f"{len(chosen)} rules"
        noun = "file" if files == 1 else "files"
        head = f"{rules}, {files} {noun} in {request.out}: {done}."
        gone = [f"removed {path}: no rule gives it any more." for path in sorted(removed)]
        gone += [f"replaced {path}, which had been edited by hand." for path in edited]
        return BuildReport(rows, (head, *gone, *levels), reused=reused)


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rules of the manifest in a folder; one that cannot be read lists none."""
    try:
        rules = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["rules"]
        return {
            str(name): {"digest": str(entry["digest"]), "files": dict(entry["files"])}
            | ({"storage": [*map(str, entry["storage"])]} if "storage" in entry else {})
            for name, entry in rules.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _spec_file(spec: OptimizerSpec) -> tuple[str, str]:
    file = Path(spec.location.file) if spec.location is not None else Path()
    content = hashes.of_bytes(file.read_bytes()) if file.is_file() else ""
    return _spelled(file), content


def _spelled(file: Path) -> str:
    """Return a path that means the same wherever optgen is installed."""
    path = file.absolute()
    inside = path.is_relative_to(paths.DATA)
    return path.relative_to(paths.DATA).as_posix() if inside else path.as_posix()


def _spec_hashes(extra: Iterable[Path]) -> dict[str, str]:
    from optgen.spec_files import spec_files

    return {
        _spelled(file): hashes.of_bytes(file.read_bytes())
        for file in spec_files((paths.SPECS, *extra))
    }
