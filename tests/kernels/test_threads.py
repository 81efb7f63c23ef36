"""NumPy modules in blocks and in threads: the same bits, errors that arrive, and no thread left."""

import os
import subprocess
import sys
import threading
from collections import deque

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import CHUNK

N = 3 * CHUNK + 5


def fresh(rule, *, block=None, threads=1, share=1):
    """Return the rule's module anew, its blocks and threads chosen."""
    spec, kernel, _ = rule
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    module = load_module(spec.identifier, text)
    module._threads = lambda: threads
    module._SHARE = share
    if block:
        module._BLOCK = module._WIDE = block
        module._CHUNK = block if block % CHUNK else CHUNK
    return module


def bits(module, n, dtype, steps=2):
    rng = np.random.default_rng(n)
    param = rng.standard_normal(n).astype(dtype)
    state = module.init(param)
    for _ in range(steps):
        module.step(param, rng.standard_normal(n).astype(dtype), state)
    return param.tobytes(), {name: value.tobytes() for name, value in state.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_depend_on_neither_blocks_nor_threads(rule, dtype):
    wanted = bits(rule[2], N, dtype)
    sums = bool(rule[1].reductions)
    blocks = [CHUNK, 2 * CHUNK] if sums else [1000, CHUNK - 1, CHUNK, 2 * CHUNK]
    for block in blocks:
        for threads in (1, 2, 3, 7):
            module = fresh(rule, block=block, threads=threads)
            assert bits(module, N, dtype) == wanted, f"blocks of {block}, {threads} threads"


def test_tiny_blocks(rule):
    if rule[1].reductions:
        pytest.skip("blocks of a rule that sums are whole chunks")
    wanted = bits(rule[2], 20, np.float32)
    for block in (1, 3, 7):
        for threads in (1, 2, 7):
            assert bits(fresh(rule, block=block, threads=threads), 20, np.float32) == wanted


def test_several_threads_take_part(module_of):
    """Each of two blocks waits for the other: one thread alone would wait for ever."""
    module = module_of("adamw")
    meeting, seen = threading.Barrier(2, timeout=30), []

    def stage(block, work):
        meeting.wait()
        seen.append((threading.get_ident(), id(work)))
        return block.start

    kept = module._threads, module._SHARE
    module._threads, module._SHARE = (lambda: 2), CHUNK
    try:
        assert module._each(stage, 2 * module._BLOCK, np.float32) == [0, module._BLOCK]
    finally:
        module._threads, module._SHARE = kept
    assert len({thread for thread, _ in seen}) == 2
    assert len({work for _, work in seen}) == 2, "two threads share a workspace"


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("where", [0, 1, 3])
def test_what_a_part_raises_is_raised(module_of, threads, where):
    module = module_of("adamw")

    def stage(block, work):
        if block.start == where * CHUNK:
            raise MemoryError(f"block {where}")
        return block.start

    kept = module._threads, module._SHARE, module._BLOCK, module._WIDE
    module._threads, module._SHARE, module._BLOCK, module._WIDE = (lambda: threads), 1, CHUNK, CHUNK
    try:
        for _ in range(5):
            with pytest.raises(MemoryError, match=f"block {where}"):
                module._each(stage, 4 * CHUNK, np.float32)
    finally:
        module._threads, module._SHARE, module._BLOCK, module._WIDE = kept


def test_without_a_thread_to_be_had_one_does_all(rule, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert bits(fresh(rule, block=CHUNK, threads=4), N, np.float32) == bits(rule[2], N, np.float32)


def test_a_late_thread_does_nothing(module_of):
    module = module_of("adamw")
    queue = module.SimpleQueue()
    module._WORKERS.clear()
    kept, module._workers = module._workers, lambda count: queue
    try:
        called = []
        module._together(lambda: called.append(1), 3, deque())
    finally:
        module._workers = kept
    assert called == [1]
    for _ in range(2):
        _, places, ended = queue.get_nowait()
        assert not places
        assert ended.empty()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("3", 3), (" 5 ", 5), ("2,4", 2), ("0", None), ("-1", None), ("many", None), ("", None),
     ("9" * 5000, None), ("٣", 3)],
)  # fmt: skip
def test_number_of_threads(module_of, monkeypatch, given, wanted):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert module_of("sgd")._threads() == (wanted or own)


def test_small_tensors_start_no_thread(module_of):
    module = module_of("adamw")
    module._WORKERS.clear()
    bits(module, 2 * module._SHARE - 1, np.float32)
    assert module._WORKERS == {}


ALONE = """
import os, sys, threading
import numpy as np
sys.path.insert(0, {folder!r})
import {name} as module
module._SHARE = 1 << 14
module._threads = lambda: 3
def run():
    param = np.linspace(-1, 1, 200001, dtype=np.float32)
    state = module.init(param)
    for step in range(3):
        module.step(param, param[::-1].copy(), state)
    return param.tobytes()
wanted = run()
assert threading.active_count() == 3, threading.active_count()
{then}
print("done")
"""


def alone(rule, tmp_path, then):
    spec, kernel, _ = rule
    file = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0]
    (tmp_path / f"{spec.identifier}.py").write_text(file.text)
    text = ALONE.format(folder=str(tmp_path), name=spec.identifier, then=then)
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "done\n"


def test_threads_do_not_keep_a_program_from_ending(rule, tmp_path):
    if rule[0].name not in ("adamw", "lamb"):
        pytest.skip("the same for all rules; two are looked at")
    alone(rule, tmp_path, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_starts_threads_of_its_own(rule, tmp_path):
    if rule[0].name != "lamb":
        pytest.skip("the same for all rules; one is looked at")
    then = """
child = os.fork()
if not child:
    right = run() == wanted and threading.active_count() == 3
    os._exit(0 if right else 1)
assert os.waitpid(child, 0)[1] == 0
assert run() == wanted
"""
    alone(rule, tmp_path, then)


def test_steps_at_the_same_time(module_of):
    """Four callers of one module, each of which uses threads: nobody touches another's work."""
    module = module_of("lamb")
    wanted = bits(module, N, np.float32)
    kept = module._threads, module._SHARE
    module._threads, module._SHARE = (lambda: 3), 1
    found = []
    callers = [threading.Thread(target=lambda: found.append(bits(module, N, np.float32)))
               for _ in range(4)]  # fmt: skip
    try:
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)
    finally:
        module._threads, module._SHARE = kept
    assert found == [wanted] * 4
