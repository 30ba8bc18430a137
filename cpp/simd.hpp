// SPDX-License-Identifier: BSD-3-Clause
// Vectors of the native width, for kernel files only: each is compiled once per CPU level, and
// everything here lives in that level's namespace with internal linkage.
//
// A formula written as a template runs on Vec<float>, Vec<double>, float and double alike, with
// the same bits in every lane. What makes it so: explicit fma, no contraction by the compiler,
// IEEE division, min and max as selects, and no library function.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#else
#error "fastloss has kernels for x86-64 and aarch64"
#endif

#if defined(__FAST_MATH__)
#error "fastloss promises bits and error bounds: -ffast-math breaks both"
#endif

#define INLINE [[gnu::always_inline]] inline

namespace fastloss::FASTLOSS_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

/// A logical block: its number of lanes is the same on every level, so a sum over lanes is too.
constexpr int kBlockBytes = 64;
constexpr int kVectorsPerBlock = kBlockBytes / kVectorBytes;
template <class Element>
constexpr int kBlockLanes = kBlockBytes / static_cast<int>(sizeof(Element));

/// As many lanes of Element (float, double, or the integer of their size) as fit a register.
template <class Element>
struct Vec {
  using Raw [[gnu::vector_size(kVectorBytes)]] = Element;
  static constexpr int lanes = kVectorBytes / static_cast<int>(sizeof(Element));

  Raw raw;

  Vec() = default;
  INLINE Vec(Raw r) : raw(r) {}
  template <class Number>
  INLINE explicit Vec(Number x) : raw(static_cast<Element>(x) - Raw{}) {}  // x - 0 keeps a -0

  INLINE static Vec load(const Element* p) {
    Vec v;
    __builtin_memcpy(&v.raw, p, sizeof v.raw);
    return v;
  }
  INLINE void store(Element* p) const { __builtin_memcpy(p, &raw, sizeof raw); }
};

/// The result of comparing two Vec<Element>: in each lane all bits are set, or none.
template <class Element>
struct Mask {
  using Raw = decltype(typename Vec<Element>::Raw{} < typename Vec<Element>::Raw{});
  Raw raw;
};

/// What is known of a floating type T and of vectors of it.
template <class T>
struct Float;
template <>
struct Float<float> {
  using Element = float;
  using Integer = std::int32_t;
  static constexpr int fraction_bits = 23;
  static constexpr int exponent_bias = 127;
};
template <>
struct Float<double> {
  using Element = double;
  using Integer = std::int64_t;
  static constexpr int fraction_bits = 52;
  static constexpr int exponent_bias = 1023;
};
template <class E>
struct Float<Vec<E>> : Float<E> {
  using Integer = Vec<typename Float<E>::Integer>;
};
template <class T>
using ElementOf = typename Float<T>::Element;
template <class T>
using IntegerOf = typename Float<T>::Integer;

// ---- operators ------------------------------------------------------------------------------

template <class E>
INLINE Vec<E> operator+(Vec<E> a, Vec<E> b) {
  return a.raw + b.raw;
}
template <class E>
INLINE Vec<E> operator-(Vec<E> a, Vec<E> b) {
  return a.raw - b.raw;
}
template <class E>
INLINE Vec<E> operator*(Vec<E> a, Vec<E> b) {
  return a.raw * b.raw;
}
template <class E>
INLINE Vec<E> operator/(Vec<E> a, Vec<E> b) {
  return a.raw / b.raw;
}
template <class E>
INLINE Vec<E> operator-(Vec<E> a) {
  return -a.raw;
}
template <class E>
INLINE Vec<E> operator&(Vec<E> a, Vec<E> b) {
  return a.raw & b.raw;
}
template <class E>
INLINE Vec<E> operator|(Vec<E> a, Vec<E> b) {
  return a.raw | b.raw;
}
template <class E>
INLINE Vec<E> operator<<(Vec<E> a, int bits) {
  return a.raw << bits;
}
template <class E>
INLINE Vec<E> operator>>(Vec<E> a, int bits) {  // arithmetic: the sign is kept
  return a.raw >> bits;
}
template <class E>
INLINE Mask<E> operator<(Vec<E> a, Vec<E> b) {
  return {a.raw < b.raw};
}
template <class E>
INLINE Mask<E> operator<=(Vec<E> a, Vec<E> b) {
  return {a.raw <= b.raw};
}
template <class E>
INLINE Mask<E> operator>(Vec<E> a, Vec<E> b) {
  return {a.raw > b.raw};
}
template <class E>
INLINE Mask<E> operator>=(Vec<E> a, Vec<E> b) {
  return {a.raw >= b.raw};
}
template <class E>
INLINE Mask<E> operator==(Vec<E> a, Vec<E> b) {
  return {a.raw == b.raw};
}
template <class E>
INLINE Mask<E> operator!=(Vec<E> a, Vec<E> b) {
  return {a.raw != b.raw};
}
template <class E>
INLINE Mask<E> operator&(Mask<E> a, Mask<E> b) {
  return {a.raw & b.raw};
}
template <class E>
INLINE Mask<E> operator|(Mask<E> a, Mask<E> b) {
  return {a.raw | b.raw};
}

