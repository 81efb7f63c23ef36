"""Kernels that optgen did not write: proved, refuted with a witness, or unknown; bad input."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from optgen.cli import main
from optgen.crosscheck.ptx import parse
from optgen.errors import UsageError
from optgen.loader import load_catalogue
from optgen.translation.ptx_bind import read_binds
from optgen.translation.ptx_foreign import check_foreign
from optgen.translation.ptx_reals import decimal

DATA = Path(__file__).parents[1] / "data" / "ptx"
RULES = load_catalogue()

ADAM = "param=0,grad=1,exp_avg=2,exp_avg_sq=3,lr=4,beta1=5,beta2=6,eps=7"
ADAMW = f"{ADAM},weight_decay=8,9=1-beta1**step,n=11"
NVCC, TRITON = f"{ADAMW},10=sqrt(1-beta2**step)", f"{ADAMW},10=1-beta2**step"
LION = "param=0,grad=1,exp_avg=2,beta1=4,beta2=5,weight_decay=6,n=7"
CTAID = "mov.u32 \t%r3, %ctaid.x"
LANE = "or.b32 \t%r49, %r47, "
BLOCK = "shl.b32 \t%r42, %r41, "
SGD = "param=0,grad=1,lr=2,n=3"

# file, rule, binds, hyperparameters given, outcome, arrays that are refuted
CASES = [
    ("adamw_plain", "adamw", NVCC, (), "proved", ()),
    ("adamw_plain_fast", "adamw", NVCC, (), "proved", ()),
    ("adamw_plain", "adam_l2", NVCC, (), "refuted", ("param", "exp_avg", "exp_avg_sq")),
    ("adamw_coupled", "adamw", NVCC, (), "refuted", ("param", "exp_avg", "exp_avg_sq")),
    ("adamw_coupled", "adam_l2", NVCC, (), "proved", ()),
    ("adam_powf", "adam", f"{ADAM},step=8,n=9", (), "proved", ()),
    ("adam_powf", "adam", f"{ADAM},8=step-1,n=9", (), "refuted", ("param",)),
    (
        "rmsprop_rsqrt",
        "rmsprop",
        "param=0,grad=1,square_avg=2,lr=3,alpha=4,eps=5,n=6",
        (),
        "refuted",
        ("param",),
    ),
    (
        "momentum_functor",
        "momentum",
        "param=0,grad=1,momentum_buffer=2,3.0=lr,3.4=momentum,n=4",
        ("dampening=0",),
        "proved",
        (),
    ),
    (
        "momentum_functor",
        "momentum",
        "param=0,grad=1,momentum_buffer=2,3.0=momentum,3.4=lr,n=4",
        ("dampening=0",),
        "refuted",
        ("param", "momentum_buffer"),
    ),
    ("lion_branches", "lion", f"{LION},*3=lr", (), "proved", ()),
    ("lion_triton", "lion", f"{LION},lr=3", (), "proved", ()),
    (
        "adam_uncorrected",
        "adam",
        "param=0,grad=1,exp_avg=2,exp_avg_sq=3,lr=4,eps=5,n=6",
        ("beta1=0.9", "beta2=0.999"),
        "refuted",
        ("param",),
    ),
    ("sgd_rest", "sgd", SGD, (), "proved", ()),
    ("sgd_unrolled", "sgd", SGD, (), "unknown", ()),
    ("adamw_triton", "adamw", TRITON, (), "proved", ()),
    ("adamw_triton_eps", "adamw", TRITON, (), "refuted", ("param",)),
]


def run(*args):
    return CliRunner().invoke(main, ["verify", *args])


@pytest.mark.parametrize(
    ("file", "rule", "binds", "given", "outcome", "refuted"),
    CASES,
    ids=[f"{case[0]}-{case[1]}-{case[4]}" for case in CASES],
)
def test_verdicts(file, rule, binds, given, outcome, refuted):
    options = [word for value in given for word in ("--given", value)]
    result = run(
        "--ptx", str(DATA / f"{file}.ptx"), "--as", rule, "--bind", binds, *options, "--json"
    )
    found = json.loads(result.stdout)
    assert found["outcome"] == outcome, found
    assert result.exit_code == (0 if outcome == "proved" else 1)
    assert {a["array"] for a in found["arrays"] if a["outcome"] == "refuted"} == {*refuted}
    for array in found["arrays"]:
        if array["outcome"] == "refuted":
            assert array["witness"]
            assert all(Fraction(value) is not None for value in array["witness"].values())
    if outcome == "unknown":
        assert "PTX line" in found["arrays"][0]["detail"]


def test_all_files_are_tried():
    assert {path.stem for path in DATA.glob("*.ptx")} == {case[0] for case in CASES}
    assert {path.stem for path in DATA.glob("*.cu")} <= {case[0] for case in CASES}


def test_what_is_printed():
    result = run("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", SGD)
    assert result.exit_code == 0
    assert "sgd_rest as sgd: proved" in result.output
    assert "if arrays do not overlap" in result.output
    assert "if param aligned to 16 bytes" in result.output
    assert "if the launch covers all elements: 4*nctaid.x*ntid.x >= n" in result.output


def test_constants_are_named():
    file = str(DATA / "adam_uncorrected.ptx")
    binds = "param=0,grad=1,exp_avg=2,exp_avg_sq=3,lr=4,eps=5,n=6"
    options = ("--given", "beta1=0.9", "--given", "beta2=0.999")
    result = run("--ptx", file, "--as", "adam", "--bind", binds, *options)
    assert "if the constant 0.999 stands for 0.999" in result.output
    options = (*options, "--literal", "0.999=0.99")
    result = run("--ptx", file, "--as", "adam", "--bind", binds, *options, "--json")
    found = {a["array"]: a["outcome"] for a in json.loads(result.stdout)["arrays"]}
    assert found["exp_avg_sq"] == "refuted"


def test_shortest_decimals():
    for text in ("0.999", "0.1", "1e-08", "123456.7"):
        import numpy as np

        stored = Fraction(float(np.float32(text)))
        assert decimal(stored, "float32") == Fraction(text)
        assert decimal(Fraction(float(text)), "float64") == Fraction(text)


def test_binds_in_a_file(tmp_path):
    file = tmp_path / "binds.toml"
    file.write_text('[bind]\n0 = "param"\n1 = "grad"\nsgd_rest_param_2 = "lr"\nn = 3\n')
    result = run("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", str(file))
    assert result.exit_code == 0, result.output


BAD = [
    ("param=0,grad=1,lr=2,n", "a bind has no two sides"),
    ("param=0,grad=1,lr=2,n=9", "sgd_rest has no parameter 9"),
    ("param=0,grad=0,lr=2,n=3", "parameter 0 is bound twice"),
    ("param=0,0=grad,lr=2,n=3", "parameter 0 is bound twice"),
    ("param=0,1=param,lr=2,n=3", "param is bound twice"),
    ("param=0,lr=2,n=3", "grad of sgd is bound to no parameter"),
    ("parm=0,grad=1,lr=2,n=3", "'parm' is no parameter of sgd_rest"),
    ("param=0,grad=1,2=lr*beta,n=3", "reads beta, which the rule does not have"),
    ("param=0,grad=1,2=lr.real,n=3", "holds what is not + - * / **"),
    ("param=0,grad=1,2=lr(,n=3", "cannot be read"),
    ("param=0,grad=1,2=1e9999,n=3", "a number that no hyperparameter can be"),
    ("param:int8=0,grad=1,lr=2,n=3", "there is no type int8"),
    ("no_such_file.toml", "the file of binds cannot be read"),
]


@pytest.mark.parametrize(("binds", "says"), BAD)
def test_bad_binds(binds, says):
    result = run("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", binds)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert "Fix: " in result.output
    assert "--bind" in result.output


def test_bad_files(tmp_path):
    broken = tmp_path / "broken.ptx"
    for text in ("not PTX", ".version 8.0\n.target sm_80\n.address_size 64\n"):
        broken.write_text(text)
        result = run("--ptx", str(broken), "--as", "sgd", "--bind", SGD)
        assert result.exit_code == 2
        assert "Fix: " in result.output
    broken.write_bytes(b"\xff\xfe\x00")
    assert run("--ptx", str(broken), "--as", "sgd", "--bind", SGD).exit_code == 2
    assert run("--ptx", "nowhere.ptx", "--as", "sgd", "--bind", SGD).exit_code == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--as", "sgd"), "--as belongs to --ptx"),
        (("--bind", SGD), "--bind belongs to --ptx"),
        (("--ptx", "x.ptx"), "--ptx needs --as"),
        (("--ptx", "x.ptx", "--as", "sgd"), "--ptx needs --bind"),
        (("--ptx", "x.ptx", "--as", "sgd", "--bind", SGD, "adam"), "--ptx is checked alone"),
        (("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sdg", "--bind", SGD), "sdg"),
        (
            ("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", SGD, "--entry", "x"),
            "there is no kernel x",
        ),
        (
            ("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", SGD, "--given", "b=1"),
            "'b' is no hyperparameter",
        ),
        (
            ("--ptx", str(DATA / "sgd_rest.ptx"), "--as", "sgd", "--bind", SGD, "--literal", "1"),
            "a literal is not DECIMAL=VALUE",
        ),
    ],
)
def test_bad_options(options, says):
    result = run(*options)
    assert result.exit_code == 2
    assert says in result.output


def test_unbound_parameters_are_unknown_not_guessed():
    text = (DATA / "sgd_rest.ptx").read_text()
    entry = parse(text).entries["sgd_rest"]
    binding = read_binds("param=0,grad=1,n=3", entry, RULES["sgd"])
    proof = check_foreign(text, entry.name, RULES["sgd"], binding, given={}, literals={})
    assert proof.outcome == "unknown"
    assert "parameter 2 is bound to nothing" in proof.findings[0].detail


def test_a_state_that_is_not_bound_is_an_error():
    entry = parse((DATA / "adamw_plain.ptx").read_text()).entries["adamw_plain"]
    with pytest.raises(UsageError, match="exp_avg_sq of adamw is bound to no parameter"):
        read_binds("param=0,grad=1,exp_avg=2", entry, RULES["adamw"])


# --- slips ---------------------------------------------------------------------------


SLIPS = [
    ("sgd_rest", "sgd", SGD, ("setp.lt.s32", "setp.le.s32")),
    ("sgd_rest", "sgd", SGD, ("shl.b32 \t%r10, %r8, 2", "shl.b32 \t%r10, %r8, 3")),
    ("lion_triton", "lion", f"{LION},lr=3", (f"{LANE}128", f"{LANE}256")),
    ("lion_triton", "lion", f"{LION},lr=3", (f"{BLOCK}10", f"{BLOCK}9")),
    ("lion_branches", "lion", f"{LION},*3=lr", (CTAID, CTAID.replace("ctaid", "tid"))),
]  # fmt: skip


@pytest.mark.parametrize(("file", "rule", "binds", "change"), SLIPS)
def test_slips_in_indices_are_not_proved(file, rule, binds, change, tmp_path):
    text = (DATA / f"{file}.ptx").read_text()
    assert change[0] in text
    broken = tmp_path / "broken.ptx"
    broken.write_text(text.replace(*change))
    result = run("--ptx", str(broken), "--as", rule, "--bind", binds)
    assert result.exit_code == 1, result.output


def check(text, timeout):
    binding = read_binds(SGD, parse(text).entries["sgd_rest"], RULES["sgd"])
    rule = RULES["sgd"]
    return check_foreign(text, "sgd_rest", rule, binding, given={}, literals={}, timeout=timeout)


def test_a_loop_that_never_ends_is_unknown_when_the_time_is_over():
    text = (DATA / "sgd_rest.ptx").read_text()
    endless = text.replace("add.s32 \t%r10, %r10, 1;", "add.s32 \t%r10, %r10, 0;")
    assert endless != text
    started = time.monotonic()
    (finding,) = check(endless, 0.2).findings
    assert (finding.outcome, finding.detail) == ("unknown", "out of time")
    assert time.monotonic() - started < 3


def test_a_crash_is_unknown(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("broken")

    monkeypatch.setattr("optgen.translation.ptx_foreign.read_ptx", broken)
    (finding,) = check((DATA / "sgd_rest.ptx").read_text(), 5).findings
    assert finding.outcome == "unknown"
    assert finding.detail == "the reading failed: ZeroDivisionError: broken"


def test_an_index_times_two_to_the_32_takes_no_memory():
    text = (DATA / "sgd_rest.ptx").read_text()
    (finding,) = check(
        text.replace("shl.b32 \t%r10, %r8, 2;", "shl.b32 \t%r10, %r8, -2;"), 5
    ).findings
    assert finding.outcome == "unknown"
    assert "the reading failed" not in finding.detail


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ld.param.u16 %h1, [N]; cvt.u32.u16 %r1, %h1;", "of the number of elements a part"),
        ("sub.s32 %r5, %r5, %r1; mul.wide.u32 %rd3, %r5, 4; add.s32 %r5, %r5, %r1;", "negative"),
    ],
    ids=["a part of n", "a negative index without its sign"],
)
def test_whole_numbers_that_lose_bits_are_not_followed(line, reason):
    text = f"""
    .version 8.0
    .target sm_80
    .address_size 64
    .visible .entry sgd_rest(.param .u64 P, .param .u64 G, .param .f32 LR, .param .u32 N)
    {{
    .reg .pred %p<2>; .reg .f32 %f<6>; .reg .b32 %r<6>; .reg .b64 %rd<6>; .reg .b16 %h<2>;
    ld.param.u64 %rd1, [P]; ld.param.u64 %rd2, [G]; ld.param.f32 %f1, [LR]; ld.param.u32 %r1, [N];
    mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4; {line} setp.ge.s32 %p1, %r5, %r1; @%p1 ret;
    mul.wide.s32 %rd3, %r5, 4; add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;
    ld.global.f32 %f2, [%rd4]; ld.global.f32 %f3, [%rd5];
    mul.f32 %f4, %f1, %f3; sub.f32 %f5, %f2, %f4; st.global.f32 [%rd4], %f5; ret;
    }}"""
    assert check(text.replace(line, ""), 5).outcome == "proved"
    (finding,) = check(text, 5).findings
    assert finding.outcome == "unknown"
    assert reason in finding.detail


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        ("lr", "'lr' has no two sides", "write NAME=EXPR with one of lr"),
        ("lr=-5", "-5 lies outside [0, oo), the domain of the rule", "give a value inside"),
        ("lr=1/0", "'lr=1/0' has no real value", "mend the expression"),
        ("foo=1", "'foo' is no hyperparameter of the rule", "write NAME=EXPR with one of lr"),
    ],
)
def test_a_given_value_must_fit_the_rule(given, what, fix):
    file = str(DATA / "sgd_rest.ptx")
    result = run("--ptx", file, "--as", "sgd", "--bind", SGD, "--given", given)
    assert result.exit_code == 2
    assert what in result.output
    assert fix in result.output
