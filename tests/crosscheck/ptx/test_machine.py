"""Divergence, loops, barriers, shuffles, address spaces and arguments, in hand-written PTX."""

from __future__ import annotations

import numpy as np
import pytest

from optgen.crosscheck.ptx import (
    BarrierDivergence,
    DataRace,
    Endless,
    LaunchError,
    Memory,
    OutOfBounds,
    ReadOnlyStore,
    ShuffleDivergence,
    Stats,
    UninitialisedRead,
    launch,
    parse,
)

HEAD = """.version 8.0
.target sm_90
.address_size 64
.visible .entry k(.param .u64 out, .param .u32 n)
{
    .reg .pred %p<8>; .reg .b16 %h<4>; .reg .b32 %r<16>; .reg .b64 %rd<8>; .reg .f32 %f<4>;
    .shared .align 8 .b8 pad[8];
    .shared .align 8 .b8 sh[256];
    .local .align 4 .b8 stack[16];
    ld.param.u64 %rd1, [out];
    ld.param.u32 %r2, [n];
    mov.u32 %r0, %tid.x;
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mad.lo.u32 %r1, %r3, %r4, %r0;
    mul.wide.u32 %rd2, %r1, 4;
    add.u64 %rd2, %rd1, %rd2;
"""
TAIL = "\n    st.global.u32 [%rd2], %r5;\n    ret;\n}\n"


def run(
    body: str, grid: int = 2, block: int = 64, n: int = 10, tail: str = TAIL
) -> tuple[np.ndarray, Stats]:
    memory = Memory()
    out = memory.alloc(np.zeros(grid * block, np.uint32), "out")
    entry = parse(HEAD + body + tail).entries["k"]
    stats = launch(entry, grid=grid, block=block, args=(out, n), memory=memory)
    return out.read(), stats


