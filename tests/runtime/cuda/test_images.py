"""Code for a device: what was built is taken if it is of this text, else it is compiled."""

import pytest

from optgen.errors import BackendUnavailable, UsageError
from optgen.runtime.cuda import images
from optgen.runtime.cuda.description import parse_description, read_description

TEXT = 'extern "C" __global__ void nothing(int* __restrict__ at) { at[threadIdx.x] = 1; }\n'


@pytest.fixture
def folder(tmp_path):
    """Where a build for sm_90 has been."""
    cubin = b"\x7fELF built before"
    (tmp_path / "nothing.sm_90.cubin").write_bytes(cubin)
    seal = images.image_seal(TEXT, cubin)
    (tmp_path / "nothing.sm_90.sha256").write_text(seal, encoding="utf-8")
    return tmp_path


@pytest.fixture
def no_compiler(monkeypatch):
    def missing():
        raise BackendUnavailable("no CUDA compiler", fix="get one")

    monkeypatch.setattr(images, "find_nvrtc", missing)


@pytest.fixture
def nvrtc():
    try:
        return images.find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(error.what)


def test_what_was_built_is_taken_without_a_compiler(folder, no_compiler):
    found = images.image_for(TEXT, "nothing.cu", "sm_90", folder)
    assert found.code == b"\x7fELF built before"
    assert found.origin.endswith("nothing.sm_90.cubin")


@pytest.mark.parametrize("change", ["text", "cubin", "seal", "arch"])
def test_what_was_built_of_something_else_is_not(change, folder, no_compiler):
    text, arch = TEXT, "sm_90"
    if change == "text":
        text += "// another\n"
    elif change == "cubin":
        (folder / "nothing.sm_90.cubin").write_bytes(b"\x7fELF built befora")
    elif change == "seal":
        (folder / "nothing.sm_90.sha256").write_bytes(b"\xff")
    else:
        arch = "sm_100"
    with pytest.raises(BackendUnavailable, match=f"no code for {arch}") as caught:
        images.image_for(text, "nothing.cu", arch, folder)
    assert f"optgen build --arch {arch}" in caught.value.fix


def test_what_was_not_built_is_compiled(nvrtc, tmp_path):
    arch = f"sm_{nvrtc.archs()[-1]}"
    found = images.image_for(TEXT, "nothing.cu", arch, tmp_path)
    assert found.code.startswith(b"\x7fELF")
    assert b"nothing" in found.code


def test_a_device_newer_than_the_compiler_gets_ptx(nvrtc, tmp_path):
    newest = nvrtc.archs()[-1]
    found = images.image_for(TEXT, "nothing.cu", f"sm_{newest + 9}", tmp_path)
    assert f".target sm_{newest}".encode() in found.code
    assert found.code.endswith(b"\0")
    assert "as PTX" in found.origin


def test_a_device_older_than_the_compiler_is_refused(nvrtc, tmp_path):
    with pytest.raises(BackendUnavailable, match="nothing as old as sm_20"):
        images.image_for(TEXT, "nothing.cu", "sm_20", tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": 2}', '{"format": 1, "rule": "adamw"}', "\x00"],
)
def test_a_description_that_is_none(text, tmp_path):
    file = tmp_path / "adamw.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="does not say how the kernels") as caught:
        read_description(file)
    assert "optgen build" in caught.value.fix
    with pytest.raises(UsageError):
        read_description(tmp_path / "lion.json")


def test_every_generated_file_has_a_description():
    from optgen.paths import GENERATED

    sources = sorted((GENERATED / "cuda").glob("*.cu"))
    assert len(sources) >= 17
    for source in sources:
        found = parse_description(source.with_suffix(".json").read_text(encoding="utf-8"))
        text = source.read_text(encoding="utf-8")
        for variant in found.variants:
            for launch in variant.launches:
                assert f" {launch.entry}(" in text.replace("\n", " ")
            inside = text[text.index(f"{variant.launches[0].entry.split('_stage')[0]}_args {{") :]
            inside = inside[: inside.index("};")]
            at = [inside.index(f" {name};") for name in (*variant.fields, *variant.words)]
            assert at == sorted(at)
