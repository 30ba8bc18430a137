// SPDX-License-Identifier: BSD-3-Clause
// Elementary functions for formulas: for Vec<float>, Vec<double>, float and double, with the same
// bits in every lane.
#pragma once

#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// Pairs of terms first, then Horner's rule in x²: as many operations as Horner's rule in x, where
// x² is at hand, in half the latency.
template <class T>
INLINE T polynomial_in_pairs(T, T, ElementOf<T> last) {
  return T(last);
}
template <class T>
INLINE T polynomial_in_pairs(T x, T, ElementOf<T> even, ElementOf<T> odd) {
  return fma(T(odd), x, T(even));
}
template <class T, class... Higher>
INLINE T polynomial_in_pairs(T x, T square, ElementOf<T> even, ElementOf<T> odd, Higher... higher) {
  return fma(polynomial_in_pairs(x, square, higher...), square, fma(T(odd), x, T(even)));
}
/// coefficients[0] + coefficients[1] x + coefficients[2] x² + ...
template <class T, class... Coefficients>
INLINE T polynomial(T x, Coefficients... coefficients) {
  return polynomial_in_pairs(x, x * x, coefficients...);
}

template <class Element>
struct Constants;
template <>
struct Constants<float> {
  static constexpr float infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float rounder = 0x1.8p23f;
  static constexpr float log2_e = 0x1.715476p0f;
  // log 2 in two parts: integers below 2⁸ times the first are exact.
  static constexpr float log_2_high = 0x1.62e4p-1f;
  static constexpr float log_2_low = 0x1.7f7d1cp-20f;
  static constexpr float exp_zero = -104;  // rounds to 0, as all below does
  static constexpr float exp_infinity = 89;
  static constexpr float expm1_minus_one = -18;
};
template <>
struct Constants<double> {
  static constexpr double infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double rounder = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log_2_high = 0x1.62e42fefa3800p-1;  // integers below 2¹¹
  static constexpr double log_2_low = 0x1.ef35793c76730p-45;
  static constexpr double exp_zero = -746;
  static constexpr double exp_infinity = 710;
  static constexpr double expm1_minus_one = -38;
};

template <class T>
constexpr bool is_single = sizeof(ElementOf<T>) == sizeof(float);

// (eˣ − 1 − x) / x² for |x| <= log(2) / 2.
template <class T>
INLINE T exp_rest(T x) {
  if constexpr (is_single<T>) {
    return polynomial(x, 0.49999997f, 0.16666546f, 0.04166744f, 0.008366252f, 0.0013870319f);
  } else {
    return polynomial(x, 0.5000000000000006, 0.1666666666666665, 0.04166666666657632,
                      0.008333333333360417, 0.0013888888931368653, 0.00019841269769502987,
                      2.480150563961454e-05, 2.755737015004112e-06, 2.7625875749713264e-07,
                      2.5063840736542877e-08);
  }
}

// (log(1 + x) − x) / x² for sqrt(1/2) <= 1 + x <= sqrt(2).
template <class T>
INLINE T log_rest(T x) {
  if constexpr (is_single<T>) {
    return polynomial(x, -0.49999988f, 0.33333322f, -0.25001606f, 0.20002218f, -0.16608757f,
                      0.14176834f, -0.13240226f, 0.12934612f, -0.07665682f);
  } else {
    return polynomial(
        x, -0.5000000000000003, 0.33333333333333043, -0.24999999999976424, 0.20000000000082646,
        -0.16666666671185584, 0.14285714279716358, -0.1249999961400267, 0.11111111102322893,
        -0.1000001764203535, 0.0909092710868945, -0.08332869451599582, 0.0769144301925258,
        -0.07149883439469089, 0.06685792762780542, -0.061946158474029074, 0.05659978994351621,
        -0.05678091442178428, 0.06526731699980788, -0.0600336095406672, 0.026170201627749457);
  }
}

// (log(1 + x) − x) / x² for 0 <= x <= 1.
template <class T>
INLINE T log1p_unit_rest(T x) {
  if constexpr (is_single<T>) {
    return polynomial(x, -0.4999993f, 0.33330464f, -0.24958014f, 0.19692048f, -0.15344635f,
                      0.106605634f, -0.057450276f, 0.020081846f, -0.003289347f);
  } else {
    return polynomial(x, -0.4999999999999946, 0.3333333333323526, -0.2499999999368577,
                      0.19999999791530346, -0.16666662501380816, 0.14285658923793695,
                      -0.12499479784404084, 0.11107506797277876, -0.0998101768338483,
                      0.09013160756129818, -0.08081225192708491, 0.07035561716817272,
                      -0.05750221431077531, 0.04230023732007509, -0.026743968737908727,
                      0.013838520611768663, -0.005543038532102272, 0.0015957050433736371,
                      -0.0002917512019495291, 2.5328735255626672e-05);
  }
}

/// 2ⁿ from T(n + exponent_bias + rounder).
template <class T>
INLINE T power_of_two(IntegerOf<T> biased) {
  return from_bits<T>(biased << Float<ElementOf<T>>::fraction_bits);
}

