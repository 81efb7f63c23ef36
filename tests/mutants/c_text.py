"""Broken C kernels, each a generated one with a piece of its text replaced."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One broken file; the fields are those of the CUDA mutants."""

    rule: str
    dtype: str
    says: str
    changes: tuple[tuple[str, str], ...]


def adamw(*changes, dtype="float32", says="instead of"):
    return Mutant("adamw", dtype, says, changes)


def lamb(*changes, dtype="float32", says="instead of"):
    return Mutant("lamb", dtype, says, changes)


MUTANTS = {
    # arithmetic
    "contraction_by_hand": adamw(
        (
            "args.beta1 * exp_avg + args.one_minus_beta1 * scaled_grad",
            "fmaf(args.beta1, exp_avg, args.one_minus_beta1 * scaled_grad)",
        )
    ),
    "computed_in_double": adamw(
        (
            "sqrtf(exp_avg_sq_hat) + args.eps",
            "(float)(sqrt(exp_avg_sq_hat) + (double)args.eps)",
        )
    ),
    "computed_in_single": adamw(
        ("sqrt(exp_avg_sq_hat) + args.eps", "sqrtf(exp_avg_sq_hat) + args.eps"), dtype="float64"
    ),
    "other_grouping": adamw(("args.lr * exp_avg_hat / denom", "args.lr * (exp_avg_hat / denom)")),
    "reciprocal": adamw(
        ("exp_avg / args.bias_correction1", "exp_avg * (1.0f / args.bias_correction1)")
    ),
    "betas_swapped": adamw(("args.beta1 * exp_avg", "args.beta2 * exp_avg")),
    "struct_reordered": adamw(("  float eps;\n  float lr;", "  float lr;\n  float eps;")),
    "max_drops_nan": Mutant(
        "amsgrad", "float32", "instead of", (("((a > b) | (a != a)) ? a : b", "a > b ? a : b"),)
    ),
    "max_is_fmax": Mutant(
        "amsgrad",
        "float32",
        "instead of",
        (("(((a > b) | (a != a)) ? a : b)", "fmaxf(a, b)"),),
    ),
    "max_keeps_minus_zero": Mutant(
        "amsgrad", "float64", "instead of", (("a : b) + 0.0;", "a : b);"),)
    ),
    "sign_drops_nan": Mutant("lion", "float32", "instead of", (("x == 0.0f ? 0.0f : x", "0.0f"),)),
    "sign_of_zero_is_one": Mutant(
        "lion", "float32", "instead of", (("x == 0.0f ? 0.0f : x", "x == 0.0f ? 1.0f : x"),)
    ),
    "subnormals_flushed": Mutant(
        "momentum",
        "float32",
        "instead of",
        (
            (
                "  fesetenv(FE_DFL_ENV);\n  for",
                "  fesetenv(FE_DFL_ENV);\n  __builtin_ia32_ldmxcsr(40896);\n  for",
            ),
        ),
    ),
    # what is loaded, stored and walked over
    "store_dropped": adamw(("    exp_avg_sq_v[index] = exp_avg_sq;\n", "")),
    "stores_swapped": adamw(("exp_avg_v[index] = exp_avg;", "exp_avg_v[index] = exp_avg_sq;")),
    "one_element_too_many": adamw(("index < n; ++index", "index <= n; ++index"), says=""),
    "one_element_too_few": adamw(("index < n; ++index", "index + 1 < n; ++index")),
    "arguments_of_the_first_tensor": adamw(("call->args[tensor]", "call->args[0]")),
    "pointer_of_another_array": adamw(
        ("call->pointers[3 * call->tensors", "call->pointers[2 * call->tensors")
    ),
    "chunk_at_the_border_twice": adamw(
        ("(start - first + 16383) / 16384", "(start - first) / 16384"), says="threads"
    ),
    "chunk_at_the_border_left_out": adamw(
        ("(start - first + 16383) / 16384", "(start - first + 32767) / 16384"), says="threads"
    ),
    # reductions
    "lanes_begin_at_one": lamb(("lanes[slot][lane] = -0.0f;", "lanes[slot][lane] = 1.0f;")),
    "half_the_lanes": lamb(("half = reached / 2; half > 0", "half = reached / 4; half > 0")),
    "rows_left_out": lamb(("row < n; row +=", "row < n && row < 15360; row +=")),
    "chunks_not_added": lamb(("half = width / 2; half > 0", "half = 0; half > 0")),
    "neighbours_added": lamb(
        (
            "lanes[slot][lane] += lanes[slot][lane + half];",
            "lanes[slot][lane] = lanes[slot][2 * lane] + lanes[slot][2 * lane + 1];",
        )
    ),
    "padded_with_the_next_tensor": lamb(
        ("at + half < chunks ? value[at + half] : 0.0f", "value[at + half]"), says=""
    ),
    "partials_of_another_tensor": lamb(
        ("call->partials + chunk + at / 16384", "call->partials + at / 16384")
    ),
    "partial_of_one_chunk_only": lamb(
        ("call->partials + chunk + at / 16384", "call->partials + chunk"), says=""
    ),
    "scalars_of_another_tensor": lamb(("call->scalars + 1 * tensor", "call->scalars"), says=""),
    # the host program
    "host_one_step_late": adamw(
        ("ipow_float64(beta1, step)", "ipow_float64(beta1, step - 1.0)"), says="host"
    ),
    "host_power_without_its_low_bit": adamw(("if (left & 1)", "if (left & 2)"), says="host"),
    "host_in_single": adamw(
        ("const double beta1 = hyper", "const double beta1 = (float)hyper"), says="host"
    ),
    "host_forgets_its_state": Mutant(
        "nadam", "float32", "host", (("  scalar_states[0] = mu_product;\n", ""),)
    ),
    "host_refuses_its_default": adamw(
        ("if (!(0.0 <= hyperparameters[0]", "if (!(0.0 > hyperparameters[0]"), says="host: lr"
    ),
    "host_fields_swapped": adamw(
        ("args->beta1 = (float)beta1;", "args->beta1 = (float)beta2;"), says="host"
    ),
    "trust_ratio_upside_down": lamb(("param_norm / update_norm", "update_norm / param_norm")),
}


