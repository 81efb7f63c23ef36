# ruff: noqa: E501
"""Broken NumPy kernels, each a generated one with a piece of its text replaced."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One broken module; the fields are those of the CUDA mutants."""

    rule: str
    dtype: str
    says: str
    changes: tuple[tuple[str, str], ...]


def adamw(*changes, says="differs from the IR"):
    return Mutant("adamw", "float32", says, changes)


def lamb(*changes, says="differs from the IR"):
    return Mutant("lamb", "float32", says, changes)


MUTANTS = {
    "out_is_the_wrong_array": adamw(
        ("np.add(exp_avg, row1, out=exp_avg)", "np.add(exp_avg, row1, out=row1)")
    ),
    "out_is_the_other_state": adamw(("out=exp_avg_sq)", "out=exp_avg)")),
    "dropped_add": adamw(("np.add(exp_avg, row1, out=exp_avg)", "pass")),
    "row_used_twice": adamw(
        ("np.sqrt(exp_avg_sq_hat, out=row1)", "np.sqrt(exp_avg_sq_hat, out=row0)")
    ),
    "operands_swapped": adamw(
        ("np.subtract(param, row1, out=param)", "np.subtract(row1, param, out=param)")
    ),
    "wrong_operation": adamw(
        ("np.divide(row0, denom, out=row0)", "np.multiply(row0, denom, out=row0)")
    ),
    "scalar_not_rounded": adamw(("beta1 = kind(beta1)", "beta1 = kind(beta1 * (1 + 2**-23))")),
    "step_counted_late": adamw(('np.float64(state["step"] + 1)', 'np.float64(state["step"])')),
    "first_block_only": adamw(("range(0, size, width)]", "range(0, size, width)][:1]")),
    "last_of_each_block_left_out": adamw(
        ("min(start + width, size))", "min(start + width, size) - 1)")
    ),
    "ipow_one_factor_at_a_time": Mutant(
        "adamw",
        "float64",
        "differs from the IR",
        (
            ("    while exponent:\n", "    for _ in range(exponent):\n"),
            (
                "        if exponent & 1:\n            result = result * base\n        base = base * base\n        exponent >>= 1\n",
                "        result = result * base\n",
            ),
        ),
    ),
    "rows_added_backwards": lamb(
        (
            "np.add.reduce(rows, axis=1)",
            "np.add.reduce(rows[:, [0, *range(_CHUNK // _LANES - 1, 0, -1)]], axis=1)",
        )
    ),
    "tail_not_padded": lamb(("        padded[values.size : whole] = 0.0\n", "")),
    "halves_interleaved": lamb(
        (
            "np.add(lanes[:, :half], lanes[:, half : 2 * half], out=lanes[:, :half])",
            "lanes[:, :half] = lanes[:, : 2 * half : 2] + lanes[:, 1 : 2 * half : 2]",
        ),
    ),
    "sums_swapped": lamb(
        ("    return param_norm_sum, update_norm_sum", "    return update_norm_sum, param_norm_sum")
    ),
    "sign_of_zero_is_one": Mutant(
        "lion",
        "float32",
        "differs from the IR",
        (("np.maximum(out, -1.0, out=out)", "np.maximum(out, -2.0, out=out)"),),
    ),
    "max_drops_nan": Mutant(
        "amsgrad", "float32", "differs from the IR", (("np.maximum(", "np.fmax("),)
    ),
    "max_keeps_minus_zero": Mutant(
        "amsgrad",
        "float32",
        "differs from the IR",
        (("np.add(max_exp_avg_sq, 0.0, out=max_exp_avg_sq)", "pass"),),
    ),
    "scalar_state_not_stored": Mutant(
        "nadam",
        "float32",
        "scalar states differ",
        (('    state["mu_product"][...] = mu_product\n', ""),),
    ),
}
