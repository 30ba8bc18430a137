// SPDX-License-Identifier: BSD-3-Clause
// Elementary functions for formulas: for Vec<float>, Vec<double>, float and double, with the same
// bits in every lane.
//
// An error in ULP is |result − truth| / (spacing of the numbers at the truth). The two above a
// function are the largest found for float, over all arguments, and for double, over 10⁹ of them.
// They hold where fma rounds once; the third is the larger one of the x86-64 baseline, which has
// none. NaN gives NaN throughout.
#pragma once

#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Element>
struct Constants;
template <>
struct Constants<float> {
  static constexpr float infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float rounder = 0x1.8p23f;  // plus x: x is rounded, and in the lowest bits
  static constexpr float log2_e = 0x1.715476p0f;
  static constexpr float log_2_high = 0x1.62e4p-1f;  // times an integer below 2⁹: exact
  static constexpr float log_2_low = 0x1.7f7d1cp-20f;
  static constexpr float exp_zero = -104;        // eˣ rounds to 0,
  static constexpr float exp_infinity = 89;      // to infinity,
  static constexpr float expm1_minus_one = -20;  // eˣ − 1 to −1
};
template <>
struct Constants<double> {
  static constexpr double infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double rounder = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log_2_high = 0x1.62e42fefa38p-1;  // times an integer below 2¹¹: exact
  static constexpr double log_2_low = 0x1.ef35793c7673p-45;
  static constexpr double exp_zero = -746;
  static constexpr double exp_infinity = 710;
  static constexpr double expm1_minus_one = -40;
};
template <class T>
constexpr bool is_single = sizeof(ElementOf<T>) == sizeof(float);

// ---- polynomials ----------------------------------------------------------------------------

// Pairs of terms, then Horner's rule in x²: where x² is at hand, as many operations as Horner's
// rule in x, and half its latency.
template <class T>
INLINE T polynomial_by_pairs(T, T, ElementOf<T> last) {
  return T(last);
}
template <class T>
INLINE T polynomial_by_pairs(T x, T, ElementOf<T> even, ElementOf<T> odd) {
  return fma(T(odd), x, T(even));
}
template <class T, class... Higher>
INLINE T polynomial_by_pairs(T x, T square, ElementOf<T> even, ElementOf<T> odd, Higher... higher) {
  return fma(polynomial_by_pairs(x, square, higher...), square, fma(T(odd), x, T(even)));
}
/// c₀ + c₁x + c₂x² + ...
template <class T, class... Coefficients>
INLINE T polynomial(T x, Coefficients... c) {
  return polynomial_by_pairs(x, x * x, c...);
}

/// (eˣ − 1 − x) / x² for |x| <= log(2) / 2.
template <class T>
INLINE T exp_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-28.2 of the result
    return polynomial(x, 0.49999994f, 0.16666523f, 0.041668292f, 0.008368531f, 0.0013818298f);
  } else {
    // tools/polynomials.py: within 2^-57.9 of the result
    return polynomial(x, 0.5000000000000011, 0.16666666666666466, 0.04166666666652884,
                      0.00833333333347013, 0.0013888888943691473, 0.00019841269546536373,
                      2.4801493176866145e-05, 2.755755815904281e-06, 2.76301940450868e-07,
                      2.5007329105797154e-08);
  }
}

/// The same, for small results: more terms.
template <class T>
INLINE T expm1_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-31.1 of the result
    return polynomial(x, 0.5f, 0.16666666f, 0.041666493f, 0.008333547f, 0.0013932312f,
                      0.00019760984f);
  } else {
    // tools/polynomials.py: within 2^-61.6 of the result
    return polynomial(x, 0.5, 0.16666666666666677, 0.041666666666666685, 0.008333333333321726,
                      0.001388888888888817, 0.00019841269885498473, 2.480158729508477e-05,
                      2.7557245052017234e-06, 2.7557314091927367e-07, 2.5108701532452865e-08,
                      2.0898791360188195e-09);
  }
}

/// (log((1 + s) / (1 − s)) − 2s) / s³ for x = s² and 0.75 <= (1 + s) / (1 − s) <= 1.5.
template <class T>
INLINE T log_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-28.4 of the result
    return polynomial(x, 0.6666695f, 0.3995767f, 0.30364195f);
  } else {
    // tools/polynomials.py: within 2^-62.7 of the result
    return polynomial(x, 0.666666666666666, 0.4000000000005666, 0.28571428555832207,
                      0.2222222429612508, 0.1818166588600499, 0.15391112012838884,
                      0.13173591071481042, 0.1384314324683604);
  }
}

