"""C++ that stands in for CUDA: its words, its intrinsics, and threads of a block as fibers.

Threads of a block run one after the other, in an order that is asked for, each up to its
next barrier or shuffle. A barrier that some thread does not reach ends the program. With
`OPTGEN_RACES` shared memory remembers who touched it since the last barrier: two threads
at one place, one of them writing, end the program too.
"""

from __future__ import annotations

FAULT = 3
"""Exit status of a program that has found a fault."""

WORDS = r"""
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct optgen_dim { unsigned x = 1, y = 1, z = 1; };
static optgen_dim threadIdx, blockIdx, blockDim, gridDim;
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct alignas(4) ushort2 { unsigned short x, y; };

static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return sqrt(a); }
static inline float __int_as_float(int bits) { float f; memcpy(&f, &bits, 4); return f; }
static inline int __float_as_int(float f) { int bits; memcpy(&bits, &f, 4); return bits; }
static inline float __uint_as_float(unsigned bits) { float f; memcpy(&f, &bits, 4); return f; }
static inline unsigned __float_as_uint(float f) { unsigned b; memcpy(&b, &f, 4); return b; }
static inline float __double2float_rn(double a) { return (float)a; }
"""

FIBERS = r"""
[[noreturn]] static void optgen_fault(const char *what) {
  fprintf(stderr, "fault: %s\n", what);
  exit(3);
}

enum class Wait { none, block, warp, over };
struct Fiber { ucontext_t context; Wait wait; int line; unsigned shuffles; };
static std::vector<Fiber> fibers;
static std::vector<char> stacks;
static ucontext_t scheduler;
static unsigned current, epoch;
static const std::function<void()> *work;
static double exchanged[32][2][32];
static const size_t stack_size = 1 << 16;

static void optgen_enter() {
  (*work)();
  fibers[current].wait = Wait::over;
}

static void optgen_wait(Wait wait, int line) {
  fibers[current].wait = wait;
  fibers[current].line = line;
  const unsigned me = current;
  swapcontext(&fibers[me].context, &scheduler);
}
#define __syncthreads() optgen_wait(Wait::block, __LINE__)

template <class T>
static T optgen_shuffle_down(unsigned mask, T value, unsigned distance, int line) {
  if (mask != 0xffffffffu) optgen_fault("a shuffle of a part of a warp");
  const unsigned warp = current / 32, lane = current % 32;
  double *row = exchanged[warp][fibers[current].shuffles++ & 1];
  row[lane] = value;
  optgen_wait(Wait::warp, line);
  return lane + distance < 32 ? (T)row[lane + distance] : value;
}
#define __shfl_down_sync(mask, value, distance) \
  optgen_shuffle_down(mask, value, distance, __LINE__)

/* Let all threads from `first` on, up to `end`, go on if all of them wait for the same. */
static bool optgen_release(unsigned first, unsigned end, Wait wait) {
  for (unsigned t = first; t < end; ++t)
    if (fibers[t].wait != wait || fibers[t].line != fibers[first].line) return false;
  for (unsigned t = first; t < end; ++t) fibers[t].wait = Wait::none;
  return true;
}

static unsigned optgen_order(unsigned i, unsigned order) {
  const unsigned threads = blockDim.x;
  return order == 0 ? i : order == 1 ? threads - 1 - i : (i * (2 * order + 1) + order) % threads;
}

static void optgen_block(unsigned order) {
  const unsigned threads = blockDim.x;
  for (unsigned t = 0; t < threads; ++t) {
    Fiber &fiber = fibers[t];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks.data() + t * stack_size;
    fiber.context.uc_stack.ss_size = stack_size;
    fiber.context.uc_link = &scheduler;
    fiber.wait = Wait::none;
    fiber.shuffles = 0;
    makecontext(&fiber.context, optgen_enter, 0);
  }
  ++epoch;
  for (bool moved = true; moved;) {
    moved = false;
    for (unsigned i = 0; i < threads; ++i) {
      current = optgen_order(i, order);
      if (fibers[current].wait != Wait::none) continue;
      threadIdx.x = current;
      swapcontext(&scheduler, &fibers[current].context);
      moved = true;
    }
    for (unsigned warp = 0; warp < threads; warp += 32)
      moved |= optgen_release(warp, warp + 32, Wait::warp);
    if (optgen_release(0, threads, Wait::block)) moved = true, ++epoch;
  }
  for (const Fiber &fiber : fibers)
    if (fiber.wait != Wait::over) optgen_fault("not every thread reaches the same barrier");
}
"""

SHARED = r"""
#ifdef OPTGEN_RACES
template <class T> struct Shared {
  T value;
  unsigned writer, written, reader, read;
  bool many;
  operator T() {
    if (written == epoch && writer != current) optgen_fault("a race in shared memory");
    many = read == epoch && (many || reader != current);
    reader = current, read = epoch;
    return value;
  }
  Shared &operator=(T other) {
    if (written == epoch && writer != current) optgen_fault("a race in shared memory");
    if (read == epoch && (many || reader != current)) optgen_fault("a race in shared memory");
    value = other, writer = current, written = epoch;
    return *this;
  }
};
#else
template <class T> using Shared = T;
#endif

static void optgen_launch(unsigned grid, unsigned order, bool barriers,
                          const std::function<void()> &body) {
  blockDim.x = 256;
  gridDim.x = grid;
  work = &body;
  if (barriers && fibers.empty()) fibers.resize(256), stacks.resize(256 * stack_size);
  for (unsigned b = 0; b < grid; ++b) {
    blockIdx.x = order == 1 ? grid - 1 - b : b;
    if (barriers) {
      optgen_block(order);
      continue;
    }
    for (unsigned t = 0; t < 256; ++t) {
      threadIdx.x = optgen_order(t, order);
      body();
    }
  }
}
"""

HELD = r"""
static FILE *optgen_open(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  if (!file) { perror(path); exit(4); }
  return file;
}
static void optgen_read(void *to, size_t size, FILE *file) {
  if (fread(to, 1, size, file) != size) { fprintf(stderr, "input ends\n"); exit(4); }
}
static void optgen_write(const void *from, size_t size, FILE *file) {
  if (fwrite(from, 1, size, file) != size) { perror("output"); exit(4); }
}
/* Memory that ends where the array ends: a sanitizer sees what goes one element too far. */
static void *optgen_array(size_t size, size_t off) {
  char *found = (char *)malloc(size + off);
  if (!found) { fprintf(stderr, "no memory\n"); exit(4); }
  memset(found, 0xff, size + off);
  return found + off;
}
"""
