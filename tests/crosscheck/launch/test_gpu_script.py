"""The script for GPU machines runs to its end on the stand-in; its times there mean nothing."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from optgen.bench import gpu
from optgen.crosscheck.host.running import find_cpp
from optgen.crosscheck.launch.launching import image_of_names, printed_rule
from optgen.crosscheck.launch.standin import compile_kernels
from optgen.loader import load_catalogue
from optgen.runtime.cuda.description import parse_description
from optgen.runtime.cuda.driver import Driver
from optgen.runtime.cuda.images import Image
from optgen.storage import parse_storage

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "gpu" / "run.py"


def described(name, mix=None):
    rule = printed_rule(load_catalogue()[name], parse_storage(mix) if mix else None)
    return parse_description(rule.description)


@pytest.mark.parametrize(
    ("name", "mix", "moved"),
    [
        ("sgd", None, 12), ("lion", None, 20), ("adamw", None, 28), ("amsgrad", None, 36),
        ("lamb", None, 40), ("adamw", "bfloat16-bfloat16-float32", 22),
        ("adamw", "bfloat16-bfloat16-bfloat16", 14),
    ],
)  # fmt: skip
def test_bytes_per_parameter_are_those_that_are_known(name, mix, moved):
    """The table of the design, measured on compiled kernels elsewhere."""
    assert gpu.bytes_moved(described(name, mix).variants[0]) == moved


@pytest.mark.parametrize(
    ("name", "mix"),
    [("adamw", None), ("lamb", None), ("lion", "bfloat16-bfloat16-float32")],
)
def test_a_floor_reads_and_writes_what_its_rule_does(name, mix, standin, tmp_path):
    said = described(name, mix)
    entries = gpu.floor_entries(said)
    text = gpu.floor_source(said)
    standin.register(compile_kernels(find_cpp(), text, entries, tmp_path, f"floor_{name}"))
    driver = Driver(str(standin.path))
    device, variant, n = driver.device(0), said.variants[0], 4001
    rng = np.random.default_rng(1)
    arrays, wanted = {}, {}
    for buffer in variant.buffers:
        array = gpu.DeviceArray(driver, device, (n,), buffer.type)
        arrays[buffer.name], size = array, array.view.nbytes
        wanted[buffer.name] = rng.integers(0, 256, size, np.uint8)
        with driver.current(device):
            driver.must(
                "cuMemcpyHtoD_v2", array.view.address, wanted[buffer.name].ctypes.data, size
            )
    image = Image(image_of_names([entry.name for entry in entries]), "names")
    floor = gpu.Floor(driver, device, image, variant, arrays, said.block)
    before = standin.launches
    with driver.current(device):
        floor()
    assert standin.launches - before == len(gpu.moved_by(variant))
    assert standin.said() == ""
    for moved in gpu.moved_by(variant):
        vectors = n // moved.vector
        words = {}
        for part in moved.buffers:
            end = vectors * moved.vector * (wanted[part].size // n)
            words[part] = wanted[part][:end].view(np.uint32).reshape(vectors, -1)
        everything = np.bitwise_xor.reduce(np.hstack([*words.values()]), axis=1)
        for part in moved.writes:
            words[part] ^= everything[:, None]
    for part, array in arrays.items():
        found = np.empty(array.view.nbytes, np.uint8)
        with driver.current(device):
            driver.must("cuMemcpyDtoH_v2", found.ctypes.data, array.view.address, found.size)
        assert np.array_equal(found, wanted[part])


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FAMILIES", ("sgd",))
    monkeypatch.setattr(module, "MIXES", ("bfloat16-bfloat16-bfloat16+stochastic",))
    monkeypatch.setattr(module, "SIZES", (5, 0, 1023))
    monkeypatch.setattr(module, "LISTS", ("call",))
    monkeypatch.setattr(module, "IN_LISTS", ("sgd",))
    catalogue = {name: load_catalogue()[name] for name in ("adamw", "sgd")}
    monkeypatch.setattr(module, "load_catalogue", lambda: catalogue)
    return module


def test_the_whole_script(script, standin, printed, tmp_path):
    pytest.importorskip("ml_dtypes")
    for name, mix in (("adamw", None), ("sgd", None), ("sgd", script.MIXES[0])):
        printed(name, mix)
        said = described(name, mix)
        folder = tmp_path / f"{name}{bool(mix)}"
        folder.mkdir()
        standin.register(
            compile_kernels(
                find_cpp(), gpu.floor_source(said), gpu.floor_entries(said), folder, "floor"
            )
        )
    out = tmp_path / "gpu.json"
    given = ["--elements", "5000", "--turns", "3", "--write", "--out", str(out)]
    assert script.main(given, Driver(str(standin.path))) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["device"] == "stand-in 0 (no GPU)"
    assert [row["difference"] for row in report["bits"]] == [""] * 5
    assert [row["bytes"] for row in report["times"]["rows"]] == [
        *(28 * 5000, 12 * 5000, 6 * 5000),  # one large tensor
        *(12 * 10, 12 * 10 * 500),  # "call": one of ten elements, and 500
    ]
    for row in report["times"]["rows"]:
        assert {"floor", "optgen"} == row["seconds"].keys()
        assert len(row["seconds"]["optgen"]) == 3
    assert standin.said() == ""
