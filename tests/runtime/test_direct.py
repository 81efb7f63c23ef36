"""The short way into compiled C: taken only where everything is as it was, and then right."""

import ctypes
import inspect
import threading
from copy import deepcopy

import numpy as np
import pytest

from optgen.runtime import c_kernel, direct
from optgen.runtime.c_library import CLibrary


def hyperparameters(kernel):
    """Return the defaults of all hyperparameters, in order."""
    given = inspect.signature(kernel.step).parameters.values()
    found = {p.name: p.default for p in given if p.kind is p.KEYWORD_ONLY}
    assert found.pop("found_inf") is False
    assert found
    return found


STEPPED = ("adamw", "nadam", "lamb", "sgd", "rmsprop_centered")


def bits(value):
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value]


@pytest.fixture(autouse=True)
def _has_a_short_way(compiler):
    found = direct.direct()
    if isinstance(found, direct.NoDirect):
        pytest.skip(found.reason)


@pytest.fixture
def checks(monkeypatch):
    """Counts how often kernels made with `watched` check their arrays in Python."""
    counted = []

    def watched(kernel):
        inner = kernel._check

        def check(*given):
            counted.append(1)
            return inner(*given)

        monkeypatch.setattr(kernel, "_check", check)
        return counted

    return watched


def made(kernel, sizes, dtype=np.float32, seed=3):
    rng = np.random.default_rng(seed)
    params = [rng.standard_normal(n).astype(dtype) for n in sizes]
    return params, [kernel.init(p) for p in params], rng


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STEPPED)
def test_the_bits_of_the_module_over_many_steps(name, dtype, both, checks):
    module, kernel = both(name)
    sizes = (0, 1, 5, 1023, 1024, 20000)
    params, states, rng = made(kernel, sizes, dtype)
    wanted, wanted_states = deepcopy(params), deepcopy(states)
    counted = checks(kernel)
    before = len(counted)
    for step in range(20):
        given = [rng.standard_normal(n).astype(dtype) for n in sizes]
        kernel.step(params, given, states, lr=0.1 / (1 + step))
        module.step(wanted, given, wanted_states, lr=0.1 / (1 + step))
    assert bits(params) == bits(wanted)
    assert bits(states) == bits(wanted_states)
    assert len(counted) == before + 1


@pytest.mark.parametrize("step", [0, 1, 999, 2**31, 2**53 - 2, 2**53 - 1, 2**53 + 1])
@pytest.mark.parametrize("name", ["adamw", "nadam"])
def test_counters_of_any_size(name, step, both):
    module, kernel = both(name)
    params, states, _ = made(kernel, (3, 4))
    given = [np.ones(3, np.float32), np.ones(4, np.float32)]
    kernel.step(params, given, states)
    states[1]["step"][...] = step
    wanted = deepcopy((params, given, states))
    kernel.step(params, given, states)
    module.step(*wanted)
    assert bits(params) == bits(wanted[0])
    assert bits(states) == bits(wanted[2])


def test_a_negative_counter_is_refused_in_the_words_of_the_module(both):
    _, kernel = both("adamw")
    params, states, _ = made(kernel, (3,))
    given = [np.ones(3, np.float32)]
    kernel.step(params, given, states)
    states[0]["step"][...] = -1
    before = bits(params)
    with pytest.raises(ValueError, match="it counts the steps done"):
        kernel.step(params, given, states)
    assert bits(params) == before


@pytest.mark.parametrize("name", ["adamw", "nadam"])
def test_every_hyperparameter_outside_its_domain_changes_nothing(name, both):
    _, kernel = both(name)
    params, states, _ = made(kernel, (3, 3))
    given = [np.ones(3, np.float32), np.ones(3, np.float32)]
    kernel.step(params, given, states)
    before = bits(params), bits(states)
    for chosen in hyperparameters(kernel):
        for value in (-1.0, np.nan, np.inf, -np.inf):
            with pytest.raises(ValueError, match=f"{chosen} = "):
                kernel.step(params, given, states, **{chosen: value})
        with pytest.raises(TypeError, match=f"{chosen} must be a number"):
            kernel.step(params, given, states, **{chosen: "small"})
    assert (bits(params), bits(states)) == before