/// x = n log 2 + head + low, with an exact head; tail = e^(head + low) - 1 - head.
template <class T>
struct ExpParts {
  T n, head, tail;
};
template <class T>
INLINE ExpParts<T> exp_parts(T x) {
  using C = Constants<ElementOf<T>>;
  const T n = fma(x, T(C::log2_e), T(C::rounder)) - T(C::rounder);
  const T head = fma(n, T(-C::log_2_high), x);
  const T low = n * T(-C::log_2_low);
  const T r = head + low;
  return {n, head, fma(r * r, exp_rest(r), low)};
}

/// eˣ.
template <class T>
INLINE T exp(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int bias = Float<ElementOf<T>>::exponent_bias;
  const auto [n, head, tail] = exp_parts(max(T(C::exp_zero), min(T(C::exp_infinity), x)));
  const T sum = T(1) + head;
  const T error = head - (sum - T(1));
  const auto half = to_bits(fma(n, T(0.5), T(C::rounder + bias)));
  const auto whole = to_bits(n + T(C::rounder + 2 * bias));
  return (sum + (error + tail)) * power_of_two<T>(half) * power_of_two<T>(whole - half);
}

/// eˣ − 1.
template <class T>
INLINE T expm1(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int bias = Float<ElementOf<T>>::exponent_bias;
  const auto [n, head, tail] = exp_parts(max(T(C::expm1_minus_one), min(T(C::exp_infinity), x)));
  const T below = min(T(bias), n);  // 2ⁿ may overflow where the result does not
  const T scale = power_of_two<T>(to_bits(below + T(C::rounder + bias)));
  const T one = scale - T(1);
  const T sum = fma(head, scale, one);
  const T error = fma(head, scale, one - sum);
  return fma(tail, scale, error) + sum;
}

/// n log 2 + log(1 + f + low).
template <class T>
INLINE T log_core(T n, T f, T low) {
  using C = Constants<ElementOf<T>>;
  const T whole = n * T(C::log_2_high);
  const T sum = whole + f;
  const T error = f - (sum - whole);
  const T tail = fma(n, T(C::log_2_low), error + low);
  return sum + fma(f * f, log_rest(f), tail);
}

/// The logarithm of y, which is result where y is positive and finite.
template <class T>
INLINE T log_edges(T y, T result) {
  using C = Constants<ElementOf<T>>;
  const T nonpositive = select(y == T(0), T(-C::infinity), T(C::nan));
  return select(y > T(0), select(y < T(C::infinity), result, y), nonpositive);
}

/// The exponent of y as a number, so that sqrt(1/2) <= y / 2ⁿ < sqrt(2).
template <class T>
struct Exponent {
  IntegerOf<T> shifted;
  T n;
};
template <class T>
INLINE Exponent<T> exponent(T y) {
  using C = Constants<ElementOf<T>>;
  using F = Float<ElementOf<T>>;
  using Integer = IntegerOf<T>;
  constexpr auto root =
      __builtin_bit_cast(typename F::Integer, is_single<T> ? ElementOf<T>(0x1.6a09e6p-1)
                                                           : ElementOf<T>(0x1.6a09e667f3bcdp-1));
  constexpr auto one = __builtin_bit_cast(typename F::Integer, ElementOf<T>(C::rounder));
  const Integer n = (to_bits(y) - Integer(root)) >> F::fraction_bits;
  return {n << F::fraction_bits, from_bits<T>(n + Integer(one)) - T(C::rounder)};
}

/// log x.
template <class T>
INLINE T log(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int lift = Float<ElementOf<T>>::fraction_bits + 1;
  constexpr ElementOf<T> lift_factor = is_single<T> ? 0x1p24 : 0x1p53;
  const auto subnormal = x < T(C::smallest_normal);
  const T y = select(subnormal, x * T(lift_factor), x);
  const auto [shifted, n] = exponent(y);
  const T f = from_bits<T>(to_bits(y) - shifted) - T(1);
  return log_edges(x, log_core(n - select(subnormal, T(lift), T(0)), f, T(0)));
}

/// log(1 + x).
template <class T>
INLINE T log1p(T x) {
  using F = Float<ElementOf<T>>;
  using Integer = IntegerOf<T>;
  constexpr auto one = __builtin_bit_cast(typename F::Integer, ElementOf<T>(1));
  const T y = T(1) + x;
  const auto [shifted, n] = exponent(y);
  const T a = from_bits<T>(Integer(one) - shifted) - T(1);
  const T b = from_bits<T>(to_bits(x) - shifted);
  const T f = a + b;
  return copysign(log_edges(y, log_core(n, f, b - (f - a))), x);
}

/// log(1 + x) for 0 <= x <= 1.
template <class T>
INLINE T log1p_unit(T x) {
  return fma(x * x, log1p_unit_rest(x), x);
}

/// tanh x.
template <class T>
INLINE T tanh(T x) {
  const T e = expm1(T(-2) * abs(x));
  return copysign(e / (T(2) + e), x);
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
