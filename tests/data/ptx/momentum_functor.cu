// A functor applied to a chunk of one tensor, four elements apart in flight.
struct Momentum {
  float lr, momentum;
  __device__ void operator()(float& p, float g, float& b) const {
    b = momentum * b + g;
    p -= lr * b;
  }
};
template <typename F, int ILP>
__device__ void apply(F f, float* p, const float* g, float* b, long long n, int chunk) {
  long long begin = (long long)blockIdx.x * chunk;
  for (int start = 0; start < chunk && begin + start < n; start += blockDim.x * ILP) {
    float rp[ILP], rg[ILP], rb[ILP];
#pragma unroll
    for (int k = 0; k < ILP; ++k) {
      int i = start + threadIdx.x + k * blockDim.x;
      if (i < chunk && begin + i < n) {
        rp[k] = p[begin + i]; rg[k] = g[begin + i]; rb[k] = b[begin + i];
        f(rp[k], rg[k], rb[k]);
        p[begin + i] = rp[k]; b[begin + i] = rb[k];
      }
    }
  }
}
extern "C" __global__ void momentum_functor(float* p, const float* g, float* b, Momentum f,
                                            long long n) {
  apply<Momentum, 4>(f, p, g, b, n, 65536);
}