/// The same for 1 <= (1 + s) / (1 − s) <= 2.
template <class T>
INLINE T log1p_unit_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-27.7 of the result
    return polynomial(x, 0.6666642f, 0.40021437f, 0.28003043f, 0.28006643f);
  } else {
    // tools/polynomials.py: within 2^-59.4 of the result
    return polynomial(x, 0.6666666666666631, 0.4000000000015563, 0.2857142854806838,
                      0.22222223956174905, 0.18181744402367497, 0.15386549854428053,
                      0.13301103690435392, 0.12105076925546386, 0.08344417230815808,
                      0.17010757690617662);
  }
}

// ---- exponentials ---------------------------------------------------------------------------

/// 2ⁿ from rounder + exponent_bias + n.
template <class T>
INLINE T power_of_two(IntegerOf<T> bits) {
  return from_bits<T>(bits << Float<ElementOf<T>>::fraction_bits);
}

/// x = n log 2 + head + low with an exact head; r = head + low, rounded.
template <class T>
struct ExpParts {
  T head, low, r;
};
template <class T>
INLINE ExpParts<T> exp_parts(T x, T n) {
  using C = Constants<ElementOf<T>>;
  const T head = fma(n, T(-C::log_2_high), x);
  const T low = n * T(-C::log_2_low);
  return {head, low, head + low};
}

/// e^(x − n log 2). What 1 + head loses in rounding is added to the rest.
template <class T>
INLINE T exp_reduced(T x, T n) {
  const auto [head, low, r] = exp_parts(x, n);
  const T rest = fma(r * r, exp_polynomial(r), low);
  const T sum = T(1) + head;
  return sum + ((head - (sum - T(1))) + rest);
}

/// eˣ for all x, rounded once more where the result is subnormal. ULP: 0.78, 0.79; 0.79.
template <class T>
INLINE T exp(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int bias = Float<ElementOf<T>>::exponent_bias;
  x = max(T(C::exp_zero), min(T(C::exp_infinity), x));
  const T n = fma(x, T(C::log2_e), T(C::rounder)) - T(C::rounder);
  if constexpr (has_ldexp<T>) {
    return ldexp(exp_reduced(x, n), n);
  } else {
    // 2ⁿ may be too large or too small for a number: it is a product of two.
    const auto half = to_bits(fma(n, T(0.5), T(C::rounder + bias)));
    const auto whole = to_bits(n + T(C::rounder + 2 * bias));
    return exp_reduced(x, n) * power_of_two<T>(half) * power_of_two<T>(whole - half);
  }
}

/// exp(x) for x <= 0: the same bits in less time.
template <class T>
INLINE T exp_nonpositive(T x) {
  using C = Constants<ElementOf<T>>;
  using F = Float<ElementOf<T>>;
  // 2ⁿ may be subnormal, 2^(n + lift) is not.
  constexpr int lift = F::fraction_bits + 3;
  constexpr ElementOf<T> lowered = ElementOf<T>(1) / (std::int64_t{1} << lift);
  constexpr ElementOf<T> rounder = C::rounder + F::exponent_bias + lift;
  x = max(T(C::exp_zero), x);
  const T shifted = fma(x, T(C::log2_e), T(rounder));
  const T n = shifted - T(rounder);
  if constexpr (has_ldexp<T>) {
    return ldexp(exp_reduced(x, n), n);
  } else {
    return exp_reduced(x, n) * power_of_two<T>(to_bits(shifted)) * T(lowered);
  }
}

/// An unevaluated sum.
template <class T>
struct ExactSum {
  T high, low;
};

/// eˣ − 1 from scale = 2ⁿ and less_one = 2ⁿ − 1.
template <class T>
INLINE ExactSum<T> expm1_sum(T x, T n, T scale, ExactSum<T> less_one) {
  const auto [head, low, r] = exp_parts(x, n);
  const T r_low = low - (r - head);
  const T rest = fma(r * r, expm1_polynomial(r), fma(r, r_low, low));
  const T sum = fma(head, scale, less_one.high);
  const T sum_low = fma(head, scale, less_one.high - sum) + less_one.low;
  return {sum, fma(rest, scale, sum_low)};
}

/// eˣ − 1 for all x. ULP: 0.96, 1.00; 1.04.
template <class T>
INLINE T expm1(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int bias = Float<ElementOf<T>>::exponent_bias;
  const T y = max(T(C::expm1_minus_one), min(T(C::exp_infinity), x));
  const T n = fma(y, T(C::log2_e), T(C::rounder)) - T(C::rounder);
  // 2ⁿ may be too large for a number where the result is not.
  const T scale = power_of_two<T>(to_bits(min(T(bias), n) + T(C::rounder + bias)));
  const T high = scale - T(1);
  const ExactSum<T> sum = expm1_sum(y, n, scale, {high, (scale - high) - T(1)});
  return copysign((sum.high + sum.low) * select(n > T(bias), T(2), T(1)), x);
}

