// Grid-stride loop, fmaf, float4; bias corrections on the device by __powf.
extern "C" __global__ void adam_powf(float4* __restrict__ p, const float4* __restrict__ g,
                                     float4* __restrict__ m, float4* __restrict__ v, float lr,
                                     float beta1, float beta2, float eps, int step, int n) {
  float step_size = lr / (1.0f - __powf(beta1, (float)step));
  float root = sqrtf(1.0f - __powf(beta2, (float)step));
  int stride = gridDim.x * blockDim.x;
#pragma unroll 1
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n / 4; i += stride) {
    float4 pp = p[i], gg = g[i], mm = m[i], vv = v[i];
#define ONE(c)                                           \
  mm.c = fmaf(beta1, mm.c - gg.c, gg.c);                 \
  vv.c = fmaf(beta2, vv.c, (1.0f - beta2) * gg.c * gg.c); \
  pp.c = fmaf(-step_size, mm.c / (sqrtf(vv.c) / root + eps), pp.c);
    ONE(x) ONE(y) ONE(z) ONE(w)
    p[i] = pp; m[i] = mm; v[i] = vv;
  }
  int tail = n / 4 * 4 + blockIdx.x * blockDim.x + threadIdx.x;
  float *ps = (float*)p, *ms = (float*)m, *vs = (float*)v; const float* gs = (const float*)g;
#pragma unroll 1
  for (; tail < n; tail += stride) {
    float gg = gs[tail];
    float mm = fmaf(beta1, ms[tail] - gg, gg);
    float vv = fmaf(beta2, vs[tail], (1.0f - beta2) * gg * gg);
    ps[tail] = fmaf(-step_size, mm / (sqrtf(vv) / root + eps), ps[tail]);
    ms[tail] = mm; vs[tail] = vv;
  }
}
