"""Programs around generated code: read arrays from a file, run, write them to another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from optgen.backends.abi import abi
from optgen.backends.expressions import C_TYPES
from optgen.backends.storing import kept_type
from optgen.crosscheck.host.shim import FIBERS, HELD, SHARED, WORDS
from optgen.ir import CHUNK, Kernel

_SHARED = re.compile(r"__shared__\s+(float|double)\b")


def cuda_program(text: str, kernels: Sequence[Kernel]) -> str:
    """Return C++ that runs the launches of one CUDA file.

    It is called with a type, the number of elements, of blocks, an order of threads, the
    bytes by which arrays are off, and two files. Every array is followed by the end of its memory.
    """
    parts = [WORDS, FIBERS, SHARED, HELD, _SHARED.sub(r"static Shared<\1>", text)]
    parts += [_cuda_run(kernel) for kernel in kernels]
    calls = _chosen(kernels, "n, grid, order, off, in, out")
    parts.append(f"""
int main(int argc, char **argv) {{
  if (argc != 8) return 4;
  const unsigned long long n = strtoull(argv[2], 0, 10), off = strtoull(argv[5], 0, 10);
  const unsigned grid = (unsigned)atoi(argv[3]), order = (unsigned)atoi(argv[4]);
  FILE *in = optgen_open(argv[6], "rb"), *out = optgen_open(argv[7], "wb");
{calls}
  return fclose(out) ? 4 : 0;
}}
""")
    return "\n".join(parts)


def _chosen(kernels: Sequence[Kernel], given: str) -> str:
    """Return the call of the function of the type that the program is called with."""
    types = [kernel.arithmetic.value for kernel in kernels]
    return "\n".join(f'  if (!strcmp(argv[1], "{t}")) run_{t}({given});' for t in types)


def _cuda_run(kernel: Kernel) -> str:
    called = abi(kernel)
    ctype = C_TYPES[kernel.arithmetic]
    lines = [
        f"static void run_{kernel.arithmetic.value}(",
        "    unsigned long long n, unsigned grid, unsigned order, size_t off,",
        "    FILE *in, FILE *out) {",
        f"  const size_t width = sizeof({ctype}), chunks = (n + {CHUNK - 1}) / {CHUNK};",
        f"  {called.struct} args;",
        "  optgen_read(&args, sizeof args, in);",
    ]
    for index, buffer in enumerate(kernel.buffers):
        kind = kept_type(kernel, buffer.name, "cuda")
        lines += [
            f"  {kind} *{buffer.name} =",
            f"    ({kind} *)optgen_array(n * sizeof({kind}), {index + 1} * off);",
            f"  optgen_read({buffer.name}, n * sizeof({kind}), in);",
        ]
    lines += [
        f"  {ctype} *partials = ({ctype} *)optgen_array({called.partials} * chunks * width, 0);",
        f"  {ctype} *scalars = ({ctype} *)optgen_array({called.scalars} * width, 0);",
        "  (void)partials, (void)scalars;",
    ]
    for launch in called.launches:
        grid = "1" if launch.grid == "one" else "grid"
        barriers = "false" if launch.grid == "elements" else "true"
        given = ", ".join(launch.parameters)
        lines.append(
            f"  optgen_launch({grid}, order, {barriers}, [&] {{ {launch.entry}({given}); }});"
        )
    lines += [f"  optgen_write({b.name}, n * {b.dtype.size}, out);" for b in kernel.buffers]
    lines.append(f"  if (n) optgen_write(partials, {called.partials} * chunks * width, out);")
    return "\n".join([*lines, "}", ""])


def c_program(text: str, kernels: Sequence[Kernel], *, own_threads: bool) -> str:
    """Return C that calls the entries of one C file with lists of tensors.

    It is called with a type, a number of threads, and two files.

    Args:
        text: The file.
        kernels: Its kernels.
        own_threads: Whether it brings OpenMP's functions itself, made of pthreads: a
            sanitizer does not see how libgomp's threads wait for each other.
    """
    parts = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>", text, HELD]
    if own_threads:
        parts.append(_THREADS)
    parts += [_c_run(kernel) for kernel in kernels]
    calls = _chosen(kernels, "atoi(argv[2]), in, out")
    parts.append(f"""
int main(int argc, char **argv) {{
  if (argc != 5) return 4;
  FILE *in = optgen_open(argv[3], "rb"), *out = optgen_open(argv[4], "wb");
{calls}
  return fclose(out) ? 4 : 0;
}}
""")
    return "\n".join(parts)


def _c_run(kernel: Kernel) -> str:
    called = abi(kernel)
    base = f"optgen_{kernel.name}_{kernel.arithmetic.value}"
    ctype = C_TYPES[kernel.arithmetic]
    widths = ", ".join(str(b.dtype.size) for b in kernel.buffers)
    buffers = len(kernel.buffers)
    return f"""
static void run_{kernel.arithmetic.value}(int threads, FILE *in, FILE *out) {{
  const size_t widths[] = {{{widths}}};
  uint64_t tensors;
  optgen_read(&tensors, sizeof tensors, in);
  uint64_t *n = optgen_array(tensors * sizeof *n, 0), *off = optgen_array(tensors * sizeof *off, 0);
  optgen_read(n, tensors * sizeof *n, in);
  optgen_read(off, tensors * sizeof *off, in);
  struct {called.struct} *args = optgen_array(tensors * sizeof *args, 0);
  optgen_read(args, tensors * sizeof *args, in);
  void **pointers = optgen_array({buffers} * tensors * sizeof *pointers, 0);
  for (uint64_t at = 0; at < {buffers} * tensors; ++at) {{
    const uint64_t tensor = at % tensors, buffer = at / tensors;
    const size_t size = n[tensor] * widths[buffer];
    pointers[at] = optgen_array(size, off[tensor] * (buffer + 1) * widths[buffer]);
    optgen_read(pointers[at], size, in);
  }}
  const uint64_t scratch = optgen_{kernel.name}_scratch(tensors, n);
  {ctype} *work = optgen_array(scratch * sizeof *work, 0);
  {base}(tensors, n, pointers, args, work, threads);
  for (uint64_t at = 0; at < {buffers} * tensors; ++at)
    optgen_write(pointers[at], n[at % tensors] * widths[at / tensors], out);
}}
"""


_THREADS = r"""
#include <pthread.h>
static __thread int optgen_number, optgen_team = 1;
struct optgen_share { void (*work)(void *); void *data; int number, team; };
static void *optgen_start(void *given) {
  struct optgen_share *share = given;
  optgen_number = share->number;
  optgen_team = share->team;
  share->work(share->data);
  return NULL;
}
int omp_get_max_threads(void) { return 4; }
int omp_get_thread_num(void) { return optgen_number; }
int omp_get_num_threads(void) { return optgen_team; }
void GOMP_parallel(void (*work)(void *), void *data, unsigned asked, unsigned flags) {
  const int team = asked ? (int)asked : 4;
  pthread_t threads[64];
  struct optgen_share shares[64];
  (void)flags;
  for (int i = 0; i < team && i < 64; ++i) {
    shares[i] = (struct optgen_share){work, data, i, team < 64 ? team : 64};
    if (pthread_create(&threads[i], NULL, optgen_start, &shares[i])) exit(4);
  }
  for (int i = 0; i < team && i < 64; ++i) pthread_join(threads[i], NULL);
}
"""
