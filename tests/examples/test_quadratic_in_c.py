"""The example in C: built as its head says, it gives the bits of the NumPy module."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

import optgen
from optgen.errors import BackendUnavailable
from optgen.runtime.compiler import find_compiler

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "quadratic.c"


def compiler():
    try:
        return find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)


def command(found):
    """Return the command at the head of the file, with this machine's compiler and flags."""
    text = EXAMPLE.read_text(encoding="utf-8").partition("&& ./quadratic")[0]
    words = shlex.split(text[text.index(" cc ") :].replace("\\\n *", " "))
    known = set(found.flags())
    return [*found.command, *(w for w in words[1:] if not w.startswith("-fopenmp") or w in known)]


def test_it_gives_the_bits_of_the_module(tmp_path):
    found = compiler()
    words = command(found)
    words[words.index("quadratic")] = str(tmp_path / "quadratic")
    built = subprocess.run(
        [*words, "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Werror"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    said = subprocess.run(
        [str(tmp_path / "quadratic")], capture_output=True, text=True, timeout=120, check=True
    ).stdout.split()
    kernel = optgen.load_kernel("adamw")
    start = 1 + np.arange(71000) % 7
    params = [start[:1000].astype(np.float32), start[1000:].astype(np.float32)]
    states = [kernel.init(p) for p in params]
    for _ in range(100):
        grads = [p - np.float32(3) for p in params]
        kernel.step(params, grads, states, lr=0.01, weight_decay=0.1)
    assert [float.fromhex(word) for word in said] == [float(p[0]) for p in params]


RULES = ("adamw", "nadam", "lamb", "rmsprop_centered")


def compiles(text, file):
    file.write_text(text, encoding="utf-8")
    words = [*compiler().command, "-fsyntax-only", str(file)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("rule", RULES)
def test_a_header_declares_what_its_file_defines(rule, tmp_path):
    header, source = (
        (ROOT / "generated" / "c" / f"{rule}{end}").read_text(encoding="utf-8")
        for end in (".h", ".c")
    )
    struct = re.compile(r"^struct (\w+_args) \{(.*?)^\};", re.DOTALL | re.MULTILINE)
    fields = [
        {name: re.findall(r"(\w+ \w+);", body) for name, body in struct.findall(text)}
        for text in (header, source)
    ]
    assert len(fields[0]) == 2
    assert fields[0] == fields[1]
    declared = re.findall(r"^\w+ optgen_\w+\([^;]*;", header, re.MULTILINE)
    assert len(declared) == 5
    both = compiles("\n".join([source, *declared]), tmp_path / "both.c")
    assert both.returncode == 0, both.stderr
    wrong = declared[0].replace("double step", "float step")
    assert compiles("\n".join([source, wrong]), tmp_path / "wrong.c").returncode


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_headers_can_be_included_twice_and_side_by_side(language, tmp_path):
    names = [ROOT / "generated" / "c" / f"{rule}.h" for rule in RULES for _ in range(2)]
    text = "".join(f'#include "{name}"\n' for name in names)
    found = compiles(text, tmp_path / f"many.{language}")
    if "cc1plus" in found.stderr:
        pytest.skip("the compiler knows no C++")
    assert found.returncode == 0, found.stderr