/// a where the condition holds, else b; a NaN in the other one does not matter.
template <class E>
INLINE Vec<E> select(Mask<E> condition, Vec<E> a, Vec<E> b) {
  return condition.raw ? a.raw : b.raw;
}
template <class T>
INLINE T select(bool condition, T a, T b) {
  return condition ? a : b;
}

// ---- what the language has no operator for -----------------------------------------------------

#if defined(__FMA__) || defined(__aarch64__)
constexpr bool has_fma = true;
#else
constexpr bool has_fma = false;
#endif

/// a * b + c, rounded once. The x86-64 baseline has no such instruction and rounds twice.
INLINE float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
INLINE double fma(double a, double b, double c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}
INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a.raw, b.raw, c.raw);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a.raw, b.raw, c.raw);
#elif defined(__aarch64__)
  return vfmaq_f32(c.raw, a.raw, b.raw);
#else
  return a * b + c;
#endif
}
INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a.raw, b.raw, c.raw);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a.raw, b.raw, c.raw);
#elif defined(__aarch64__)
  return vfmaq_f64(c.raw, a.raw, b.raw);
#else
  return a * b + c;
#endif
}

/// The square root, rounded once.
INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
INLINE double sqrt(double x) { return __builtin_sqrt(x); }
INLINE Vec<float> sqrt(Vec<float> x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, x.raw);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x.raw);
#elif defined(__x86_64__)
  return _mm_sqrt_ps(x.raw);
#else
  return vsqrtq_f32(x.raw);
#endif
}
INLINE Vec<double> sqrt(Vec<double> x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xff, x.raw);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x.raw);
#elif defined(__x86_64__)
  return _mm_sqrt_pd(x.raw);
#else
  return vsqrtq_f64(x.raw);
#endif
}

/// a + b and a − b by the units that multiply, in formulas that keep those that add busy: CPUs have
/// as many of both. It is the same number.
template <class T>
INLINE T sum_by_fma(T a, T b) {
  if constexpr (has_fma) {
    return fma(a, T(1), b);
  } else {
    return a + b;
  }
}
template <class T>
INLINE T difference_by_fma(T a, T b) {
  if constexpr (has_fma) {
    return fma(b, T(-1), a);
  } else {
    return a - b;
  }
}

/// Stores past the caches, where the CPU can: memory need not be read to be written. For results
/// that will not be read soon; p is a multiple of 16 bytes.
INLINE void store_past_cache(float* p, Vec<float> v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v.raw));  // lest the parts be taken beforehand, also where nothing is stored so
  _mm_stream_ps(p, _mm512_maskz_extractf32x4_ps(0xf, v.raw, 0));
  _mm_stream_ps(p + 4, _mm512_maskz_extractf32x4_ps(0xf, v.raw, 1));
  _mm_stream_ps(p + 8, _mm512_maskz_extractf32x4_ps(0xf, v.raw, 2));
  _mm_stream_ps(p + 12, _mm512_maskz_extractf32x4_ps(0xf, v.raw, 3));
#elif defined(__AVX2__)
  _mm_stream_ps(p, _mm256_castps256_ps128(v.raw));
  _mm_stream_ps(p + 4, _mm256_extractf128_ps(v.raw, 1));
#elif defined(__x86_64__)
  _mm_stream_ps(p, v.raw);
#else
  v.store(p);
#endif
}
INLINE void store_past_cache(double* p, Vec<double> v) {
  store_past_cache(reinterpret_cast<float*>(p), __builtin_bit_cast(Vec<float>, v));
}

template <class T>
INLINE void store_maybe_past_cache(bool past_cache, T* p, Vec<T> v) {
  if (past_cache) {
    store_past_cache(p, v);
  } else {
    v.store(p);
  }
}

