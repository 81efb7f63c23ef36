// A loop that the compiler unrolls: first one to three passes, then four at once.
extern "C" __global__ void sgd_unrolled(float* p, const float* g, float lr, long long n) {
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n;
       i += (long long)gridDim.x * blockDim.x)
    p[i] -= lr * g[i];
}
