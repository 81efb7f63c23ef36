"""Broken CUDA kernels, each a generated one with a piece of its text replaced."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One broken kernel.

    Attributes:
        rule: The rule whose kernel it was.
        dtype: The type of its values.
        says: Words that stand in what the check reports.
        changes: Pieces of text: what goes and what comes.
    """

    rule: str
    dtype: str
    says: str
    changes: tuple[tuple[str, str], ...]


def adamw(says, *changes, dtype="float32"):
    return Mutant("adamw", dtype, says, changes)


def lamb(says, *changes, dtype="float32"):
    return Mutant("lamb", dtype, says, changes)


WRONG, BEYOND, RACE = "instead of", "beyond", "race"

MUTANTS = {
    # indices, tails and strides
    "tail_bound_inclusive": adamw(
        "", ("index < n; index += stride", "index <= n; index += stride")
    ),
    "vector_bound_plus_one": adamw("", ("index < vectors;", "index < vectors + 1;")),
    "stride_one": adamw("", ("(unsigned long long)gridDim.x * blockDim.x;", "1;")),
    "no_grid_stride": adamw(
        "", ("index < vectors; index += stride", "index < vectors; index += n")
    ),
    "tail_without_stride": adamw("", ("index < n; index += stride", "index < n; index += n")),
    "block_index_forgotten": adamw("", ("(unsigned long long)blockIdx.x * blockDim.x + ", "")),
    "tail_starts_too_early": adamw("", ("vectors * 4 + first", "vectors + first")),
    "tail_starts_too_late": adamw("", ("vectors * 4 + first", "vectors * 4 + 1 + first")),
    "tail_dropped": adamw("", ("vectors * 4 + first; index < n", "n; index < n")),
    "vectors_rounded_up": adamw("", ("aligned ? n / 4 : 0", "aligned ? (n + 3) / 4 : 0")),
    "aligned_path_forced": adamw("", ("const bool aligned = ", "const bool aligned = true || ")),
    "alignment_of_param_forgotten": adamw("", ("(unsigned long long)param | ", "")),
    "alignment_of_grad_forgotten": adamw("", ("(unsigned long long)grad | ", "")),
    "alignment_of_a_state_forgotten": adamw("", (" | (unsigned long long)exp_avg_sq)", ")")),
    "alignment_of_8_bytes": adamw("", ("& 15) == 0", "& 7) == 0")),
    # what is loaded and stored
    "swapped_lane": adamw(
        WRONG, ("param_v.y, grad_v.y, exp_avg_v.y", "param_v.y, grad_v.z, exp_avg_v.y")
    ),
    "lane_done_twice": adamw(
        WRONG,
        ("_update(param_v.w, grad_v.w, exp_avg_v.w", "_update(param_v.z, grad_v.w, exp_avg_v.w"),
    ),
    "dropped_vector_store": adamw(
        WRONG, ("reinterpret_cast<float4*>(exp_avg_sq)[index] = exp_avg_sq_v;", "")
    ),
    "dropped_element_store": adamw(WRONG, ("param[index] = param_e;", "")),
    "stores_swapped": adamw(
        WRONG, ("exp_avg[index] = exp_avg_e;", "exp_avg[index] = exp_avg_sq_e;")
    ),
    "gradient_written": adamw(
        "", ("param[index] = param_e;", "param[index] = param_e; ((float*)grad)[index] = 0;")
    ),
    "struct_reordered": adamw(WRONG, ("  float eps;\n  float lr;", "  float lr;\n  float eps;")),
    # arithmetic
    "betas_swapped": adamw(
        WRONG, ("__fmul_rn(args.beta1, exp_avg)", "__fmul_rn(args.beta2, exp_avg)")
    ),
    "eps_inside_the_root": adamw(
        WRONG,
        (
            "__fadd_rn(__fsqrt_rn(exp_avg_sq_hat), args.eps)",
            "__fsqrt_rn(__fadd_rn(exp_avg_sq_hat, args.eps))",
        ),
    ),
    "bias_correction_dropped": adamw(
        WRONG, ("__fdiv_rn(exp_avg, args.bias_correction1)", "exp_avg")
    ),
    "contraction": adamw(
        "",
        (
            "__fadd_rn(__fmul_rn(args.beta1, exp_avg), "
            "__fmul_rn(args.one_minus_beta1, scaled_grad))",
            "args.beta1 * exp_avg + args.one_minus_beta1 * scaled_grad",
        ),
    ),
    "contraction_in_double": adamw(
        "",
        (
            "__dsub_rn(param, __dmul_rn(args.lr_weight_decay, param))",
            "param - args.lr_weight_decay * param",
        ),
        dtype="float64",
    ),
    "explicit_fma": adamw(
        WRONG,
        (
            "__fadd_rn(__fmul_rn(args.beta1, exp_avg), "
            "__fmul_rn(args.one_minus_beta1, scaled_grad))",
            "__fmaf_rn(args.beta1, exp_avg, __fmul_rn(args.one_minus_beta1, scaled_grad))",
        ),
    ),
    "approximate_division": adamw(
        "",
        (
            "__fdiv_rn(__fmul_rn(args.lr, exp_avg_hat), denom)",
            "__fdividef(__fmul_rn(args.lr, exp_avg_hat), denom)",
        ),
    ),
    "reciprocal": adamw(
        WRONG,
        (
            "__fdiv_rn(exp_avg, args.bias_correction1)",
            "__fmul_rn(exp_avg, __frcp_rn(args.bias_correction1))",
        ),
    ),
    "rounded_towards_zero": adamw(
        "unsupported", ("__fmul_rn(args.lr, exp_avg_hat)", "__fmul_rz(args.lr, exp_avg_hat)")
    ),
    "computed_in_double": adamw(
        WRONG,
        (
            "__fadd_rn(__fsqrt_rn(exp_avg_sq_hat), args.eps)",
            "(float)__dadd_rn(__dsqrt_rn(exp_avg_sq_hat), args.eps)",
        ),
    ),
    "computed_in_single": adamw(
        WRONG,
        ("__dsqrt_rn(exp_avg_sq_hat)", "(double)__fsqrt_rn((float)exp_avg_sq_hat)"),
        dtype="float64",
    ),
    "sign_of_zero_is_one": Mutant(
        "lion", "float32", WRONG, (("x == 0.0f ? 0.0f : x", "x == 0.0f ? 1.0f : x"),)
    ),
    "sign_of_zero_keeps_its_sign": Mutant(
        "lion",
        "float32",
        "",
        (("x > 0.0f ? 1.0f : x < 0.0f ? -1.0f", "x >= 0.0f ? 1.0f : x < 0.0f ? -1.0f"),),
    ),
    "max_drops_nan": Mutant(
        "amsgrad", "float32", WRONG, (("(a > b || a != a) ? a : b", "a > b ? a : b"),)
    ),
    "max_is_fmax": Mutant(
        "amsgrad", "float32", WRONG, (("(a > b || a != a) ? a : b", "fmaxf(a, b)"),)
    ),
    "max_is_min": Mutant("amsgrad", "float32", WRONG, (("a > b || a != a", "a < b || a != a"),)),
    "max_keeps_minus_zero": Mutant(
        "amsgrad",
        "float64",
        WRONG,
        (("__dadd_rn((a > b || a != a) ? a : b, 0.0)", "((a > b || a != a) ? a : b)"),),
    ),
    # reductions
    "first_barrier_missing": lamb(
        RACE, ("= total[slot][part][lane];\n    __syncthreads();", "= total[slot][part][lane];")
    ),
    "halving_barrier_missing": lamb(
        RACE, ("lanes[slot][at + half]);\n      __syncthreads();", "lanes[slot][at + half]);")
    ),
    "last_barrier_missing": lamb(
        RACE,
        (
            "chunks + chunk] = value;\n      }\n    }\n    __syncthreads();",
            "chunks + chunk] = value;\n      }\n    }",
        ),
    ),
    "finish_barrier_missing": lamb(
        RACE, (": 0.0f);\n    }\n    __syncthreads();", ": 0.0f);\n    }")
    ),
    "every_thread_finishes_early": lamb(
        RACE,
        (
            "  if (threadIdx.x == 0) {\n    const float param_norm_sum",
            "  if (threadIdx.x < 2) {\n    const float param_norm_sum",
        ),
    ),
    "wrong_shuffle_distance": lamb(WRONG, ("value, half));", "value, half / 2));")),
    "shuffle_up": lamb(WRONG, ("__shfl_down_sync", "__shfl_up_sync")),
    "shuffle_starts_at_8": lamb(WRONG, ("int half = 16; half > 0", "int half = 8; half > 0")),
    "half_the_lanes": lamb(WRONG, ("int half = 512;", "int half = 256;")),
    "too_many_lanes": lamb("", ("int half = 512;", "int half = 1024;")),
    "partial_sum_overread": lamb("", ("at + half < chunks ?", "at + half <= chunks ?")),
    "last_chunk_left_out": lamb("", ("(n + 16383) / 16384;\n  for", "n / 16384;\n  for")),
    "partials_of_one_sum_only": lamb(
        "", ("partials[(0 + slot) * chunks + chunk]", "partials[chunk]")
    ),
    "chunk_without_stride": lamb("", ("chunk += gridDim.x", "chunk += 1")),
    "tail_padded_with_one": lamb(
        WRONG, ("update_norm_sum[lane] = 0.0f;", "update_norm_sum[lane] = 1.0f;")
    ),
    "rows_added_backwards": lamb(
        WRONG,
        ("for (int row = 0; row < 16; ++row)", "for (int row = 15; row >= 0; --row)"),
        ("total[0][part][lane] = row ?", "total[0][part][lane] = row < 15 ?"),
        ("total[1][part][lane] = row ?", "total[1][part][lane] = row < 15 ?"),
    ),
    "rows_left_out": lamb(WRONG, ("row < 16", "row < 15")),
    "guard_of_trust_ratio_dropped": lamb(
        WRONG, ("((param_norm > 0.0f) && (update_norm > 0.0f)) ?", "true ?")
    ),
    "trust_ratio_upside_down": lamb(
        WRONG, ("__fdiv_rn(param_norm, update_norm)", "__fdiv_rn(update_norm, param_norm)")
    ),
    "tail_bound_of_chunks": lamb("", ("if (index < n) {", "if (index <= n) {")),
    "vector_bound_of_chunks": lamb("", ("element + 4 <= n", "element <= n")),
    "barrier_not_reached_by_all": lamb(
        "",
        (
            "      __syncthreads();\n    }\n    if (threadIdx.x < 32)",
            "      if (threadIdx.x < 128) __syncthreads();\n    }\n    if (threadIdx.x < 32)",
        ),
    ),
    "first_barrier_missing_in_double": lamb(
        RACE,
        ("= total[slot][part][lane];\n    __syncthreads();", "= total[slot][part][lane];"),
        dtype="float64",
    ),
    "part_forgotten_in_double": lamb(
        "",
        ("int part = 0; part < 2; ++part) {", "int part = 0; part < 1; ++part) {"),
        dtype="float64",
    ),
}