/// Makes such stores visible before all that follows.
INLINE void finish_past_cache() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

/// The first `count` lanes from p, 0 ≤ count ≤ lanes, and padding in the others. Reads no further.
template <class E>
INLINE Vec<E> load_first(const E* p, int count, Vec<E> padding) {
#if defined(__AVX512F__)
  if constexpr (sizeof(E) == 4) {
    return _mm512_mask_loadu_ps(padding.raw, static_cast<__mmask16>((1u << count) - 1), p);
  } else {
    return _mm512_mask_loadu_pd(padding.raw, static_cast<__mmask8>((1u << count) - 1), p);
  }
#else
  E lanes[Vec<E>::lanes];
  padding.store(lanes);
  for (int i = 0; i < count; ++i) lanes[i] = p[i];
  return Vec<E>::load(lanes);
#endif
}
/// Stores the first `count` lanes and touches nothing beyond.
template <class E>
INLINE void store_first(E* p, int count, Vec<E> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(E) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v.raw);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1), v.raw);
  }
#else
  E lanes[Vec<E>::lanes];
  v.store(lanes);
  for (int i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

/// The lower and the upper half of the lanes in double precision.
struct Widened {
  Vec<double> low, high;

  Widened() = default;
  INLINE Widened(Vec<double> l, Vec<double> h) : low(l), high(h) {}
  INLINE explicit Widened(double x) : low(x), high(x) {}
};
INLINE Widened widen(Vec<float> v) {
#if defined(__AVX512F__)  // not the plain intrinsics: GCC 12 warns of what is inside them
  const __m256 low = __builtin_shufflevector(v.raw, v.raw, 0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 high = _mm512_maskz_extractf32x8_ps(0xff, v.raw, 1);
  return {_mm512_maskz_cvtps_pd(0xff, low), _mm512_maskz_cvtps_pd(0xff, high)};
#elif defined(__AVX2__)
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(v.raw)),
          _mm256_cvtps_pd(_mm256_extractf128_ps(v.raw, 1))};
#elif defined(__x86_64__)
  return {_mm_cvtps_pd(v.raw), _mm_cvtps_pd(_mm_movehl_ps(v.raw, v.raw))};
#else
  return {vcvt_f64_f32(vget_low_f32(v.raw)), vcvt_high_f64_f32(v.raw)};
#endif
}

/// As many numbers as fit a vector of doubles.
INLINE Vec<double> load_doubles(const double* p) { return Vec<double>::load(p); }
INLINE Vec<double> load_doubles(const float* p) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
#elif defined(__x86_64__)
  return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadu_si64(p)));
#else
  return vcvt_f64_f32(vld1_f32(p));
#endif
}

/// The inverse: rounded, to infinity where a number is too large.
INLINE Vec<float> narrow(Widened v) {
#if defined(__AVX512F__)
  const __m512 low = _mm512_castps256_ps512(_mm512_maskz_cvtpd_ps(0xff, v.low.raw));
  return _mm512_maskz_insertf32x8(0xffff, low, _mm512_maskz_cvtpd_ps(0xff, v.high.raw), 1);
#elif defined(__AVX2__)
  return _mm256_set_m128(_mm256_cvtpd_ps(v.high.raw), _mm256_cvtpd_ps(v.low.raw));
#elif defined(__x86_64__)
  return _mm_movelh_ps(_mm_cvtpd_ps(v.low.raw), _mm_cvtpd_ps(v.high.raw));
#else
  return vcvt_high_f32_f64(vcvt_f32_f64(v.low.raw), v.high.raw);
#endif
}

/// f(x, y) in double precision, rounded.
INLINE Vec<float> through_double(auto f, Vec<float> x, Vec<float> y) {
  const Widened wide_x = widen(x), wide_y = widen(y);
  return narrow({f(wide_x.low, wide_y.low), f(wide_x.high, wide_y.high)});
}
INLINE float through_double(auto f, float x, float y) {
  return static_cast<float>(f(static_cast<double>(x), static_cast<double>(y)));
}

/// x·2ⁿ for an integral n, rounded once; where the CPU has an instruction for it.
template <class T>
constexpr bool has_ldexp = false;
#if defined(__AVX512F__)
template <class E>
constexpr bool has_ldexp<Vec<E>> = true;
INLINE Vec<float> ldexp(Vec<float> x, Vec<float> n) {
  return _mm512_maskz_scalef_ps(0xffff, x.raw, n.raw);
}
INLINE Vec<double> ldexp(Vec<double> x, Vec<double> n) {
  return _mm512_maskz_scalef_pd(0xff, x.raw, n.raw);
}
#endif