@pytest.mark.parametrize("value", [1, True, np.float32(0.5), np.float64(0.25), np.array(0.125)])
def test_every_kind_of_number_is_the_number_it_is(value, both):
    module, kernel = both("sgd")
    params, states, _ = made(kernel, (5,))
    given = [np.ones(5, np.float32)]
    kernel.step(params, given, states)
    wanted = deepcopy((params, given, states))
    kernel.step(params, given, states, lr=value)
    module.step(*wanted, lr=value)
    assert bits(params) == bits(wanted[0])


def test_two_groups_of_parameters_take_turns(both, checks):
    module, kernel = both("adamw")
    groups = [made(kernel, sizes, seed=len(sizes)) for sizes in ((3, 4), (5,), (6, 7, 8))]
    wanted = [deepcopy(group[:2]) for group in groups]
    counted = checks(kernel)
    before = len(counted)
    for _ in range(4):
        for (params, states, rng), (left, left_states) in zip(groups, wanted, strict=True):
            given = [rng.standard_normal(p.size).astype(np.float32) for p in params]
            kernel.step(params, given, states)
            module.step(left, given, left_states)
    assert bits([g[0] for g in groups]) == bits([w[0] for w in wanted])
    assert len(counted) == before + len(groups)


def test_no_more_plans_than_allowed(both, monkeypatch):
    _, kernel = both("sgd")
    monkeypatch.setattr(c_kernel, "PLANS", 3)
    kept = [made(kernel, (4,)) for _ in range(8)]
    for _ in range(2):
        for params, states, _ in kept:
            kernel.step(params, [np.ones(4, np.float32)], states)
    assert len(kernel._plans) <= 3
    assert [int(states[0]["step"]) for _, states, _ in kept] == [2] * 8


def test_one_array_is_not_a_list_of_one(both):
    module, kernel = both("momentum")
    params, states, _ = made(kernel, (4,))
    wanted, wanted_states = deepcopy(params), deepcopy(states)
    given = np.ones(4, np.float32)
    for _ in range(2):
        kernel.step(params[0], given, states[0])
        kernel.step(params, [given], states)
        kernel.step(tuple(params), (given,), (states[0],))
    for _ in range(6):
        module.step(wanted, [given], wanted_states)
    assert bits(params) == bits(wanted)
    assert bits(states) == bits(wanted_states)


class Odd(dict):
    """A dict whose values are looked up in a way of its own."""

    def __getitem__(self, key):
        return super().__getitem__(key)


def test_states_that_are_no_plain_dicts_are_looked_at_by_python(both, checks):
    _, kernel = both("momentum")
    params, states, _ = made(kernel, (4,))
    states = [Odd(states[0])]
    counted = checks(kernel)
    before = len(counted)
    for _ in range(3):
        kernel.step(params, [np.ones(4, np.float32)], states)
    assert len(counted) == before + 3
    assert states[0]["step"] == 3


@pytest.mark.parametrize("how", ["unaligned", "subclass", "negative stride", "other byte order"])
def test_strange_gradients_are_left_to_python(how, both):
    module, kernel = both("momentum")
    params, states, _ = made(kernel, (6,))
    wanted, wanted_states = deepcopy(params), deepcopy(states)
    plain = np.arange(6, dtype=np.float32)
    kernel.step(params, [plain], states)
    module.step(wanted, [plain], wanted_states)
    if how == "unaligned":
        memory = np.zeros(25, np.uint8)
        strange = memory[1:].view(np.float32)
        strange[...] = plain
    elif how == "subclass":
        strange = plain.view(type("Sub", (np.ndarray,), {}))
    elif how == "negative stride":
        strange = plain[::-1]
    else:
        strange = plain.astype(plain.dtype.newbyteorder())
    said = []
    for target, arrays in ((kernel, (params, states)), (module, (wanted, wanted_states))):
        try:
            target.step(arrays[0], [strange], arrays[1])
            said.append("")
        except (TypeError, ValueError) as error:
            said.append(str(error))
    assert said[0] == said[1]
    assert bits(params) == bits(wanted)
    assert bits(states) == bits(wanted_states)