UNSEEN = {
    # what running cannot show, or shows only where another library meddles
    "tensors_before_forgotten": adamw(("first += count;", "first = count;"), says=""),
    "environment_not_set": adamw(("  fesetenv(FE_DFL_ENV);\n  for", "  for"), says="environment"),
    "environment_not_given_back": adamw(
        ("  }\n  fesetenv(&state);\n", "  }\n"), says="environment"
    ),
    "contraction_allowed": adamw(("FP_CONTRACT OFF", "FP_CONTRACT ON"), says="fused"),
    "pragma_of_one_compiler": adamw(
        ("FP_CONTRACT OFF\n", 'FP_CONTRACT OFF\n#pragma GCC optimize("fast-math")\n')
    ),
    "attribute_of_one_compiler": adamw(
        (
            "static void optgen_adamw_float32_update(",
            '__attribute__((optimize("fast-math"))) static void optgen_adamw_float32_update(',
        )
    ),
    # what running shows too
    "swapped_difference": adamw(
        ("param - args.lr_weight_decay * param", "args.lr_weight_decay * param - param")
    ),
    "sum_regrouped": Mutant(
        "adam_l2",
        "float32",
        "instead of",
        (
            (
                "exp_avg + args.one_minus_beta1 * grad_regularized",
                "exp_avg + grad_regularized * args.one_minus_beta1 + 0.0f",
            ),
        ),
    ),
    "square_of_another": adamw(("(scaled_grad * scaled_grad)", "(scaled_grad * exp_avg)")),
    "double_constant": Mutant(
        "adagrad",
        "float32",
        "instead of",
        (("+ args.eps", "+ 1e-10"),),
    ),
    "element_written_twice": adamw(
        ("exp_avg_v[index] = exp_avg;", "exp_avg_v[index] = exp_avg; param_v[0] = param;")
    ),
    "read_from_the_next_element": adamw(("= grad_v[index]", "= grad_v[index + 1]")),
    "begins_at_one": adamw(("uint64_t index = 0", "uint64_t index = 1")),
    "carried_through_memory": adamw(
        (
            "  for (uint64_t index = 0; index < n; ++index) {\n",
            "  float held[1];\n  held[0] = 1.0f;\n"
            "  for (uint64_t index = 0; index < n; ++index) {\n",
        ),
        ("const float grad = grad_v[index];", "const float grad = grad_v[index] * held[0];"),
        ("    param_v[index] = param;\n", "    param_v[index] = param;\n    held[0] = grad;\n"),
    ),
    "length_wraps_around": adamw(
        ("index < n; ++index", "index < ((n << 62) >> 62); ++index"),
    ),
    "gradient_overwritten": Mutant(
        "sgd",
        "float32",
        "",
        (
            (
                "const float grad = grad_v[index];",
                "const float grad = grad_v[index]; ((float *)grad_v)[index] = 0.0f;",
            ),
        ),
    ),
    "threads_share_by_hand": adamw(("part < parts; ++part", "part + 1 < parts; ++part")),
    "one_part_too_many": adamw(("part + 1 < parts ?", "part + 1 <= parts ?")),
}
"""Further slips, judged by the level proof."""

FULL_CHUNKS = ("rows_left_out",)
"""Slips that show at whole chunks only."""

SAME = {
    "operands_of_a_sum": adamw(
        (
            "args.beta1 * exp_avg + args.one_minus_beta1 * scaled_grad",
            "scaled_grad * args.one_minus_beta1 + exp_avg * args.beta1",
        )
    ),
    "root_in_double": adamw(("sqrtf(exp_avg_sq_hat)", "(float)sqrt((double)exp_avg_sq_hat)")),
    "sign_moved": adamw(
        ("param - args.lr_weight_decay * param", "param + -args.lr_weight_decay * param")
    ),
    "loop_turned": adamw(
        (
            "for (uint64_t index = 0; index < n; ++index) {",
            "for (uint64_t index = 0; index != n; index++) {",
        )
    ),
}
"""Changes of the text that change no bit."""