/// The bits of a float as an integer of its size, and back.
template <class T>
INLINE IntegerOf<T> to_bits(T x) {
  return __builtin_bit_cast(IntegerOf<T>, x);
}
template <class T>
INLINE T from_bits(IntegerOf<T> bits) {
  return __builtin_bit_cast(T, bits);
}

template <class T>
INLINE T abs(T x) {
  using Integer = IntegerOf<T>;
  using Bits = typename Float<ElementOf<T>>::Integer;
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  return from_bits<T>(to_bits(x) & Integer(~sign));
}
/// |magnitude| with the sign bit of sign.
template <class T>
INLINE T copysign(T magnitude, T sign) {
  using Integer = IntegerOf<T>;
  using Bits = typename Float<ElementOf<T>>::Integer;
  constexpr Bits bit = Bits{1} << (8 * sizeof(Bits) - 1);
  return from_bits<T>((to_bits(magnitude) & Integer(~bit)) | (to_bits(sign) & Integer(bit)));
}
/// -1 or 1; x itself where it is 0 or NaN.
template <class T>
INLINE T sign(T x) {
  return select(abs(x) > T(0), copysign(T(1), x), x);
}
/// The larger one; b where either is NaN.
template <class T>
INLINE T max(T a, T b) {
  return select(a > b, a, b);
}
/// The smaller one; b where either is NaN.
template <class T>
INLINE T min(T a, T b) {
  return select(a < b, a, b);
}
#if defined(__x86_64__)  // one instruction with just this rule for NaN, which GCC 12 does not find
#if defined(__AVX512F__)
INLINE Vec<float> max(Vec<float> a, Vec<float> b) {
  return _mm512_maskz_max_ps(0xffff, a.raw, b.raw);
}
INLINE Vec<float> min(Vec<float> a, Vec<float> b) {
  return _mm512_maskz_min_ps(0xffff, a.raw, b.raw);
}
INLINE Vec<double> max(Vec<double> a, Vec<double> b) {
  return _mm512_maskz_max_pd(0xff, a.raw, b.raw);
}
INLINE Vec<double> min(Vec<double> a, Vec<double> b) {
  return _mm512_maskz_min_pd(0xff, a.raw, b.raw);
}
#elif defined(__AVX2__)
INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return _mm256_max_ps(a.raw, b.raw); }
INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return _mm256_min_ps(a.raw, b.raw); }
INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return _mm256_max_pd(a.raw, b.raw); }
INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return _mm256_min_pd(a.raw, b.raw); }
#else
INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return _mm_max_ps(a.raw, b.raw); }
INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return _mm_min_ps(a.raw, b.raw); }
INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return _mm_max_pd(a.raw, b.raw); }
INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return _mm_min_pd(a.raw, b.raw); }
#endif
#endif

/// Whether the condition holds in any lane.
INLINE bool any(bool condition) { return condition; }
template <class E>
INLINE bool any(Mask<E> condition) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(__builtin_bit_cast(__m512i, condition.raw)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8(__builtin_bit_cast(__m256i, condition.raw)) != 0;
#elif defined(__x86_64__)
  return _mm_movemask_epi8(__builtin_bit_cast(__m128i, condition.raw)) != 0;
#else
  return vmaxvq_u32(__builtin_bit_cast(uint32x4_t, condition.raw)) != 0;
#endif
}

template <int... numbers>
struct Numbers {};
template <int count, int... numbers>
struct CountUp : CountUp<count - 1, count - 1, numbers...> {};
template <int... numbers>
struct CountUp<0, numbers...> {
  using type = Numbers<numbers...>;
};

template <class Raw, int... low>
INLINE auto halves_together(Raw v, auto op, Numbers<low...>) {
  constexpr int half = sizeof...(low);
  const auto together =
      op(__builtin_shufflevector(v, v, low...), __builtin_shufflevector(v, v, (low + half)...));
  if constexpr (half == 1) {
    return together[0];
  } else {
    return halves_together(together, op, typename CountUp<half / 2>::type{});
  }
}
/// All lanes brought together by op, lane i with lane i + half at each step of the tree.
template <class E>
INLINE E fold(Vec<E> v, auto op) {
  return halves_together(v.raw, op, typename CountUp<Vec<E>::lanes / 2>::type{});
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
