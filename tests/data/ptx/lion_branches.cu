// Lion with branches on values, in double; hyperparameters in device memory.
extern "C" __global__ void lion_branches(double* p, const double* g, double* m,
                                         const double* __restrict__ lr, double beta1, double beta2,
                                         double weight_decay, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    double c = beta1 * m[i] + (1.0 - beta1) * g[i];
    double x = p[i] - *lr * weight_decay * p[i];
    if (c > 0.0) x -= *lr;
    else if (c < 0.0) x += *lr;
    p[i] = x;
    m[i] = beta2 * m[i] + (1.0 - beta2) * g[i];
  }
}