def test_a_loop_of_different_length_in_every_thread() -> None:
    body = """
    mov.u32 %r5, 0; mov.u32 %r6, 0;
    setp.ge.u32 %p1, %r6, %r0;
    @%p1 bra $done;
$loop:
    add.u32 %r5, %r5, %r6;
    add.u32 %r6, %r6, 1;
    setp.lt.u32 %p1, %r6, %r0;
    @%p1 bra $loop;
$done:
    add.u32 %r5, %r5, 1000;
"""
    tid = np.arange(128) % 64
    got, stats = run(body)
    assert (got == tid * (tid - 1) // 2 + 1000).all()
    assert stats.stores["out"].requests == 4  # the threads have met again: one per warp


def test_if_else_and_guards() -> None:
    body = """
    mov.u32 %r5, 7;
    and.b32 %r6, %r0, 1;
    setp.eq.u32 %p1|%p2, %r6, 1;
    @%p1 bra $odd;
    add.u32 %r5, %r5, 10;
    bra.uni $join;
$odd:
    add.u32 %r5, %r5, 20;
$join:
    @%p2 add.u32 %r5, %r5, %r0;
    @!%p2 add.u32 %r5, %r5, 100;
    setp.gt.u32 %p3, %r0, 9999;
    @%p3 add.u32 %r5, %r5, 5000;
"""
    tid = np.arange(128) % 64
    assert (run(body)[0] == np.where(tid % 2 == 1, 127, 17 + tid)).all()


def test_threads_may_leave_early_one_by_one() -> None:
    body = """
    mov.u32 %r5, 3;
    setp.ge.u32 %p1, %r0, %r2;
    @%p1 ret;
    setp.eq.u32 %p2, %r0, 2;
    @%p2 exit;
"""
    got, _ = run(body, n=5)
    want = np.zeros((2, 64))
    want[:, [0, 1, 3, 4]] = 3
    assert (got.reshape(2, 64) == want).all()


def test_copies_do_not_share_memory() -> None:
    """A guarded write changes one register, not the one it was copied from."""
    body = """
    mov.u32 %r6, %tid.x; mov.u32 %r7, %r6;
    setp.lt.u32 %p1, %r0, 3;
    @%p1 mov.u32 %r6, 50;
    mov.u32 %r8, %r6;
    @%p1 mov.u32 %r6, 60;
    mad.lo.u32 %r5, %r7, 1000, %r8;
"""
    tid = np.arange(128) % 64
    assert (run(body)[0] == tid * 1000 + np.where(tid < 3, 50, tid)).all()


def shuffled(mode: str, b: str, c: str, block: int = 64) -> tuple[np.ndarray, np.ndarray]:
    body = f"""
    shfl.sync.{mode}.b32 %r6|%p1, %r1, {b}, {c}, -1;
    selp.u32 %r7, 1, 0, %p1;
    mad.lo.u32 %r5, %r7, 100000, %r6;
"""
    got, _ = run(body, block=block)
    return got % 100000, got >= 100000


@pytest.mark.parametrize("segment", [32, 8])
@pytest.mark.parametrize("mode", ["bfly", "down", "up", "idx"])
@pytest.mark.parametrize("distance", [0, 1, 3, 17, 31])
def test_shuffles(mode: str, distance: int, segment: int) -> None:
    """As `__shfl_*_sync(mask, x, distance, width=segment)` encodes them."""
    control = (32 - segment) << 8 | (0 if mode == "up" else 31)
    got, inside = shuffled(mode, str(distance), str(control))
    for i in range(128):
        lane = i % 32
        first = lane - lane % segment
        source = {
            "bfly": lane ^ distance,
            "down": lane + distance,
            "up": lane - distance,
            "idx": first + distance % segment,
        }[mode]
        last = first if mode == "up" else first + segment - 1
        ok = source >= last if mode == "up" else source <= last
        assert inside[i] == ok
        assert got[i] == i - lane + (source if ok else lane)


def test_a_shuffle_that_not_all_members_reach() -> None:
    half = "setp.lt.u32 %p1, %r0, 16; @!%p1 bra $on; shfl.sync.bfly.b32 %r5, %r1, 1, 31, {}; $on:"
    with pytest.raises(ShuffleDivergence, match=r"thread 0 of block 0"):
        run("mov.u32 %r5, 1;" + half.format(-1))
    got, _ = run("mov.u32 %r5, 1;" + half.format(0xFFFF), grid=1, block=32)
    assert (got[:16] == np.arange(16) ^ 1).all()
    with pytest.raises(ShuffleDivergence):  # the lane it reads is not there
        run("mov.u32 %r5, 1;" + half.format(0xFFFF).replace("%r1, 1,", "%r1, 16,"))
    with pytest.raises(ShuffleDivergence):  # lanes that do not exist are no source
        run("shfl.sync.bfly.b32 %r5, %r1, 16, 31, -1;", block=40)


def test_shared_memory_belongs_to_a_block_and_local_to_a_thread() -> None:
    body = """
    shl.b32 %r6, %r0, 2; mov.u32 %r7, sh; add.u32 %r7, %r7, %r6;
    st.shared.u32 [%r7], %r1;
    mov.u64 %rd3, stack;
    st.local.u32 [%rd3+8], %r1;
    bar.sync 0;
    xor.b32 %r6, %r6, 252; mov.u32 %r7, sh; add.u32 %r7, %r7, %r6;
    ld.shared.u32 %r5, [%r7];
    ld.local.u32 %r8, [%rd3+8];
    mad.lo.u32 %r5, %r8, 1000, %r5;
"""
    i = np.arange(128)
    got, stats = run(body)
    assert (got == i * 1000 + (i ^ 63)).all()
    assert stats.barriers == 2
    assert "sh" not in stats.loads


def test_local_memory_starts_undefined() -> None:
    with pytest.raises(UninitialisedRead, match=r"thread 0 of block 0 accesses stack\[8\]"):
        run("mov.u64 %rd3, stack; ld.local.u32 %r5, [%rd3+8];")


def test_a_register_that_was_never_written() -> None:
    with pytest.raises(UninitialisedRead, match="a register is read"):
        run("add.u32 %r5, %r5, 1;")


def test_a_barrier_in_a_loop_orders_each_round() -> None:
    body = """
    shl.b32 %r6, %r0, 2; mov.u32 %r7, sh; add.u32 %r6, %r7, %r6;
    st.shared.u32 [%r6], %r0;
    mov.u32 %r8, 32;
$loop:
    bar.sync 0;
    setp.ge.u32 %p1, %r0, %r8;
    @%p1 bra $skip;
    shl.b32 %r9, %r8, 2; add.u32 %r9, %r6, %r9;
    ld.shared.u32 %r10, [%r9]; ld.shared.u32 %r11, [%r6];
    add.u32 %r10, %r10, %r11; st.shared.u32 [%r6], %r10;
$skip:
    shr.u32 %r8, %r8, 1;
    setp.gt.u32 %p2, %r8, 0;
    @%p2 bra $loop;
    barrier.sync 0;
    ld.shared.u32 %r5, [sh];
"""
    got, stats = run(body)
    assert (got == 63 * 32).all()
    assert stats.barriers == 2 * 7
    with pytest.raises(DataRace, match="sh"):
        run(body.replace("$loop:\n    bar.sync 0;", "bar.sync 0;\n$loop:"))


def test_different_barriers_do_not_meet() -> None:
    body = """
    mov.u32 %r5, 0;
    setp.lt.u32 %p1, %r0, 32;
    @%p1 bra $other;
    bar.sync 0;
    bra $end;
$other:
    bar.sync 0;
$end:
"""
    with pytest.raises(BarrierDivergence, match="32 of 64 threads of block 0"):
        run(body)


def test_blocks_may_wait_at_different_barriers() -> None:
    body = """
    mov.u32 %r5, 1;
    setp.eq.u32 %p1, %r3, 0;
    @%p1 bra $other;
    bar.sync 0; bar.sync 0;
    mov.u32 %r5, 2;
    bra $end;
$other:
    bar.sync 0;
$end:
"""
    got, stats = run(body)
    assert (got.reshape(2, 64) == [[1], [2]]).all()
    assert stats.barriers == 3


def test_a_shared_scalar_that_is_reused_without_a_barrier() -> None:
    body = """
    setp.eq.u32 %p1, %r0, 5;
    @%p1 st.shared.u32 [sh], %r1;
    bar.sync 0;
    ld.shared.u32 %r5, [sh];
    {}
    @%p1 st.shared.u32 [sh], %r5;
"""
    run(body.format("bar.sync 0;"))
    message = r"thread 5 of block 0 writes sh\[0\], which several threads of block 0 read"
    with pytest.raises(DataRace, match=message):
        run(body.format(""))


def test_narrow_accesses_share_no_word() -> None:
    body = """
    add.u64 %rd3, %rd1, 0;
    cvt.u64.u32 %rd4, %r1; add.u64 %rd3, %rd3, %rd4;
    cvt.u16.u32 %h1, %r1;
    st.global.u8 [%rd3], %h1;
    mov.u32 %r5, 0;
"""
    got, _ = run(body, tail="\n ret;\n}\n")
    assert (got.view(np.uint8)[:128] == np.arange(128)).all()
    with pytest.raises(DataRace, match=r"out\[0\]"):  # then the words are written as a whole
        run(body)


def test_two_threads_write_one_word_in_one_instruction() -> None:
    body = (
        "shr.u32 %r6, %r1, 1; mul.wide.u32 %rd3, %r6, 4; add.u64 %rd2, %rd1, %rd3; mov.u32 %r5, 1;"
    )
    with pytest.raises(DataRace, match=r"thread 0 of block 0 writes out\[0\], which thread 1 of"):
        run(body)


def test_races_are_found_between_batches() -> None:
    """20000 blocks of 2 threads do not run together, yet they share the history of a buffer."""
    body = "setp.lt.u32 %p1, %r3, 19999; @%p1 bra $on; add.u64 %rd2, %rd1, 0; $on: mov.u32 %r5, 1;"
    with pytest.raises(DataRace, match=r"block 19999 writes out\[0\], which thread 0 of block 0"):
        run(body, grid=20000, block=2)


def test_one_instruction_may_reach_several_buffers() -> None:
    body = """
    setp.lt.u32 %p1, %r0, 4;
    ld.param.u64 %rd3, [second];
    selp.b64 %rd4, %rd3, %rd2, %p1;
    mul.wide.u32 %rd5, %r0, 4; add.u64 %rd5, %rd5, %rd3;
    selp.b64 %rd4, %rd5, %rd2, %p1;
    ld.global.u32 %r5, [%rd4];
    add.u32 %r5, %r5, 1;
    st.global.u32 [%rd4], %r5;
    ret;
}
"""
    head = HEAD.replace(".param .u32 n)", ".param .u32 n, .param .u64 second)")
    memory = Memory()
    out = memory.alloc(np.arange(32, dtype=np.uint32), "out")
    second = memory.alloc(np.arange(100, 104, dtype=np.uint32), "second", misalign=4)
    stats = launch(
        parse(head + body).entries["k"], grid=1, block=32, args=(out, 0, second), memory=memory
    )
    assert (second.read() == np.arange(101, 105)).all()
    assert (out.read() == np.where(np.arange(32) < 4, np.arange(32), np.arange(1, 33))).all()
    assert stats.bytes_loaded == {"out": 112, "second": 16}


def test_a_uniform_load_counts_every_thread_but_one_sector_per_warp() -> None:
    _, stats = run("ld.global.u32 %r5, [%rd1];", tail="\n ret;\n}\n")
    assert (stats.loads["out"].bytes, stats.loads["out"].sectors) == (512, 4)
    assert stats.loads["out"].efficiency == 4.0
    assert stats.instructions == 128 * (8 + 2)


def test_strided_accesses_touch_more_sectors() -> None:
    body = "mul.wide.u32 %rd3, %r0, 32; add.u64 %rd3, %rd1, %rd3; ld.global.u32 %r5, [%rd3];"
    _, stats = run(body, grid=16, block=64, tail="\n ret;\n}\n")
    assert (stats.loads["out"].requests, stats.loads["out"].sectors) == (32, 1024)
    assert stats.loads["out"].efficiency == 1 / 8


def test_parameters_by_value() -> None:
    ptx = """.version 8.0
.target sm_90
.address_size 64
.entry k(.param .u64 out, .param .align 8 .b8 s[16], .param .f32 f, .param .s16 h, .param .b8 b)
{
    .reg .b16 %h<3>; .reg .b32 %r<8>; .reg .b64 %rd<6>; .reg .f32 %f<4>;
    ld.param.u64 %rd1, [out];
    mov.b64 %rd2, s;
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 4;
    add.u64 %rd4, %rd2, %rd3;
    ld.param.u32 %r2, [%rd4];
    ld.param.f32 %f1, [f];
    cvt.rni.s32.f32 %r3, %f1;
    ld.param.s16 %r4, [h];
    ld.param.u8 %r5, [b];
    add.u32 %r2, %r2, %r3; add.u32 %r2, %r2, %r4; add.u32 %r2, %r2, %r5;
    add.u64 %rd5, %rd1, %rd3;
    st.global.u32 [%rd5], %r2;
    ret;
}
"""
    entry = parse(ptx).entries["k"]
    memory = Memory()
    out = memory.alloc(np.zeros(4, np.int32), "out")
    struct = np.array([10, 20, 30, 40], np.int32).tobytes()
    launch(entry, grid=1, block=4, args=(out, struct, 7.0, -1000, np.uint8(200)), memory=memory)
    assert out.read().tolist() == [10 - 793, 20 - 793, 30 - 793, 40 - 793]
    with pytest.raises(OutOfBounds, match=r"bounds \(16 bytes\) in 's'.*s\[16\]"):
        launch(entry, grid=1, block=5, args=(out, struct, 7.0, 0, 0), memory=memory)


@pytest.mark.parametrize(
    ("grid", "block", "args", "words"),
    [
        (0, 32, None, "0 blocks of 32 threads"),
        (1, 0, None, "1 blocks of 0 threads"),
        (1, 2048, None, "at most 1024 threads"),
        (1, 32, (), "0 arguments for 2 parameters"),
        (1, 32, (b"1234", 3), r"does not fit parameter out: \.u64, 8 bytes"),
        (1, 32, (0, 1.5), r"1\.5 does not fit parameter n: \.u32, 4 bytes"),
        (1, 32, (0, np.int64(3)), r"does not fit parameter n"),
    ],
)
def test_wrong_launches(grid: int, block: int, args: tuple[object, ...] | None, words: str) -> None:
    memory = Memory()
    out = memory.alloc(np.zeros(32, np.uint32))
    entry = parse(HEAD + "mov.u32 %r5, 0;" + TAIL).entries["k"]
    with pytest.raises(LaunchError, match=words):
        launch(
            entry,
            grid=grid,
            block=block,
            args=args or (out, 3)[: 2 * (args is None)],
            memory=memory,
        )  # type: ignore[arg-type]


def test_null_and_wild_pointers() -> None:
    entry = parse(HEAD + "mov.u32 %r5, 0;" + TAIL).entries["k"]
    for pointer in (0, 1 << 40, -8):
        with pytest.raises(OutOfBounds, match=r"never allocated|bounds"):
            launch(entry, grid=1, block=32, args=(pointer, 3), memory=Memory())


def test_buffers() -> None:
    memory = Memory()
    a = memory.alloc(np.arange(6, dtype=np.float64).reshape(2, 3), misalign=8)
    assert a.name == "buffer0"
    assert a.address % 256 == 8
    assert a.read().shape == (2, 3)
    a.write(np.ones((2, 3)))
    assert (a.read() == 1).all()
    with pytest.raises(LaunchError, match="float32"):
        a.write(np.ones((2, 3), np.float32))
    with pytest.raises(LaunchError, match="name must be new"):
        memory.alloc(np.ones(3), "buffer0")
    assert memory.find(a.address) is a
    assert memory.buffers() == (a,)


def test_a_parameter_is_read_only_through_any_pointer() -> None:
    body = "mov.b64 %rd2, n; mov.u32 %r5, 0;"
    with pytest.raises(ReadOnlyStore, match="'n'"):
        run(body)


def test_dynamic_shared_memory() -> None:
    ptx = (
        HEAD.replace(".visible .entry", ".extern .shared .align 16 .b8 room[];\n.visible .entry")
        + """
    shl.b32 %r6, %r0, 2; mov.u32 %r7, room; add.u32 %r7, %r7, %r6;
    st.shared.u32 [%r7], %r1; ld.shared.u32 %r5, [%r7];
"""
        + TAIL
    )
    entry = parse(ptx).entries["k"]
    memory = Memory()
    out = memory.alloc(np.zeros(64, np.uint32))
    launch(entry, grid=1, block=64, args=(out, 1), memory=memory, dynamic_shared=256)
    assert (out.read() == np.arange(64)).all()
    with pytest.raises(OutOfBounds, match="'room'"):
        launch(entry, grid=1, block=64, args=(out, 1), memory=memory, dynamic_shared=252)


def test_an_endless_loop_ends() -> None:
    body = "mov.u32 %r5, 0;\n$again:\n add.u32 %r5, %r5, 1;\n bra.uni $again;\n"
    memory = Memory()
    out = memory.alloc(np.zeros(32, np.uint32))
    entry = parse(HEAD + body + TAIL).entries["k"]
    with pytest.raises(Endless, match=r"does not come to its end(.|\n)*bra\.uni \$again"):
        launch(entry, grid=1, block=32, args=(out, 1), memory=memory, patience=1000)


def test_registers_are_packed_and_unpacked() -> None:
    body = """
    add.u32 %r6, %r1, 7;
    mov.b64 %rd3, {%r1, %r6};
    mov.b64 {%r7, %r8}, %rd3;
    mov.b64 {_, %r9}, %rd3;
    mov.b32 {%h1, %h2}, %r6;
    mov.b32 %r10, {%h2, %h1};
    mov.b64 %rd4, {%h1, %h2, %h1, 5};
    shr.u64 %rd5, %rd4, 32;
    cvt.u32.u64 %r11, %rd5;
    sub.u32 %r12, %r8, %r7;
    add.u32 %r12, %r12, %r9;
    shr.u32 %r10, %r10, 16;
    add.u32 %r5, %r10, %r12;
    add.u32 %r5, %r5, %r11;
"""
    i = np.arange(128)
    assert (run(body)[0] == (i + 7) + 7 + (i + 7) + (i + 7 + (5 << 16))).all()


def test_both_predicates_and_constants_of_many_kinds() -> None:
    body = """
    setp.lt.u32 %p1|%p2, %r0, WARP_SZ;
    or.pred %p3, %p1, %p2;
    and.pred %p3, %p3, 1;
    mov.f32 %f1, 0f40A00000;
    cvt.rzi.u32.f32 %r6, %f1;
    selp.u32 %r5, %r6, 0x10, %p1;
    @%p3 add.u32 %r5, %r5, -1;
    mov.b32 %r7, 0f3F800000;
    shr.u32 %r7, %r7, 23;
    add.u32 %r5, %r5, %r7;
"""
    assert (run(body)[0] == np.where(np.arange(128) % 64 < 32, 5, 16) - 1 + 127).all()


def test_a_permuted_access_moves_the_right_words() -> None:
    """First and last thread in place, the others reversed: the span alone tells nothing."""
    body = """
    sub.u32 %r6, 63, %r0;
    setp.eq.u32 %p1, %r0, 0; @%p1 mov.u32 %r6, 0;
    setp.eq.u32 %p1, %r0, 63; @%p1 mov.u32 %r6, 63;
    mul.wide.u32 %rd3, %r6, 4; add.u64 %rd2, %rd1, %rd3;
    mov.u32 %r5, %r0;
"""
    got, stats = run(body, grid=1)
    assert got.tolist() == [0, *range(62, 0, -1), 63]
    # Thread 0 and thread 63 lie a sector apart from the rest of their warps.
    assert (stats.stores["out"].requests, stats.stores["out"].sectors) == (2, 10)


def test_a_sector_that_a_warp_comes_back_to_counts_once() -> None:
    body = """
    and.b32 %r6, %r0, 1; shl.b32 %r6, %r6, 5;
    shr.u32 %r7, %r0, 1; add.u32 %r6, %r6, %r7;
    mul.wide.u32 %rd3, %r6, 4; add.u64 %rd2, %rd1, %rd3;
    mov.u32 %r5, %r0;
"""
    got, stats = run(body, grid=1)
    assert (got == np.concatenate((np.arange(0, 64, 2), np.arange(1, 64, 2)))).all()
    assert (stats.stores["out"].requests, stats.stores["out"].sectors) == (2, 8)


def test_groups_that_meet_again_are_in_order() -> None:
    body = """
    mov.u32 %r5, 1;
    setp.eq.u32 %p1, %r0, 40; @%p1 ret;
    and.b32 %r6, %r0, 1; setp.eq.u32 %p2, %r6, 0;
    @%p2 bra $join;
    mov.u32 %r5, 2;
$join:
"""
    got, stats = run(body, grid=1)
    i = np.arange(64)
    assert (got == np.where(i == 40, 0, 1 + i % 2)).all()
    assert (stats.stores["out"].requests, stats.stores["out"].sectors) == (2, 8)


def test_a_shuffle_reads_no_lane_of_the_next_block() -> None:
    """Blocks of 40 threads: lane 16 of warp 1 does not exist, though the next block does."""
    body = """
    mov.u32 %r6, 0; setp.eq.u32 %p1, %r3, 0; @%p1 mov.u32 %r6, 16;
    shfl.sync.bfly.b32 %r5, %r1, %r6, 31, -1;
"""
    with pytest.raises(ShuffleDivergence, match="thread 32 of block 0"):
        run(body, block=40)
    alone = "setp.lt.u32 %p1, %r0, 16; @!%p1 ret; shfl.sync.bfly.b32 %r5, %r1, 16, 31, 0xFFFF;"
    with pytest.raises(ShuffleDivergence, match="thread 0 of block 0"):
        run(alone, grid=1, block=32)


def test_a_guarded_access_that_no_thread_makes() -> None:
    body = """
    mov.u32 %r5, 6; mov.u64 %rd3, 0;
    setp.gt.u32 %p1, %r0, 999;
    @%p1 ld.global.u32 %r5, [%rd3];
    @%p1 st.global.u32 [%rd3], %r5;
"""
    assert (run(body)[0] == 6).all()


def test_an_inner_scope_hides_nothing_afterwards() -> None:
    body = """
    mov.u32 %r6, 4;
    { .reg .b32 %r6; mov.u32 %r6, 9; }
    { add.u32 %r6, %r6, 1; }
    mov.u32 %r5, %r6;
"""
    assert (run(body)[0] == 5).all()


def test_an_aligned_access_within_a_misaligned_buffer() -> None:
    body = """
    mul.wide.u32 %rd3, %r0, 8; add.u64 %rd3, %rd1, %rd3;
    st.global.v2.u32 [%rd3+4], {%r0, %r1};
"""
    memory = Memory()
    out = memory.alloc(np.zeros(8, np.uint32), misalign=4)
    entry = parse(HEAD + body + "\n ret;\n}\n").entries["k"]
    launch(entry, grid=1, block=3, args=(out, 0), memory=memory)
    assert out.read().tolist() == [0, 0, 0, 1, 1, 2, 2, 0]
