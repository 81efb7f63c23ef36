"""The parser reads both dialects of NVRTC and refuses what it does not know."""

from __future__ import annotations

import pytest

from optgen.crosscheck.ptx import Memory, PtxUnsupported, launch, parse
from optgen.crosscheck.ptx.compile import compile_entry
from optgen.crosscheck.ptx.module import (
    Address,
    Floating,
    Integer,
    Pair,
    Register,
    Special,
    Symbol,
    Vector,
)

HEAD = ".version 8.0\n.target sm_90\n.address_size 64\n"
PTX = (
    "//\n// a comment with ; and { and }\n//\n"
    + HEAD
    + """
	// .globl	k
.visible .entry k(
	.param .u64 .ptr .align 1 k_param_0,
	.param .align 8 .b8 k_param_1[36],
	.param .f32 k_param_2
)
.maxntid 256, 2, 1
.minnctapersm 2
{
	.reg .pred 	%p<3>;
	.reg .b32 	%r<7>;
	.reg .b64 	%rd<3>;
	// demoted variable
	.shared .align 4 .b8 _ZZ1kE2sh[128];
	.loc	1 12 3

	ld.param.b64 	%rd1, [k_param_0+8];  // trailing
	mov.b32 	%r1, 0f3F800000;
	mov.b64 	{_, %r2}, %rd1;
	.pragma "nounroll";
$L__BB0_1:
	shfl.sync.bfly.b32 	%r3|%p1, %r1, 16, 31, -1;
	@!%p1 bra.uni 	$L__BB0_2;
	ld.global.nc.v4.f32 	{%r3, %r4, %r5, %r6}, [%rd1+-16];
	mov.u32 %r4, %tid.x; mov.u32 %r5, _ZZ1kE2sh;
	{ .reg .b32 %r1; mov.b32 %r1, 7; }
	bra.uni 	$L__BB0_1;
$L__BB0_2:
	ret;

}
"""
)


def test_reads_everything_nvrtc_writes() -> None:
    module = parse(PTX)
    assert (module.version, module.target, list(module.entries)) == ("8.0", "sm_90", ["k"])
    entry = module.entries["k"]
    assert entry.max_threads == 512
    assert [(p.type, p.size, p.align, p.is_array) for p in entry.parameters] == [
        ("u64", 8, 8, False),
        ("b8", 36, 8, True),
        ("f32", 4, 4, False),
    ]
    (shared,) = entry.variables
    assert (shared.name, shared.space, shared.align, shared.size) == (
        "_ZZ1kE2sh",
        "shared",
        4,
        128,
    )
    code = entry.instructions
    assert [i.name for i in code] == [
        "ld.param.b64",
        "mov.b32",
        "mov.b64",
        "shfl.sync.bfly.b32",
        "bra.uni",
        "ld.global.nc.v4.f32",
        "mov.u32",
        "mov.u32",
        "mov.b32",
        "bra.uni",
        "ret",
    ]
    assert code[0].operands == (Register("%rd1"), Address(Symbol("k_param_0"), 8))
    assert code[1].operands[1] == Floating(0x3F800000, 32)
    assert code[2].operands[0] == Vector((None, Register("%r2")))
    assert code[3].operands[0] == Pair(Register("%r3"), Register("%p1"))
    assert code[3].operands[4] == Integer(-1)
    assert (code[4].guard, code[4].negated, code[4].target) == (Register("%p1"), True, 10)
    assert code[5].operands[1] == Address(Register("%rd1"), -16)
    assert code[6].operands[1] == Special("%tid.x")
    assert code[7].operands[1] == Symbol("_ZZ1kE2sh")
    assert code[9].target == 3
    assert entry.labels == {3, 10}
    assert code[0].text == "ld.param.b64 %rd1, [k_param_0+8]"
    assert "[k_param_0+8]" in PTX.splitlines()[code[0].line - 1]


def test_an_inner_scope_has_registers_of_its_own() -> None:
    inner = parse(PTX).entries["k"].instructions[8]
    assert inner.operands[0] != Register("%r1")


def entry_with(line: str) -> str:
    return (
        HEAD
        + ".visible .entry k(.param .u64 a, .param .u32 n)\n{\n"
        + ".reg .pred %p<4>; .reg .b16 %rs<4>; .reg .b32 %r<9>; .reg .f32 %f<9>;"
        + " .reg .b64 %rd<4>;\n"
        + line
        + "\nret;\n}\n"
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (".callprototype x;", "a directive inside an entry"),
        (".reg .b128 %q<2>;", r"registers of type \.b128"),
        (".shared .align 4 .b8 dynamic[];", "a variable without a size"),
        ("add.s32 %r1, %r2, %undeclared;", "the operand %undeclared"),
        ("mov.u32 %r1, %clock;", "the operand %clock"),
        ("mov.u32 %r1, %tid;", "the operand %tid"),
        ("@%p9 bra $L;", "the register %p9, which is not declared"),
        ("bra $nowhere;", "a branch to an unknown label"),
        ("mov.f32 %f1, 1.5;", r"the operand 1\.5"),
        ("ld.global.u32 %r1, [%rd1+%r2];", r"the operand \[%rd1\+%r2\]"),
        ("123 %r1;", "a statement"),
    ],
)
def test_unknown_syntax_is_refused_with_its_line(line: str, why: str) -> None:
    with pytest.raises(PtxUnsupported, match=why) as caught:
        parse(entry_with(line))
    assert caught.value.line == 7
    assert line.split(";")[0].split("$")[0].strip() in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        ".func helper() { ret; }",
        ".global .align 4 .b8 table[16];",
        ".visible .const .align 4 .f32 c;",
        ".section .debug_str { }",
    ],
)
def test_unknown_directives_outside_entries_are_refused(text: str) -> None:
    with pytest.raises(PtxUnsupported, match="a directive outside any entry"):
        parse(HEAD + text)


