"""NumPy modules run on traced values: every clean one is its IR, no broken one passes."""

from __future__ import annotations

import functools
import runpy
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.ir import CHUNK, DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.translation.kernel_terms import kernel_terms
from optgen.translation.numpy_kernels import compare_module, trace
from optgen.translation.numpy_memory import Memory, shifted
from optgen.translation.numpy_powers import powers_differ
from optgen.translation.numpy_signs import signs_differ
from optgen.translation.numpy_sums import sums_differ
from optgen.translation.numpy_trace import Kind, Scalar, Tracer, View
from optgen.translation.terms import Terms
from optgen.verify.verdicts import Unsupported

RULES = load_catalogue()
BROKEN = runpy.run_path(str(Path(__file__).parents[1] / "mutants" / "numpy_text.py"))["MUTANTS"]


@functools.cache
def clean(rule, dtype):
    spec = RULES[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    return kernel, BACKENDS["numpy"].render(Heading.of(spec), (kernel,))[0].text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_every_module_is_its_ir(rule, dtype):
    found = compare_module(*clean(rule, dtype))
    assert (found.outcome, found.detail) == ("equal", "")


@pytest.mark.parametrize("name", BROKEN)
def test_no_broken_module_passes(name):
    mutant = BROKEN[name]
    kernel, text = clean(mutant.rule, mutant.dtype)
    for old, new in mutant.changes:
        assert old in text
        text = text.replace(old, new, 1)
    found = compare_module(kernel, text)
    assert found.outcome != "equal"
    assert found.detail


@pytest.mark.parametrize(
    ("rule", "old", "new", "says"),
    [
        ("adamw", "np.multiply(beta1, exp_avg, out=exp_avg)", "row0 = row0[...]", "index Ellipsis"),
        ("adamw", "count = param.size", "count = param.size - 1", "elements in one operation"),
        ("adamw", "np.sqrt(exp_avg_sq_hat,", "np.cbrt(exp_avg_sq_hat,", "np.cbrt"),
        ("adamw", "param[block],\n            grad[block]", "param[block],\n            grad[0:1]",
         "elements in one operation"),
        ("adamw", "lr = kind(lr)", "lr = kind(float(lr))", "turned into a float"),
        ("adamw", "lr = kind(lr)", "lr = lr", "float32 and float64 in one operation"),
        ("adamw", "lr = kind(lr)", "lr = lr if lr else kind(lr)", "whether a traced number"),
        ("adamw", "_each(part, param.size, kind)", "_each(part, np.size(param), kind)", "np.size"),
        ("adamw", "blocks = [", "blocks = [slice(0, 1)] + [", "read across its pieces"),
        ("adamw", "blocks = [", "blocks = [slice(0, 0)] + [", ""),  # nothing is done: harmless
        ("nadam", 'state["mu_product"][...] = mu_product', "pass", "mu_product"),
        ("lamb", "_tree_sum([block[1] for block in partials], kind)",
         "_tree_sum([block[1] for block in partials[:1]], kind)", "all elements alike"),
    ],
)  # fmt: skip
def test_what_is_not_modelled_is_refused(rule, old, new, says):
    kernel, text = clean(rule, "float32")
    assert old in text
    found = compare_module(kernel, text.replace(old, new))
    if not says:
        assert found.outcome == "equal"
    else:
        assert found.outcome != "equal"
        assert says in found.detail


def test_the_order_of_an_addition_or_product_is_no_difference():
    kernel, text = clean("adamw", "float32")
    for old, new in (
        ("np.add(exp_avg, row1, out=exp_avg)", "np.add(row1, exp_avg, out=exp_avg)"),
        ("np.multiply(scaled_grad, scaled_grad, out=row1)",
         "np.multiply(scaled_grad, scaled_grad, out=row1[:])"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new, 1)
    assert compare_module(kernel, text).outcome == "equal"


def test_both_ways_of_a_python_choice_are_followed():
    kernel, text = clean("lamb", "float32")
    ways = [path.ways for path in trace(kernel, text, 5, Terms())]
    assert len(ways) == 3  # of `a and b`, b is asked only where a holds
    assert len({tuple(way.values()) for way in ways}) == 3


def test_an_output_reads_its_own_element_only():
    store = Terms()
    tracer = Tracer(store, bool)
    x = View(tracer, Memory.holding("x", "float32", 10, store.element("x", "float32")), 0, 10)
    y = View(tracer, Memory.holding("y", "float32", 10, None), 0, 10)
    np.add(x[0:9], 1.0, out=y[1:10])
    assert y[1:10].memory.pieces[1].term.operands[1].payload in (("x", -1), 1)
    with pytest.raises(Unsupported, match="before it is written"):
        y[0:1].read()
    with pytest.raises(Unsupported, match="across its pieces"):
        y.read()


def test_values_refuse_to_become_plain():
    store = Terms()
    tracer = Tracer(store, bool)
    number = Scalar(tracer, store.scalar("lr", "float64"))
    for convert in (float, int, bool, list, range, np.asarray, np.float32):
        with pytest.raises(Unsupported):
            convert(number)
    with pytest.raises(Unsupported, match="float64 and float32"):
        number + Kind(tracer, "float32")(1.0)
    with pytest.raises(Unsupported, match="str"):
        number + "1"


def test_shifting_there_and_back_is_nothing():
    kernel, _ = clean("amsgrad", "float32")
    store = Terms()
    for term in kernel_terms(kernel, store).values():
        moved = shifted(store, term, 5)
        assert moved is not term
        assert shifted(store, moved, -5) is term


def helper(name, body):
    module = ModuleType("helper")
    exec(f"import numpy as np\n{body}", module.__dict__)
    return module


def test_powers_are_followed():
    right = clean("adamw", "float64")[1]
    module = ModuleType("right")
    exec(right, module.__dict__)
    assert powers_differ(module) == ""
    wrong = powers_differ(helper("_", "def _ipow(b, e): return 1.5"))
    assert wrong == "the power -9 is multiplied in another order"
    assert powers_differ(helper("_", "def _ipow(b, e): return b**e")) == wrong
    assert "cannot be followed" in powers_differ(helper("_", "def _ipow(b, e): return b // e"))


def test_sums_are_followed():
    right = clean("lamb", "float32")[1]
    module = ModuleType("right")
    exec(right, module.__dict__)
    assert sums_differ(module) == ""
    module._CHUNK = CHUNK
    module._tree_sum = lambda blocks, kind: sum(
        np.concatenate(blocks)[1:], [*blocks[0], *blocks[1]][0]
    )
    assert "3 chunks are added in another order" in sums_differ(module)
    module._chunk_sums = lambda values, padded: [np.add.reduce(values)]
    assert "added in another order" in sums_differ(module)


def test_sums_of_floats_are_run():
    """NumPy adds floats along the last axis by pairs, but objects one after the other."""
    right = clean("lamb", "float32")[1]
    module = ModuleType("pairs")
    old = "np.add.reduce(rows, axis=1)"
    assert old in right
    exec(right.replace(old, "np.add.reduce(rows.swapaxes(1, 2).copy(), axis=2)"), module.__dict__)
    assert "float32" in sums_differ(module)


SIGN_SLIPS = {
    "subnormal numbers": ("np.multiply(out, huge, out=out)  # ", "# ", "of 1.4"),
    "minus zero": ("    np.add(out, 0.0, out=out)\n", "", "of -0.0 is -0.0"),
    "negative numbers": ("np.maximum(out, -1.0, out=out)", "np.abs(out, out=out)", "of -1.4"),
    "nan": ("np.minimum(out, 1.0, out=out)", "np.fmin(out, 1.0, out=out)", "of nan is 1.0"),
    "its operand": (
        "    np.add(out",
        "    if values is not out:\n        values *= 0.0\n    np.add(out",
        "changes its operand",
    ),
    "one type alone": ("2.0**1022", "2.0**126", "in float64"),
}


def sign_module(old="", new=""):
    text = clean("lion", "float32")[1]
    assert old in text
    module = ModuleType("signs")
    exec(text.replace(old, new), module.__dict__)
    return module


def test_signs_are_run():
    assert signs_differ(sign_module()) == ""


@pytest.mark.parametrize("slip", SIGN_SLIPS)
def test_a_wrong_sign_is_seen(slip):
    old, new, says = SIGN_SLIPS[slip]
    assert says in signs_differ(sign_module(old, new))


@pytest.mark.slow
def test_the_sign_of_every_float32():
    module = sign_module()
    for start in range(0, 2**32, 2**24):
        values = np.arange(start, start + 2**24, dtype=np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            wanted, found = np.sign(values), np.empty_like(values)
            module._sign(values, out=found)
        np.testing.assert_array_equal(found, wanted)
        assert not np.signbit(found[found == 0]).any()
