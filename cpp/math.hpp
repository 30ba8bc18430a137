// SPDX-License-Identifier: BSD-3-Clause
// Elementary functions for formulas: for Vec<float>, Vec<double>, float and double, with the same
// bits in every lane.
//
// An error in ULP is |result − truth| / (spacing of the numbers at the truth). The two above a
// function are the largest found for float, over all arguments, and for double, over at least 10⁷
// and mostly 10⁸ of them: tests/elementary_accuracy.json. They hold where fma rounds once; the
// third is the larger one of the x86-64 baseline, which has none. NaN gives NaN throughout.
#pragma once

#include "exact.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Element>
struct Constants;
template <>
struct Constants<float> {
  static constexpr float infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float largest = 0x1.fffffep127f;
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float rounder = 0x1.8p23f;  // plus x: x is rounded, and in the lowest bits
  static constexpr float log2_e = 0x1.715476p0f;
  static constexpr float log_2_high = 0x1.62e4p-1f;  // times an integer below 2⁹: exact
  static constexpr float log_2_low = 0x1.7f7d1cp-20f;
  static constexpr float far = 256;        // beyond, x − y is exact for x > y > x − 107
  static constexpr float exp_small = -87;  // below, eˣ is subnormal or nearly so
  static constexpr int exp_lift = 80;
  static constexpr float exp_unit = 0x1p-80f;
  static constexpr float unit = 0x1p-40f;        // moves numbers away from the smallest and largest
  static constexpr float exp_zero = -104;        // eˣ rounds to 0,
  static constexpr float exp_infinity = 89;      // to infinity,
  static constexpr float exp_limit = 174;        // e^±limit is 2ⁿ·x with |n| < 2·bias,
  static constexpr float expm1_minus_one = -20;  // eˣ − 1 to −1
};
template <>
struct Constants<double> {
  static constexpr double infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double largest = 0x1.fffffffffffffp1023;
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double rounder = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log_2_high = 0x1.62e42fefa38p-1;  // times an integer below 2¹¹: exact
  static constexpr double log_2_low = 0x1.ef35793c7673p-45;
  static constexpr double far = 2048;  // beyond, x − y is exact for x > y > x − 750
  static constexpr double exp_small = -700;
  static constexpr int exp_lift = 512;
  static constexpr double exp_unit = 0x1p-512;
  static constexpr double unit = 0x1p-256;
  static constexpr double exp_zero = -746;
  static constexpr double exp_infinity = 710;
  static constexpr double exp_limit = 1416;
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
/// The same, with smaller rounding errors: c₀ is added last.
template <class T, class... Coefficients>
INLINE T polynomial_constant_last(T x, ElementOf<T> constant, Coefficients... c) {
  return fma(x, polynomial(x, c...), T(constant));
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

/// (log((1 + s) / (1 − s)) − 2s − 2s³/3) / s⁵ for x = s² as in log_polynomial.
template <class T>
INLINE T log_sum_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-41.4 of the result
    return polynomial(x, 0.39999995f, 0.28572464f, 0.22155733f, 0.19917521f);
  } else {
    // tools/polynomials.py: within 2^-69.0 of the result
    return polynomial(x, 0.39999999999999725, 0.2857142857157737, 0.22222222191232183,
                      0.18181821528023434, 0.1538440652010066, 0.13341148992610152,
                      0.11592278694856628, 0.12571991532769103);
  }
}

/// (atan(s) / s − 1) / s² for x = s² <= 1.
template <class T>
INLINE T atan_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-28.5 of the result
    return polynomial(x, -0.333333f, 0.1999853f, -0.14264014f, 0.1095086f, -0.08399196f,
                      0.057878505f, -0.031092992f, 0.010865879f, -0.0017820334f);
  } else {
    // tools/polynomials.py: within 2^-57.6 of the result
    return polynomial(x, -0.3333333333333307, 0.19999999999951742, -0.14285714282587683,
                      0.1111111100733013, -0.09090907007590684, 0.07692279886537529,
                      -0.06666404404379214, 0.05880529697267448, -0.05253526290984243,
                      0.04722346685518583, -0.0421923908685553, 0.036643065228956516,
                      -0.029905589964436843, 0.02198687283651897, -0.013902371003906873,
                      0.00719772687347486, -0.0028855208926850985, 0.0008315256990351276,
                      -0.00015220324338676992, 1.3229155128360608e-05);
  }
}