def test_other_address_sizes_and_entry_directives_are_refused() -> None:
    with pytest.raises(PtxUnsupported, match="32-bit addresses"):
        parse(HEAD.replace("64", "32"))
    with pytest.raises(PtxUnsupported, match="a directive of an entry"):
        parse(HEAD + ".entry k() .reqnctapercluster 2 { ret; }")
    with pytest.raises(PtxUnsupported, match="a parameter declaration"):
        parse(HEAD + ".entry k(.param .texref t) { ret; }")
    with pytest.raises(PtxUnsupported, match="closing brace"):
        parse(HEAD + ".entry k() { ret;")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("frobnicate.u32 %r1, %r2;", r"the instruction frobnicate\.u32"),
        ("add.ftz.f32 %f1, %f2, %f3;", r"the instruction add\.ftz\.f32"),
        ("add.rz.f32 %f1, %f2, %f3;", r"the instruction add\.rz\.f32"),
        ("div.approx.f32 %f1, %f2, %f3;", r"the instruction div\.approx\.f32"),
        ("add.s32 %r1, %r2;", "the number of operands"),
        ("add.s32 %r1, %rd1, %r2;", r"a register of type \.b64 as \.s32"),
        ("add.s64 %rd1, %r1, %rd2;", r"a register of type \.b32 as \.s64"),
        ("mul.wide.u32 %r1, %r2, %r3;", r"a register of type \.b32 as \.u64"),
        ("and.pred %p1, %p2, %r1;", r"a register of type \.b32 as \.pred"),
        ("add.f32 %f1, %f2, 3;", "an operand"),
        ("add.f32 %f1, %f2, 0d3FF0000000000000;", "an operand"),
        ("add.s32 5, %r1, %r2;", "the destination"),
        ("add.s32 %r1|%p1, %r1, %r2;", "two destinations"),
        ("lop3.b32 %r1, %r2, %r3, %r4, %r5;", "not constant"),
        ("ld.const.u32 %r1, [%rd1];", "the modifiers"),
        ("ld.volatile.global.u32 %r1, [%rd1];", "the modifiers"),
        ("ld.global.v2.u32 {%r1, %r2, %r3}, [%rd1];", "the width of the vector"),
        ("ld.global.v4.u32 %r1, [%rd1];", "the width of the vector"),
        ("ld.global.v8.u64 {%rd1,%rd1,%rd1,%rd1,%rd1,%rd1,%rd1,%rd1}, [%rd1];", "the width"),
        ("ld.global.u64 %r1, [%rd1];", r"a register of type \.b32 as \.u64"),
        ("st.param.u32 [a], %r1;", "a store of this form"),
        ("st.global.nc.u32 [%rd1], %r1;", "the modifiers"),
        ("ld.global.u32 %r1, [%f1];", "the register of the address"),
        ("shfl.bfly.b32 %r1, %r2, 1, 31;", "the instruction shfl"),
        ("bar.sync 1;", "this form of control flow"),
        ("@%p1 bar.sync 0;", "this form of control flow"),
        ("bar.red.popc.u32 %r1, 0, %p1;", "this form of control flow"),
        ("atom.global.add.u32 %r1, [%rd1], %r2;", "the instruction atom"),
        ("membar.gl;", "the instruction membar|the number of operands"),
        ("call helper;", "the operand helper|the instruction call"),
        ("mov.b64 {%r1, %r2, %r3}, %rd1;", "the operands"),
        ("cvta.to.shared.u64 %rd1, %rd2;", "the instruction cvta"),
    ],
)
def test_unknown_instructions_are_refused_before_anything_runs(line: str, why: str) -> None:
    with pytest.raises(PtxUnsupported, match=why) as caught:
        compile_entry(parse(entry_with(line)).entries["k"])
    assert caught.value.line == 7
    assert caught.value.exit_code == 1


def test_what_the_hardware_may_round_differently_is_told() -> None:
    text = (
        "mul.f32 %f1, %f2, %f3; add.rn.f32 %f1, %f2, %f3; sub.f32 %f1, %f2, %f3; neg.f32 %f1, %f2;"
    )
    entry = parse(entry_with(text)).entries["k"]
    assert [i.name for i in entry.contractible()] == ["mul.f32", "sub.f32"]


def test_two_entries_share_a_module_variable() -> None:
    ptx = (
        HEAD
        + ".shared .align 4 .b8 both[8];\n"
        + ".entry one() { .reg .b32 %r<2>; mov.u32 %r1, 5; st.shared.u32 [both+4], %r1; ret; }\n"
        + ".visible .entry two() { ret; }\n"
    )
    module = parse(ptx)
    assert sorted(module.entries) == ["one", "two"]
    for entry in module.entries.values():
        assert launch(entry, grid=1, block=1, args=(), memory=Memory()).loads == {}
