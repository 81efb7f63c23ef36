// Reciprocal root, eps inside it: not RMSprop as PyTorch has it.
extern "C" __global__ void rmsprop_rsqrt(float* p, const float* g, float* s, float lr, float alpha,
                                         float eps, long long n) {
#pragma unroll 1
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n;
       i += (long long)gridDim.x * blockDim.x) {
    float gi = g[i];
    float si = alpha * s[i] + (1.0f - alpha) * gi * gi;
    s[i] = si;
    p[i] -= lr * gi * rsqrtf(si + eps);
  }
}