/// log_polynomial and exp_polynomial in double precision, for results in single precision.
template <class T>
INLINE T pow_log_polynomial(T x) {
  // tools/polynomials.py: within 2^-42.2 of the result
  return polynomial(x, 0.6666666671018777, 0.39999984667895605, 0.2857317999989923,
                    0.22135260204528953, 0.2012091767539324);
}
template <class T>
INLINE T pow_exp_polynomial(T x) {
  // tools/polynomials.py: within 2^-34.2 of the result
  return polynomial(x, 0.5000000067843596, 0.16666665875981634, 0.04166629456216106,
                    0.008333495440946486, 0.00139446800731002, 0.0001979121345108224);
}

// ---- corrections ----------------------------------------------------------------------------

/// factor·x with 0·inf = 0; NaN stays NaN.
template <class Number>
INLINE Number masked_product(Number factor, Number x) {
  return select((factor == Number(0)) & (x == x), Number(0), factor * x);
}

/// What a rounded result is corrected by. It may be infinite or NaN where the result overflows or
/// is infinite itself; then it shall not matter.
template <class T>
INLINE T correction(T x) {
  return max(x, T(-Constants<ElementOf<T>>::largest));
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

template <class T>
INLINE ExpParts<T> exp_parts(ExactSum<T> x, T n) {
  using C = Constants<ElementOf<T>>;
  const T head = fma(n, T(-C::log_2_high), x.high);
  const T low = fma(n, T(-C::log_2_low), x.low);
  return {head, low, head + low};
}

/// e^(head + low). What 1 + head loses in rounding is added to the rest.
template <class T>
INLINE ExactSum<T> exp_sum(T head, T low) {
  const T r = head + low;
  const T rest = fma(r * r, exp_polynomial(r), low);
  const T sum = T(1) + head;
  return ordered_sum(sum, (head - (sum - T(1))) + rest);
}
/// e^(x − n log 2), for x a number or an ExactSum.
template <class T>
INLINE ExactSum<T> exp_reduced(auto x, T n) {
  const auto parts = exp_parts(x, n);
  return exp_sum(parts.head, parts.low);
}

/// The integer n for which x − n log 2 is smallest.
template <class T>
INLINE T nearest_power(T x) {
  using C = Constants<ElementOf<T>>;
  return fma(x, T(C::log2_e), T(C::rounder)) - T(C::rounder);
}

/// x·2ⁿ for x >= 0.5 and |n| <= 2·bias, rounded where the result is subnormal.
template <class T>
INLINE T times_power_of_two(T x, T n) {
  if constexpr (has_ldexp<T>) {
    return ldexp(x, n);
  } else {
    // 2ⁿ may be too large or too small for a number: it is a product of two.
    using C = Constants<ElementOf<T>>;
    constexpr int bias = Float<ElementOf<T>>::exponent_bias;
    const auto half = to_bits(fma(n, T(0.5), T(C::rounder + bias)));
    const auto whole = to_bits(n + T(C::rounder + 2 * bias));
    return x * power_of_two<T>(half) * power_of_two<T>(whole - half);
  }
}

/// eˣ for all x, rounded once more where the result is subnormal. ULP: 0.78, 0.79; 0.79.
template <class T>
INLINE T exp(T x) {
  using C = Constants<ElementOf<T>>;
  x = max(T(C::exp_zero), min(T(C::exp_infinity), x));
  const T n = nearest_power(x);
  return times_power_of_two(exp_reduced(x, n).high, n);
}

/// eˣ·2ᵏ for rounder = Constants::rounder + exponent_bias + k. Where it would be subnormal it is 0,
/// down to x = exp_scaled_zero(k); below and above is no result.
template <class T>
INLINE T exp_scaled(T x, T rounder) {
  const T shifted = fma(x, T(Constants<ElementOf<T>>::log2_e), rounder);
  return exp_reduced(x, shifted - rounder).high * power_of_two<T>(to_bits(shifted));
}
template <class T>
constexpr T exp_scaled_zero(T k) {
  return (-k - T(Float<T>::exponent_bias)) * T(0.69314718055994530942);
}

/// count·unit, where unit is a power of two.
template <class T>
struct Multiple {
  T count, unit;
};

/// eˣ for x <= 0. Where it is subnormal or nearly so the unit is small, so that the product of eˣ
/// and a factor is rounded once if the unit comes last; log(1 + count) is count there.
template <class T>
INLINE Multiple<T> exp_multiple(T x) {
  using C = Constants<ElementOf<T>>;
  constexpr int lift = C::exp_lift;
  constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias;
  constexpr ElementOf<T> zero = exp_scaled_zero<ElementOf<T>>(lift);
  x = max(T(zero), x);
  const auto small = x < T(C::exp_small);
  const T count = exp_scaled(x, select(small, T(rounder + lift), T(rounder)));
  return {count, select(small, T(C::exp_unit), T(1))};
}

/// 2ⁿ for the n nearest to x log₂e, x <= 0, as a factor; itself it may be too small for a number.
template <class T>
struct NegativePower {
  using C = Constants<ElementOf<T>>;
  using F = Float<ElementOf<T>>;
  static constexpr int lift = F::fraction_bits + 3;
  static constexpr ElementOf<T> lowered = ElementOf<T>(1) / (std::int64_t{1} << lift);
  static constexpr ElementOf<T> rounder = C::rounder + F::exponent_bias + lift;

  T shifted, n;
  INLINE explicit NegativePower(T x)
      : shifted(fma(x, T(C::log2_e), T(rounder))), n(shifted - T(rounder)) {}

  INLINE T times(T x) const {
    if constexpr (has_ldexp<T>) {
      return ldexp(x, n);
    } else {
      return x * power_of_two<T>(to_bits(shifted)) * T(lowered);
    }
  }
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
  const T n = nearest_power(y);
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

/// 1 / (1 + e⁻ˣ) for all x, rounded once more where the result is subnormal. ULP: 0.78, 0.73; 0.78.
template <class T>
INLINE T sigmoid(T x) {
  // With e = exp(−|x|) = 2ⁿ m: 1 / (1 + e) above 0, 2ⁿ m / (1 + e) below.
  const T y = max(T(Constants<ElementOf<T>>::exp_zero), -abs(x));
  const NegativePower<T> power(y);
  const ExactSum<T> m = exp_reduced(y, power.n);
  const T e = power.times(m.high);
  ExactSum<T> divisor = ordered_sum(T(1), e);
  divisor.low = divisor.low + power.times(m.low);
  const auto negative = x < T(0);
  const T numerator = select(negative, m.high, T(1));
  const T quotient = numerator / divisor.high;
  const T rest = fma(-quotient, divisor.low,
                     remainder(numerator, quotient, divisor.high) + select(negative, m.low, T(0)));
  // 1 − e + e²/2 is near enough to 1 / (1 + e) for the rest.
  const T result = fma(rest, fma(e, fma(e, T(0.5), T(-1)), T(1)), quotient);
  return select(negative, power.times(result), result);
}

/// σ(|x|), and σ(−|x|) in units so small that it is not subnormal, also where it would round to 0;
/// σ is the sigmoid. And the difference of the two.
template <class T>
struct Sigmoids {
  static constexpr int lift = is_single<T> ? 100 : 256;
  static constexpr ElementOf<T> unit =
      static_cast<ElementOf<T>>(is_single<T> ? 0x1p-100 : 0x1p-256);
  T larger, smaller, difference;
};
template <class T>
INLINE Sigmoids<T> sigmoids(T x) {
  // With e = exp(−|x|) and s = 1 / (1 + e): s, e s and (1 − e) s.
  using C = Constants<ElementOf<T>>;
  constexpr int lift = Sigmoids<T>::lift;
  constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias + lift;
  const T unit(Sigmoids<T>::unit);
  const T y = max(T(exp_scaled_zero<ElementOf<T>>(lift)), -abs(x));
  const T shifted = fma(y, T(C::log2_e), T(rounder));
  const T scale = power_of_two<T>(to_bits(shifted));
  // e = scale·unit·(1 + head + rest), as in exp_sum.
  const auto [head, low, r] = exp_parts(y, shifted - T(rounder));
  const T rest = fma(r * r, exp_polynomial(r), low);
  const T sum = T(1) + head;
  const ExactSum<T> m = ordered_sum(sum, (head - (sum - T(1))) + rest);
  const T e = scale * m.high, e_low = scale * m.low;
  const ExactSum<T> divisor = ordered_sum(T(1), e * unit);
  const T lost = fma(e_low, unit, divisor.low);
  const T s = T(1) / divisor.high;
  const T s_low = s * fma(-s, lost, remainder(T(1), s, divisor.high));
  const T less = fma(-scale * unit, head + rest, fma(-scale, unit, T(1)));
  return {s + s_low, fma(e, s, fma(e, s_low, e_low * s)), fma(less, s, less * s_low)};
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

/// log(1 + eˣ) for all x, rounded once more where the result is subnormal. ULP: 0.81, 0.76; 0.81.
template <class T>
INLINE T softplus(T x) {
  // max(x, 0) + log(1 + e) with e = exp(−|x|) = high + low; as in log1p_unit, but with all of s.
  using C = Constants<ElementOf<T>>;
  const T y = max(T(C::exp_zero), -abs(x));
  const NegativePower<T> power(y);
  const ExactSum<T> m = exp_reduced(y, power.n);
  const T high = power.times(m.high), low = power.times(m.low);
  const ExactSum<T> divisor = ordered_sum(T(2), high);
  const T s = high / divisor.high;
  const T rest = fma(-s, divisor.low + low, remainder(high, s, divisor.high) + low);
  const ExactSum<T> sum = exact_sum(max(x, T(0)), s + s);
  const T square = s * s;
  const T cubic = square * s * log1p_unit_polynomial(square);
  const T result = sum.high + (sum.low + fma(rest, T(1) - s, cubic));  // (1 − s) / 2 = 1 / (2 + e)
  return select(x > T(-C::expm1_minus_one), x, result);
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

/// log y: the sum where y is positive and finite.
template <class T>
INLINE T log_with_edges(T y, ExactSum<T> sum) {
  const T result = sum.high + sum.low;
  using C = Constants<ElementOf<T>>;
  const T nonpositive = select(y == T(0), T(-C::infinity), T(C::nan));
  return select(y > T(0), select(y < T(C::infinity), result, y), nonpositive);
}

/// x = 2ⁿ (1 + f) with 0.75 <= 1 + f < 1.5, for positive and finite x.
template <class T>
struct LogParts {
  T n, f;
};
template <class T>
INLINE LogParts<T> log_parts(T x) {
  constexpr int lift = Float<ElementOf<T>>::fraction_bits + 1;
  const auto subnormal = x < T(Constants<ElementOf<T>>::smallest_normal);
  const T y = select(subnormal, x * T(ElementOf<T>(std::int64_t{1} << lift)), x);
  const auto [n, shifted] = exponent(y);
  return {n - select(subnormal, T(lift), T(0)), from_bits<T>(to_bits(y) - shifted) - T(1)};
}

/// log x for all x: −inf at 0, NaN below. ULP: 0.97, 0.98; 1.05.
template <class T>
INLINE T log(T x) {
  const auto [n, f] = log_parts(x);
  return log_with_edges(x, log_sum_of_parts(n, f));
}

/// log(1 + x) for finite x > −1, to more digits than a number has.
template <class T>
INLINE ExactSum<T> log1p_sum(T x) {
  const auto [n, shifted] = exponent(T(1) + x);
  // (1 + x) / 2ⁿ − 1, from x itself: exact but for the x next below 1/2. Where 2⁻ⁿ is too small for
  // a number, so is its effect.
  const T less_one = max(from_bits<T>(to_bits(T(1)) - shifted), T(0)) - T(1);
  return log_sum_of_parts(n, less_one + from_bits<T>(to_bits(x) - shifted));
}

/// log(1 + x) for all x: −inf at −1, NaN below. ULP: 0.97, 0.97; 1.04.
template <class T>
INLINE T log1p(T x) {
  return copysign(log_with_edges(T(1) + x, log1p_sum(x)), x);
}

/// log(1 + x) − x for all x >= −1: −inf at −1 and at +inf, NaN below. ULP: 4, 4; 5.
template <class T>
INLINE T log1pmx(T x) {
  using C = Constants<ElementOf<T>>;
  const auto [high, low] = log1p_sum(x);  // high is x itself where log(1 + x) is near x
  const T result = select(x < T(C::infinity), (high - x) + low, -x);
  return select(x > T(-1), result, select(x == T(-1), T(-C::infinity), T(C::nan)));
}

/// log(x / y) for positive x and y, finite but perhaps x, also where x / y is too large or too
/// small for a number. For quotients far from 1: near it, the rounding of x / y shows.
template <class T>
INLINE T log_quotient(T x, T y) {
  const auto [x_n, x_f] = log_parts(x);
  const auto [y_n, y_f] = log_parts(y);
  const auto [n, f] = log_parts((T(1) + x_f) / (T(1) + y_f));
  return log_with_edges(x, log_sum_of_parts(n + (x_n - y_n), f));
}

// ---- powers ---------------------------------------------------------------------------------

/// n log 2 + log(1 + f) to 2^-66 of it, in single precision to 2^-37.
template <class T>
INLINE ExactSum<T> log_sum(T n, T f) {
  using C = Constants<ElementOf<T>>;
  constexpr double two_thirds = is_single<T> ? 0x1.555556p-1 : 0x1.5555555555555p-1;
  constexpr double two_thirds_low = is_single<T> ? -0x1.555556p-26 : 0x1.5555555555555p-55;
  // s = f / (2 + f); 2s + s³ (2/3 + s² Q(s²)).
  const ExactSum<T> divisor = ordered_sum(T(2), f);
  const T s = f / divisor.high;
  const T s_low = fma(-s, divisor.low, remainder(f, s, divisor.high)) * fma(s, T(-0.5), T(0.5));
  ExactSum<T> square = exact_product(s, s);
  square.low = fma(s + s, s_low, square.low);
  const T q = log_sum_polynomial(square.high);
  const ExactSum<T> rest = exact_product(square.high, q);
  ExactSum<T> p = ordered_sum(T(two_thirds), rest.high);
  p.low = p.low + (T(two_thirds_low) + fma(square.low, q, rest.low));
  ExactSum<T> product = exact_product(square.high, p.high);
  product.low = product.low + fma(square.high, p.low, square.low * p.high);
  ExactSum<T> cubic = exact_product(product.high, s);
  cubic.low = cubic.low + fma(product.high, s_low, product.low * s);
  const ExactSum<T> linear = ordered_sum(n * T(C::log_2_high), s + s);
  const ExactSum<T> sum = ordered_sum(linear.high, cubic.high);
  const T low = fma(n, T(C::log_2_low), s_low + s_low);
  return ordered_sum(sum.high, (sum.low + linear.low) + (low + cubic.low));
}

/// x·2ⁿ for an integral n.
template <class T>
struct Scaled {
  T x, n;
};

/// eᶻ for z = y·log x, with 0.5 <= x <= 2. Far from 1, |n| = 2·bias or nearly so stands for all.
template <class T>
INLINE Scaled<T> exp_of_product(T y, ExactSum<T> log_x) {
  using C = Constants<ElementOf<T>>;
  constexpr double y_max = 0x1p65;  // xʸ is 0, 1 or infinity beyond
  y = max(T(-y_max), min(T(y_max), y));
  ExactSum<T> z = exact_product(y, log_x.high);
  z.low = fma(y, log_x.low, z.low);
  const T clamped = max(T(-C::exp_limit), min(T(C::exp_limit), z.high));
  const T power = nearest_power(clamped);
  const auto parts = exp_parts(clamped, power);
  const T low = parts.low + select(clamped == z.high, z.low, T(0));
  return {exp_sum(parts.head, low).high, power};
}

/// xʸ for x > 0, in double precision.
template <class T>
INLINE T pow_positive(T x, T y) {
  const auto [n, f] = log_parts(x);
  const auto power = exp_of_product(y, log_sum(n, f));
  return times_power_of_two(power.x, power.n);
}

/// The same for x and y of single precision, near enough for a result of single precision.
template <class T>
INLINE T pow_of_singles(T x, T y) {
  using C = Constants<double>;
  using Single = Constants<float>;
  constexpr double log_2 = C::log_2_high + C::log_2_low;
  constexpr double rounder = C::rounder + Float<double>::exponent_bias;
  const auto [n, shifted] = exponent(x);
  const T f = from_bits<T>(to_bits(x) - shifted) - T(1);
  const T s = f / (T(2) + f);
  const T square = s * s;
  const T log_x = fma(n, T(log_2), fma(square * s, pow_log_polynomial(square), s + s));
  const T z = max(T(Single::exp_zero), min(T(Single::exp_infinity), y * log_x));
  const T power = fma(z, T(C::log2_e), T(rounder));
  const T r = fma(power - T(rounder), T(-log_2), z);
  const T exp_r = fma(r * r, pow_exp_polynomial(r), r) + T(1);
  return exp_r * power_of_two<T>(to_bits(power));
}

/// xʸ for x >= 0 and all y: 1 at x = 1 and at y = 0 whatever the other, even NaN; NaN for x < 0.
/// Rounded once more where the result is subnormal. ULP: 0.51, 0.86; 0.89.
template <class T>
INLINE T pow(T x, T y) {
  using C = Constants<ElementOf<T>>;
  T result;
  if constexpr (is_single<T>) {
    result = through_double([](auto a, auto b) { return pow_of_singles(a, b); }, x, y);
  } else {
    result = pow_positive(x, y);
  }
  const auto is_zero = x == T(0);
  const T at_edge = select(select(is_zero, -y, y) > T(0), T(C::infinity), T(0));
  result = select(is_zero | (x == T(C::infinity)), at_edge, result);
  result = select(x >= T(0), select(y == y, result, y), T(C::nan));
  return select((x == T(1)) | (y == T(0)), T(1), result);
}

// ---- arc tangent ------------------------------------------------------------------------------

/// atan(x) / x for 0 <= x <= 1, which is 1 at 0. ULP: 0.94, 1.03; 1.32.
template <class T>
INLINE T atan_ratio(T x) {
  const T square = x * x;
  return fma(square, atan_polynomial(square), T(1));
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