def test_a_list_that_grew_or_shrank(both):
    _, kernel = both("sgd")
    params, states, _ = made(kernel, (4, 5))
    given = [np.ones(4, np.float32), np.ones(5, np.float32)]
    kernel.step(params, given, states)
    for wrong in (given[:1], [*given, given[0]]):
        with pytest.raises(TypeError, match="lists of one length"):
            kernel.step(params, wrong, states)
    kernel.step(params[:1], given[:1], states[:1])
    assert [int(s["step"]) for s in states] == [2, 1]


def test_a_state_that_changes_hands(both):
    """Two tensors of one shape exchange their states: known arrays in unknown places."""
    module, kernel = both("momentum")
    params, states, rng = made(kernel, (4, 4))
    given = [rng.standard_normal(4).astype(np.float32) for _ in range(2)]
    kernel.step(params, given, states)
    states.reverse()
    wanted = deepcopy((params, given, states))
    kernel.step(params, given, states)
    module.step(*wanted)
    assert bits(params) == bits(wanted[0])
    assert bits(states) == bits(wanted[2])


def test_threads_that_share_a_kernel(both):
    """Large tensors run without Python's lock; each thread has arrays of its own."""
    module, kernel = both("adamw")
    work = [made(kernel, (40000, 3), seed=i) for i in range(4)]
    wanted = [deepcopy(item[:2]) for item in work]
    given = [np.full(40000, 0.5, np.float32), np.full(3, 0.5, np.float32)]

    def go(params, states):
        for _ in range(12):
            kernel.step(params, given, states)

    threads = [threading.Thread(target=go, args=item[:2]) for item in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (params, states, _), (left, left_states) in zip(work, wanted, strict=True):
        for _ in range(12):
            module.step(left, given, left_states)
        assert bits(params) == bits(left)
        assert bits(states) == bits(left_states)


def test_a_gradient_list_that_is_emptied_meanwhile(both):
    """The arrays of a running call are held."""
    _, kernel = both("momentum")
    params, states, _ = made(kernel, (3_000_000,))
    given = [np.ones(3_000_000, np.float32)]
    kernel.step(params, given, states)
    stop = threading.Event()

    def empty():
        while not stop.is_set():
            if given:
                given.pop()

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        for _ in range(20):
            given.append(np.ones(3_000_000, np.float32))
            try:
                kernel.step(params, given, states)
            except (TypeError, IndexError):
                continue
    finally:
        stop.set()
        thread.join()
    assert np.isfinite(params[0]).all()


def test_without_the_short_way_everything_is_checked_and_right(both, texts, monkeypatch, tmp_path):
    from optgen.runtime.compiler import find_compiler
    from optgen.runtime.libraries import compiled_library

    monkeypatch.setattr(c_kernel, "direct", lambda: direct.NoDirect("switched off"))
    module_text, source = texts("adamw")
    file = tmp_path / "adamw.py"
    file.write_text(module_text, encoding="utf-8")
    library = CLibrary(compiled_library(find_compiler(), source, "adamw.c"), "adamw")
    kernel = c_kernel.CKernel("adamw", library, file)
    module, _ = both("adamw")
    params, states, _ = made(kernel, (4, 5))
    wanted, wanted_states = deepcopy(params), deepcopy(states)
    given = [np.ones(4, np.float32), np.ones(5, np.float32)]
    for _ in range(3):
        kernel.step(params, given, states)
        module.step(wanted, given, wanted_states)
    assert bits(params) == bits(wanted)
    assert not kernel._plans


def test_another_layout_of_arrays_is_noticed(monkeypatch):
    monkeypatch.setattr(direct, "_FLAGS", direct._FLAGS + 4)
    assert "flags" in direct._strange_layout()
    monkeypatch.undo()
    monkeypatch.setattr(direct, "_DATA", 40)
    assert "data" in direct._strange_layout()


def test_another_layout_of_lists_is_noticed(monkeypatch):
    monkeypatch.setattr(direct, "_SIZE", direct._SIZE + 16)
    assert "items of a" in direct._strange_layout()


@pytest.mark.parametrize("several", [list, tuple])
def test_states_in_any_order_and_with_more_in_them_than_is_stepped(several, both, checks):
    module, kernel = both("adamw")
    params, states, _ = made(kernel, (3, 5, 2))
    states[0] = dict(reversed(states[0].items()))
    states[1] = {"note": "mine", **states[1]}
    states[2] = {"exp_avg": states[2]["exp_avg"], "note": 1, 7: 7, **states[2]}
    params, given = several(params), several(np.ones(n, np.float32) for n in (3, 5, 2))
    states = several(states)
    wanted, wanted_states = deepcopy((params, states))
    counted = checks(kernel)
    before = len(counted)
    for _ in range(3):
        kernel.step(params, given, states)
        module.step(wanted, given, wanted_states)
    assert bits(params) == bits(wanted)
    assert [bits(s["exp_avg_sq"]) for s in states] == [bits(s["exp_avg_sq"]) for s in wanted_states]
    assert len(counted) == before + 1


def test_a_key_that_empties_the_lists_while_it_is_compared(both):
    """A key with the hash of a name is asked whether it is that name, and may do anything."""
    _, kernel = both("adamw")
    params, states, _ = made(kernel, (3, 4, 5))
    given = [np.ones(p.size, np.float32) for p in params]
    kernel.step(params, given, states)

    class Emptying:
        armed = False

        def __hash__(self):
            return hash("exp_avg")

        def __eq__(self, other):
            if self.armed:
                params.clear()
            return self is other

    key = Emptying()
    first = states[0]
    rest = dict(first)
    first.clear()
    first[key] = 0
    first.update(rest)
    before = bits(list(rest.values()))
    held = list(params)
    key.armed = True
    with pytest.raises((TypeError, ValueError)):
        kernel.step(params, given, states)
    assert not params
    assert bits(list(rest.values())) == before
    assert len(held) == 3


def test_the_struct_has_the_fields_of_the_c_file():
    """Both sides list them; each is as wide as a pointer."""
    import re

    text = direct.SOURCE.read_text(encoding="utf-8")
    body = re.sub(r"/\*.*?\*/", "", text[text.index("struct plan {") : text.index("enum {")])
    found = []
    for line in body.splitlines()[1:]:
        for item in line.rstrip(";").split(";"):
            if "(*" in item:
                found.append(re.search(r"\(\*(\w+)\)", item)[1])
            else:
                found += [
                    name[1] for part in item.split(",") if (name := re.search(r"(\w+)\s*$", part))
                ]
    assert tuple(found) == direct._FIELDS
    assert ctypes.sizeof(ctypes.c_void_p) == 8


def test_the_host_function_names_what_it_refuses(both):
    _, kernel = both("adamw")
    library = kernel._library
    names = hyperparameters(kernel)
    values = np.array([*names.values()], np.float64)
    args = np.full(20, 7.0, np.float32)
    nothing = np.zeros(1)
    for at in range(len(names)):
        wrong = values.copy()
        wrong[at] = np.nan
        assert library.host("float32", wrong, 1, 4, nothing, args) == at + 1
    assert (args == 7).all()
    assert library.host("float32", values, 1, 4, nothing, args) == 0
    assert (args[:10] != 7).all()
