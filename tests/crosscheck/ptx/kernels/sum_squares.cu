// One sum of squares per block: a strided loop, a warp by shuffles, the warps through shared memory.
extern "C" __global__ void __launch_bounds__(256)
sum_squares(const float *__restrict__ x, float *__restrict__ partial, int *__restrict__ nonzero, int n) {
  __shared__ float sums[8];
  __shared__ float total;
  float sum = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    sum = __fadd_rn(sum, __fmul_rn(x[i], x[i]));
  for (int offset = 16; offset > 0; offset /= 2)
    sum = __fadd_rn(sum, __shfl_xor_sync(0xffffffffu, sum, offset));
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();  // first
  if (threadIdx.x == 0) {
    float all = sums[0];
    for (int w = 1; w < blockDim.x / 32; ++w) all = __fadd_rn(all, sums[w]);
    total = all;
  }
  __syncthreads();  // second
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
  nonzero[blockIdx.x * blockDim.x + threadIdx.x] = total > 0.0f;
}