/// tanh x for all x. ULP: 0.81, 0.85; 1.27.
template <class T>
INLINE T tanh(T x) {
  using C = Constants<ElementOf<T>>;
  // −e / (2 + e) with e = exp(−2|x|) − 1 = high + low.
  constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias;
  const T y = max(T(C::expm1_minus_one), T(-2) * abs(x));
  const T shifted = fma(y, T(C::log2_e), T(rounder));
  const T scale = power_of_two<T>(to_bits(shifted));
  const T less_one = scale - T(1);
  const ExactSum<T> e =
      expm1_sum(y, shifted - T(rounder), scale, {less_one, scale - (less_one + T(1))});
  const T high = e.high + e.low;
  const T low = e.low - (high - e.high);
  const T divisor = T(2) + high;
  const T divisor_low = (high - (divisor - T(2))) + low;
  const T quotient = high / divisor;
  const T remainder = fma(-quotient, divisor_low, fma(-quotient, divisor, high) + low);
  // 1 / (2 + e) = (1 + tanh |x|) / 2 is all that the remainder needs to be divided.
  return copysign(fma(remainder, fma(quotient, T(-0.5), T(0.5)), quotient), x);
}

// ---- logarithms -----------------------------------------------------------------------------

/// log(1 + x) for 0 <= x <= 1. ULP: 0.94, 0.95; 1.19.
template <class T>
INLINE T log1p_unit(T x) {
  // With s = x / (2 + x), log(1 + x) = 2s + s³ P(s²) and 2s = x − sx.
  const T divisor = T(2) + x;
  const T s = x / divisor;
  const T divisor_low = x - (divisor - T(2));
  return fma(s, fma(s, fma(s, log1p_unit_polynomial(s * s), divisor_low), -x), x);
}

/// y = 2ⁿ m with 0.75 <= m < 1.5.
template <class T>
struct Exponent {
  T n;
  IntegerOf<T> shifted;  // n, in the place of a number's exponent
};
template <class T>
INLINE Exponent<T> exponent(T y) {
  using F = Float<ElementOf<T>>;
  using C = Constants<ElementOf<T>>;
  const auto n = (to_bits(abs(y)) - to_bits(T(0.75))) >> F::fraction_bits;
  return {from_bits<T>(n + to_bits(T(C::rounder))) - T(C::rounder), n << F::fraction_bits};
}

/// n log 2 + log(1 + f), whose low part may be as large as 0.1.
template <class T>
INLINE ExactSum<T> log_sum_of_parts(T n, T f) {
  using C = Constants<ElementOf<T>>;
  const T whole = n * T(C::log_2_high);
  const T sum = whole + f;
  const T s = f / (T(2) + f);  // as in log1p_unit
  const T rest = fma(s * s, log_polynomial(s * s), -f);
  return {sum, fma(s, rest, fma(n, T(C::log_2_low), f - (sum - whole)))};
}
template <class T>
INLINE T log_of_parts(T n, T f) {
  const auto [high, low] = log_sum_of_parts(n, f);
  return high + low;
}

/// log y: the result where y is positive and finite.
template <class T>
INLINE T log_with_edges(T y, T result) {
  using C = Constants<ElementOf<T>>;
  const T nonpositive = select(y == T(0), T(-C::infinity), T(C::nan));
  return select(y > T(0), select(y < T(C::infinity), result, y), nonpositive);
}

/// log x for all x: −inf at 0, NaN below. ULP: 0.97, 0.97; 1.04.
template <class T>
INLINE T log(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int lift = Float<ElementOf<T>>::fraction_bits + 1;
  const auto subnormal = x < T(C::smallest_normal);
  const T y = select(subnormal, x * T(ElementOf<T>(std::int64_t{1} << lift)), x);
  const auto [n, shifted] = exponent(y);
  const T f = from_bits<T>(to_bits(y) - shifted) - T(1);
  return log_with_edges(x, log_of_parts(n - select(subnormal, T(lift), T(0)), f));
}

/// log(1 + x) for all x: −inf at −1, NaN below. ULP: 0.97, 0.96; 1.02.
template <class T>
INLINE T log1p(T x) {
  const T y = T(1) + x;
  const auto [n, shifted] = exponent(y);
  // (1 + x) / 2ⁿ − 1, from x itself: exact but for the x next below 1/2. Where 2⁻ⁿ is too small for
  // a number, so is its effect.
  const T less_one = max(from_bits<T>(to_bits(T(1)) - shifted), T(0)) - T(1);
  const T f = less_one + from_bits<T>(to_bits(x) - shifted);
  return copysign(log_with_edges(y, log_of_parts(n, f)), x);
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
