// Vectors where four are left, the rest one by one by the thread that meets it.
extern "C" __global__ void sgd_rest(float* p, const float* g, float lr, int n) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (i + 3 < n) {
    float4 a = *(float4*)(p + i);
    float4 b = *(const float4*)(g + i);
    a.x -= lr * b.x; a.y -= lr * b.y; a.z -= lr * b.z; a.w -= lr * b.w;
    *(float4*)(p + i) = a;
  } else {
#pragma unroll 1
    for (int k = i; k < n; ++k) p[k] -= lr * g[k];
  }
}
