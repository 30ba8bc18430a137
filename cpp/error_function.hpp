// SPDX-License-Identifier: BSD-3-Clause
// erf and erfc; what math.hpp says of its functions is true of these.
#pragma once

#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// (erf(s) / s − 2/√π) / s² for x = s² <= 1.
template <class T>
INLINE T erf_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-29.3 of the result
    return polynomial_constant_last(x, -0.3761263f, 0.11283603f, -0.026854204f, 0.005188606f,
                                    -0.0008009507f, 7.8430276e-05f);
  } else {
    // tools/polynomials.py: within 2^-62.3 of the result
    return polynomial_constant_last(
        x, -0.3761263890318375, 0.1128379167095485, -0.02686617064506807, 0.005223977624714035,
        -0.0008548326974132438, 0.0001205533084875747, -1.4925588632329562e-05,
        1.6460890413329095e-06, -1.6349118735019543e-07, 1.4651623537142837e-08,
        -1.1341061965548188e-09, 5.903198874563642e-11);
  }
}

/// log(erfc(x)) / x for 1 <= x <= 4 or, in double precision, 6; the more exact the larger erfc(x)
/// is.
template <class T>
INLINE T log_erfc_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-28.6 of the result
    return polynomial(x, -1.1284798f, -0.6358322f, -0.105115145f, 0.022797784f, -0.0031867195f,
                      0.00021061339f);
  } else {
    // tools/polynomials.py: within 2^-57.9 of the result
    return polynomial(x, -1.1283791107650316, -0.6366202535685236, -0.1027708231340448,
                      0.019124953887349045, 0.00021205680918386517, -0.0016926361378613,
                      0.0005746882996793558, 9.508606707348171e-07, -9.547137593726113e-05,
                      5.603098426673859e-05, -2.0348415313002084e-05, 5.384340353360022e-06,
                      -1.0779135158309125e-06, 1.629849710059765e-07, -1.812553151296772e-08,
                      1.401938302226451e-09, -6.741984100424322e-11, 1.518110035750058e-12);
  }
}

/// ((y + 4) exp(y²) erfc(y) − 8 exp(16) erfc(4)) / x for x = (y − 4) / (y + 4).
template <class T>
INLINE T erfc_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-29.5 of the result
    return polynomial_constant_last(x, -0.97654873f, 0.77320874f, -0.5408534f, 0.330851f,
                                    -0.17402095f, 0.07637777f, -0.026301317f, 0.0062009273f,
                                    -0.00039989076f, -0.000758347f);
  } else {
    // tools/polynomials.py: within 2^-60.1 of the result
    return polynomial_constant_last(
        x, -0.976548729080882, 0.7732087022652372, -0.5408538313132376, 0.3308515878780016,
        -0.17401093723985067, 0.0763815149096929, -0.026370053341624813, 0.006112055649147951,
        -0.00028095885443023077, -0.00045505262298112866, 0.00017681276382726675,
        -3.6355137217431027e-06, -1.8860733251962467e-05, 4.695634780084824e-06,
        1.4239948599981393e-06, -8.490037688561909e-07, -7.561849930846268e-08,
        1.2819339364439118e-07, 1.559265886162278e-09, -1.878477500692902e-08,
        -7.856572029178743e-10, 2.178556476710268e-09, 4.3353486838975995e-10);
  }
}

template <class Element>
struct ErrorFunctionConstants;
template <>
struct ErrorFunctionConstants<float> {
  static constexpr float erf_one = 4;        // erf(x) rounds to 1
  static constexpr float erfc_zero = 10.1f;  // erfc(x) rounds to 0
  static constexpr float slope = 0x1.20dd76p0f, slope_low = -0x1.f7ac92p-25f;  // 2/√π
  static constexpr float erfc_4 = 0x1.18932cp0f,
                         erfc_4_low = -0x1.ee3d58p-29f;  // 8 exp(16) erfc(4)
};
template <>
struct ErrorFunctionConstants<double> {
  static constexpr double erf_one = 6;
  static constexpr double erfc_zero = 27.3;
  static constexpr double slope = 0x1.20dd750429b6dp0, slope_low = 0x1.1ae3a914fed8p-56;
  static constexpr double erfc_4 = 0x1.18932bf08e154p0, erfc_4_low = 0x1.0981aa12747cep-54;
};

/// erf x for all x. ULP: 1.00, 0.95; 1.47.
template <class T>
INLINE T erf(T x) {
  using C = ErrorFunctionConstants<ElementOf<T>>;
  const T size = abs(x);
  // Up to 1: |x| (2/√π + x² P(x²)).
  const T square = x * x;
  const ExactSum<T> rest = exact_product(square, erf_polynomial(square));
  const ExactSum<T> ratio = ordered_sum(T(C::slope), rest.high);
  const T small = fma(size, ratio.high, size * (ratio.low + (rest.low + T(C::slope_low))));
  // Beyond: 1 − exp(y P(y)) for y = |x|.
  const T y = min(T(C::erf_one), size);
  const ExactSum<T> exponent = exact_product(y, log_erfc_polynomial(y));
  const NegativePower<T> power(exponent.high);
  const auto parts = exp_parts(exponent.high, power.n);
  const ExactSum<T> m = exp_sum(parts.head, parts.low + exponent.low);
  const ExactSum<T> result = ordered_sum(T(1), -power.times(m.high));
  const T large = result.high + (result.low - power.times(m.low));
  return copysign(select(size < T(1), small, large), x);
}

/// 1 − erf x for all x, rounded once more where the result is subnormal. ULP: 1.71, 1.83; 2.17.
template <class T>
INLINE T erfc(T x) {
  using C = ErrorFunctionConstants<ElementOf<T>>;
  // For y = |x|: exp(−y²) u P(t) with u = 1 / (y + 4) and t = (y − 4) / (y + 4) = 1 − 8u.
  const T y = min(T(C::erfc_zero), abs(x));
  const ExactSum<T> square = exact_product(y, y);
  const NegativePower<T> power(-square.high);
  const auto parts = exp_parts(-square.high, power.n);
  const ExactSum<T> e = exp_sum(parts.head, parts.low - square.low);
  const T divisor = y + T(4);
  const T u = T(1) / divisor;
  const T t = fma(T(-8), u, T(1));
  // The relative error of u; to the logarithm of u P it makes `slope` times as much.
  const T u_error = fma(-u, y - (divisor - T(4)), remainder(T(1), u, divisor));
  const ExactSum<T> rest = exact_product(t, erfc_polynomial(t));
  ExactSum<T> p = exact_sum(T(C::erfc_4), rest.high);
  p.low = p.low + (rest.low + T(C::erfc_4_low));
  const T slope = fma(t, fma(t, fma(t, T(-0.19), T(0.89)), T(-1.55)), T(1.9));  // to 0.02
  ExactSum<T> up = exact_product(u, p.high);
  up.low = up.low + fma(u, p.low, up.high * u_error * slope);
  const ExactSum<T> product = exact_product(e.high, up.high);
  const T result = power.times(product.high + (product.low + fma(e.high, up.low, e.low * up.high)));
  return select(x < T(0), T(2) - result, result);
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
