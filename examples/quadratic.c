/* AdamW in plain C, without Python: two tensors walk towards the minimum of a quadratic.
 *
 *     cc -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -fopenmp \
 *       -I generated/c examples/quadratic.c generated/c/adamw.c -lm -o quadratic && ./quadratic
 *
 * It prints the first parameter of each tensor in hexadecimal, every digit of it: the NumPy
 * module gives the same. */

#include "adamw.h"

#include <stdio.h>

enum { TENSORS = 2, FIRST = 1000, SECOND = 70000, STEPS = 100 };

static float param[FIRST + SECOND], grad[FIRST + SECOND];
static float exp_avg[FIRST + SECOND], exp_avg_sq[FIRST + SECOND];

int main(void) {
  const double hyperparameters[] = {0.01, 0.9, 0.999, 1e-8, 0.1, 1, 1, 0}; /* as adamw.h lists them */
  const uint64_t n[TENSORS] = {FIRST, SECOND};
  void *pointers[] = {
    param, param + FIRST, grad, grad + FIRST, exp_avg, exp_avg + FIRST, exp_avg_sq, exp_avg_sq + FIRST,
  };
  struct optgen_adamw_float32_args args[TENSORS];
  for (int i = 0; i < FIRST + SECOND; ++i) param[i] = 1.0f + (float)(i % 7);
  for (int step = 1; step <= STEPS; ++step) {
    for (int i = 0; i < FIRST + SECOND; ++i) grad[i] = param[i] - 3.0f;
    for (int tensor = 0; tensor < TENSORS; ++tensor)
      if (optgen_adamw_float32_host(hyperparameters, step, (double)n[tensor], NULL, &args[tensor])) return 1;
    optgen_adamw_float32(TENSORS, n, pointers, args, NULL, 0);
  }
  printf("%a %a\n", param[0], param[FIRST]);
  return 0;
}
