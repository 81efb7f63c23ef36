// AdamW on double, two elements per access, a scalar tail; every rounding is written out.
struct Hyper { double lr, beta1, beta2, eps, decay, one_minus_beta1, one_minus_beta2, bias1, bias2; };

static __device__ __forceinline__ void update(double &param, double grad, double &avg, double &sq, const Hyper &h) {
  avg = __dadd_rn(__dmul_rn(h.beta1, avg), __dmul_rn(h.one_minus_beta1, grad));
  sq = __dadd_rn(__dmul_rn(h.beta2, sq), __dmul_rn(h.one_minus_beta2, __dmul_rn(grad, grad)));
  double denom = __dadd_rn(__dsqrt_rn(__ddiv_rn(sq, h.bias2)), h.eps);
  double decayed = __dsub_rn(param, __dmul_rn(__dmul_rn(h.lr, h.decay), param));
  param = __dsub_rn(decayed, __dmul_rn(h.lr, __ddiv_rn(__ddiv_rn(avg, h.bias1), denom)));
}

extern "C" __global__ void __launch_bounds__(256)
adamw(double *__restrict__ param, const double *__restrict__ grad, double *__restrict__ avg,
      double *__restrict__ sq, Hyper h, long long n) {
  long long stride = (long long)gridDim.x * blockDim.x;
  long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long all = (unsigned long long)param | (unsigned long long)grad |
                           (unsigned long long)avg | (unsigned long long)sq;
  long long vectors = (all & 15) == 0 ? n / 2 : 0;
  for (long long i = first; i < vectors; i += stride) {
    double2 p = reinterpret_cast<double2 *>(param)[i], g = reinterpret_cast<const double2 *>(grad)[i];
    double2 a = reinterpret_cast<double2 *>(avg)[i], s = reinterpret_cast<double2 *>(sq)[i];
    update(p.x, g.x, a.x, s.x, h);
    update(p.y, g.y, a.y, s.y, h);
    reinterpret_cast<double2 *>(param)[i] = p;
    reinterpret_cast<double2 *>(avg)[i] = a;
    reinterpret_cast<double2 *>(sq)[i] = s;
  }
  for (long long i = 2 * vectors + first; i < n; i += stride)
    update(param[i], grad[i], avg[i], sq[i], h);
}
