// As 1, but the decay goes into the gradient.
extern "C" __global__ void adamw_coupled(float* p, const float* g, float* m, float* v, float lr,
                                         float beta1, float beta2, float eps, float weight_decay,
                                         float bias_correction1, float bias_correction2_sqrt, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float grad = g[i] + weight_decay * p[i];
  float exp_avg = beta1 * m[i] + (1.0f - beta1) * grad;
  float exp_avg_sq = beta2 * v[i] + (1.0f - beta2) * grad * grad;
  float denom = sqrtf(exp_avg_sq) / bias_correction2_sqrt + eps;
  m[i] = exp_avg;
  v[i] = exp_avg_sq;
  p[i] -= (lr / bias_correction1) * exp_avg / denom;
}
