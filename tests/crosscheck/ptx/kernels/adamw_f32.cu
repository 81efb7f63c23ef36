// AdamW on float, four elements per access, a scalar tail; every rounding is written out.
struct Hyper { float lr, beta1, beta2, eps, decay, one_minus_beta1, one_minus_beta2, bias1, bias2; };

static __device__ __forceinline__ void update(float &param, float grad, float &avg, float &sq, const Hyper &h) {
  avg = __fadd_rn(__fmul_rn(h.beta1, avg), __fmul_rn(h.one_minus_beta1, grad));
  sq = __fadd_rn(__fmul_rn(h.beta2, sq), __fmul_rn(h.one_minus_beta2, __fmul_rn(grad, grad)));
  float denom = __fadd_rn(__fsqrt_rn(__fdiv_rn(sq, h.bias2)), h.eps);
  float decayed = __fsub_rn(param, __fmul_rn(__fmul_rn(h.lr, h.decay), param));
  param = __fsub_rn(decayed, __fmul_rn(h.lr, __fdiv_rn(__fdiv_rn(avg, h.bias1), denom)));
}

extern "C" __global__ void __launch_bounds__(256)
adamw(float *__restrict__ param, const float *__restrict__ grad, float *__restrict__ avg,
      float *__restrict__ sq, Hyper h, long long n) {
  long long stride = (long long)gridDim.x * blockDim.x;
  long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long all = (unsigned long long)param | (unsigned long long)grad |
                           (unsigned long long)avg | (unsigned long long)sq;
  long long vectors = (all & 15) == 0 ? n / 4 : 0;
  for (long long i = first; i < vectors; i += stride) {
    float4 p = reinterpret_cast<float4 *>(param)[i], g = reinterpret_cast<const float4 *>(grad)[i];
    float4 a = reinterpret_cast<float4 *>(avg)[i], s = reinterpret_cast<float4 *>(sq)[i];
    update(p.x, g.x, a.x, s.x, h);
    update(p.y, g.y, a.y, s.y, h);
    update(p.z, g.z, a.z, s.z, h);
    update(p.w, g.w, a.w, s.w, h);
    reinterpret_cast<float4 *>(param)[i] = p;
    reinterpret_cast<float4 *>(avg)[i] = a;
    reinterpret_cast<float4 *>(sq)[i] = s;
  }
  for (long long i = 4 * vectors + first; i < n; i += stride)
    update(param[i], grad[i], avg[i], sq[i], h);
}
