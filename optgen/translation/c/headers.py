"""The few headers that generated C includes, as far as reading it needs them."""

from __future__ import annotations

OMP = "int omp_get_max_threads(void);\nint omp_get_thread_num(void);\n"

HEADERS: dict[str, str] = {
    "omp.h": OMP,
    "stdint.h": (
        "typedef signed char int8_t; typedef unsigned char uint8_t;\n"
        "typedef short int16_t; typedef unsigned short uint16_t;\n"
        "typedef int int32_t; typedef unsigned int uint32_t;\n"
        "typedef long int64_t; typedef unsigned long uint64_t;\n"
        "typedef unsigned long uintptr_t;\n"
    ),
    "stddef.h": "typedef unsigned long size_t;\n#define NULL ((void *)0)\n",
    "stdlib.h": "typedef unsigned long size_t;\n",
    "string.h": (
        "typedef unsigned long size_t;\nvoid *memcpy(void *to, const void *from, size_t n);\n"
    ),
    "float.h": "#define FLT_EVAL_METHOD __FLT_EVAL_METHOD__\n",
    "fenv.h": (
        "typedef struct { unsigned int held[8]; } fenv_t;\n"
        "int fegetenv(fenv_t *state);\nint fesetenv(const fenv_t *state);\n"
        "#define FE_DFL_ENV ((const fenv_t *)-1)\n"
    ),
    "math.h": (
        "float sqrtf(float x); double sqrt(double x);\n"
        "float fabsf(float x); double fabs(double x);\n"
        "float fmaf(float x, float y, float z); double fma(double x, double y, double z);\n"
        "double pow(double x, double y);\n"
        "float fmaxf(float x, float y); double fmax(double x, double y);\n"
        "float fminf(float x, float y); double fmin(double x, double y);\n"
        "#define INFINITY (__builtin_inff())\n"
    ),
}
"""Declarations by header; types are those of 64-bit systems whose `long` has 64 bits."""
