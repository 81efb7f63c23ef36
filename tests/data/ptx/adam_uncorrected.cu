// As 1 without the bias corrections, literals for the betas.
extern "C" __global__ void adam_uncorrected(float* p, const float* g, float* m, float* v, float lr,
                                            float eps, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  m[i] = 0.9f * m[i] + 0.1f * g[i];
  v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
  p[i] -= lr * m[i] / (sqrtf(v[i]) + eps);
}
