// SPDX-License-Identifier: BSD-3-Clause
// The logarithm of the gamma function and its derivative. What math.hpp says of its functions is
// true of these.
#pragma once

#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Element>
struct GammaConstants;
template <>
struct GammaConstants<float> {
  static constexpr float half_log_2_pi = 0x1.d67f1cp-1f, half_log_2_pi_low = 0x1.0c97d6p-26f;
  // The zero of digamma less 1. The first part is a multiple of the spacing of the numbers at 1.
  static constexpr float digamma_zero = 0x1.d8b618p-2f, digamma_zero_low = 0x1.ab5f2p-27f;
};
template <>
struct GammaConstants<double> {
  static constexpr double half_log_2_pi = 0x1.d67f1c864beb5p-1;
  static constexpr double half_log_2_pi_low = -0x1.65b5a1b7ff5dfp-55;
  static constexpr double digamma_zero = 0x1.d8b618d5af8fcp-2;
  static constexpr double digamma_zero_low = 0x1.b86a722197829p-54;
};

// ---- polynomials ----------------------------------------------------------------------------

/// log Γ(y) / ((y − 1)(y − 2)) − 1/2 for x = y − 1.75 and 1 <= y <= 2.5.
template <class T>
INLINE T lgamma_zeros_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-27.8 of the result
    return polynomial(x, -0.04986069f, -0.119481586f, 0.04452067f, -0.019054033f, 0.008772224f,
                      -0.004224677f, 0.0021236234f, -0.0010718395f, 0.00046069833f, -0.0002461481f,
                      0.00025856387f, -0.00013145465f);
  } else {
    // tools/polynomials.py: within 2^-57.4 of the result
    return polynomial(x, -0.0498606878907437, -0.11948158662524268, 0.04452044719850953,
                      -0.019053957830260176, 0.008776370425272293, -0.004226194125211006,
                      0.0020955338793451493, -0.0010605660934675401, 0.0005448970014040689,
                      -0.0002831903632022332, 0.00014851664825811606, -7.846403585734013e-05,
                      4.170622095662348e-05, -2.2268260908918606e-05, 1.1946032927415488e-05,
                      -6.48776960824813e-06, 3.5164017189492186e-06, -1.767740036406004e-06,
                      9.42387228023704e-07, -7.562271222810191e-07, 4.3490591754389164e-07,
                      3.407068165498859e-08, -3.364887712178331e-08, -1.577945286978683e-07,
                      9.123163101710602e-08);
  }
}

/// (log Γ(u + 1/2) − u (log u − 1) − log(2π) / 2) u for x = 1/u² and u >= 2.
template <class T>
INLINE T lgamma_stirling_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-29.3 of the result
    return polynomial(x, -0.041666523f, 0.002425819f, -0.00071422587f, 0.00029824785f);
  } else {
    // tools/polynomials.py: within 2^-57.0 of the result
    return polynomial(x, -0.04166666666665354, 0.0024305555514241256, -0.0007688487205604622,
                      0.000590557505237654, -0.0008389353917157189, 0.0018857637121681289,
                      -0.0058191273553964435, 0.020816747108758835, -0.07296084133818326,
                      0.2196226862971627, -0.5141580839793881, 0.8525001039668881,
                      -0.878240644476809, 0.4195307262770025);
  }
}

/// digamma(y) / (y − zero) − 1 for x = y − 1.75 and 1 <= y <= 2.5.
template <class T>
INLINE T digamma_zero_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-27.8 of the result
    return polynomial(x, -0.14181678f, -0.3262546f, 0.15711997f, -0.08228741f, 0.044802606f,
                      -0.02486013f, 0.013955968f, -0.008101551f, 0.0046419133f, -0.0019966152f,
                      0.0010749734f, -0.0015602192f, 0.00092718995f);
  } else {
    // tools/polynomials.py: within 2^-55.9 of the result
    return polynomial(x, -0.14181678287370048, -0.3262546278681058, 0.15712011335203646,
                      -0.08228558635576338, 0.04479965445342337, -0.02489004848990741,
                      0.013985786158578132, -0.007910468750933897, 0.004491814217726974,
                      -0.002556686909949692, 0.0014573686086259484, -0.0008314932474197203,
                      0.00047472713589967366, -0.0002711163093688652, 0.00015459425173131763,
                      -8.827542825261446e-05, 5.1395136059114575e-05, -2.947628337523049e-05,
                      1.4492249716567761e-05, -8.087660486869825e-06, 8.50223060114863e-06,
                      -5.0745296517849695e-06, -1.2310392874833674e-06, 8.433269504032365e-07,
                      2.077079591607336e-06, -1.2267192018522625e-06);
  }
}

/// (digamma(u + 1/2) − log u) u² for x = 1/u² and u >= 2.
template <class T>
INLINE T digamma_stirling_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-31.5 of the result
    return polynomial(x, 0.041666552f, -0.0072855605f, 0.0037289448f, -0.003071464f, 0.00194849f);
  } else {
    // tools/polynomials.py: within 2^-56.3 of the result
    return polynomial(x, 0.04166666666662338, -0.007291666649675329, 0.003844243581931124,
                      -0.004133929064909783, 0.007552296914222265, -0.02080793576974869,
                      0.07700292357396946, -0.3311437647261871, 1.4226227301486536,
                      -5.409162452534555, 16.682255759116657, -38.867987837524815, 63.2472892578063,
                      -63.54670452448802, 29.536049466435188);
  }
}

/// (log Γ(y) − log Γ(y + 1/2) + log(y) / 2) y for x = 1/y² and y >= 2.
template <class T>
INLINE T gamma_ratio_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-27.6 of the result
    return polynomial(x, 0.12499992f, -0.0052035074f, 0.0014839221f, -0.0006627807f);
  } else {
    // tools/polynomials.py: within 2^-56.4 of the result
    return polynomial(x, 0.12499999999999939, -0.005208333332901969, 0.001562499909037284,
                      -0.0011858168322514278, 0.0016813366102720365, -0.003814716910140978,
                      0.01231416611489775, -0.04928657270665437, 0.20839218104336513,
                      -0.8077582215180882, 2.584790560799351, -6.293809470740468,
                      10.723149041969753, -11.272581942257727, 5.471622605926177);
  }
}

// ---- functions --------------------------------------------------------------------------------

// Both functions have two formulas. Below 2.5: a polynomial for y from 1 to 2.5 that has the zeros
// as factors; y is x or, below 1, x + 1 and one step of the recurrence. Beyond: Stirling's series
// in u = x − 1/2, in which it has no odd terms, with a minimax polynomial in its place. Where no
// lane needs the first formula it is left out; a lane's bits are those of its own formula either
// way.
constexpr float stirling_begin = 2.5f;

/// log Γ(1 + x) for 0 <= x <= 1.5.
template <class T>
INLINE T lgamma1p_near_zeros(T x) {
  const auto [factors, factors_low] = exact_product(x, x - T(1));
  const T p = lgamma_zeros_polynomial(x - T(0.75));
  return fma(factors, T(0.5), fma(factors, p, T(0.5) * factors_low));
}

/// log Γ(u + u_low + 1/2) for u >= 2, u_low what u lost in rounding, from log u.
template <class T>
INLINE T lgamma_stirling(T u, T u_low, ExactSum<T> log) {
  using C = Constants<ElementOf<T>>;
  using G = GammaConstants<ElementOf<T>>;
  // u (log u − 1) + log(2π) / 2 + P(1/u²) / u
  const auto [log_high, log_low] = ordered_sum(log.high, log.low);
  const T r = T(1) / u;
  const T less_one = log_high - T(1);
  const T less_one_low = (log_high - less_one) - T(1) + log_low;
  const auto [product, product_low] = exact_product(u, less_one);
  const auto [sum, sum_low] =
      ordered_sum(max(product, T(G::half_log_2_pi)), min(product, T(G::half_log_2_pi)));
  const T rest = fma(r, lgamma_stirling_polynomial(r * r), T(G::half_log_2_pi_low));
  const T low = fma(u, less_one_low, fma(u_low, log_high, product_low + sum_low)) + rest;
  return select(product < T(C::infinity), sum + low, T(C::infinity));
}

/// log Γ(x) for x >= 0: +inf at 0 and at +inf, NaN below. ULP: 1.71, 1.62; 1.88.
template <class T>
INLINE T lgamma(T x) {
  using C = Constants<ElementOf<T>>;
  const auto below_one = x < T(1);
  const T u = x - T(0.5);

  // log x below 1, where x may be subnormal, and log u from there on
  constexpr int lift = Float<ElementOf<T>>::fraction_bits + 1;
  const T lifted = select(below_one, x * T(ElementOf<T>(std::int64_t{1} << lift)), u);
  const auto [n, shifted] = exponent(lifted);
  const T f = from_bits<T>(to_bits(lifted) - shifted) - T(1);
  const ExactSum<T> log = log_sum_of_parts(n - select(below_one, T(lift), T(0)), f);
  T result = lgamma_stirling(u, (x - u) - T(0.5), log);

  const auto near_zeros = x < T(stirling_begin);
  if (any(near_zeros)) {
    // log Γ(y) − log(y / x) for y = x or x + 1
    const T y_result = lgamma1p_near_zeros(select(below_one, x, x - T(1)));
    const T near =
        (y_result - select(below_one, log.low, T(0))) - select(below_one, log.high, T(0));
    result = select(near_zeros, near, result);
  }
  return select(x > T(0), result, select(x == T(0), T(C::infinity), T(C::nan)));
}

/// log Γ(1 + x) for x >= 0, with all its digits near 0: NaN below. ULP: 1.71, 1.62; 1.88.
template <class T>
INLINE T lgamma1p(T x) {
  using C = Constants<ElementOf<T>>;
  const T u = x + T(0.5);
  const auto [n, shifted] = exponent(u);
  const T f = from_bits<T>(to_bits(u) - shifted) - T(1);
  T result = lgamma_stirling(u, T(0.5) - (u - x), log_sum_of_parts(n, f));
  const auto near_zeros = x < T(stirling_begin - 1);
  if (any(near_zeros)) result = select(near_zeros, lgamma1p_near_zeros(x), result);
  return select(x >= T(0), result, T(C::nan));
}

/// log Γ(r + x) − log Γ(r) − x log r for x >= 0 and r > 0, which is 0 for x = 0 and x = 1. Its
/// error is one of a few ULP of the largest of x, log(1 + x / r) and 0.01.
template <class T>
INLINE T log_rising(T x, T r) {
  // Three steps of the recurrence, then the difference of two of Stirling's series.
  const T u = r + T(2.5), v = u + x;
  const T u_inverse = T(1) / u, v_inverse = T(1) / v;
  const T u_rest = u_inverse * lgamma_stirling_polynomial(u_inverse * u_inverse);
  const T v_rest = v_inverse * lgamma_stirling_polynomial(v_inverse * v_inverse);
  const T factors = log1p(x / r) + (log1p(x / (r + T(1))) + log1p(x / (r + T(2))));
  const T slope = log1p(x / u) - T(1) + log1p(T(2.5) / r);
  return fma(u, log1p(x / u), x * slope) - factors + (v_rest - u_rest);
}

/// digamma(x) = (log Γ)′(x) for x >= 0: −inf at 0, +inf at −0, NaN below. ULP: 1.33, 1.43; 1.62.
template <class T>
INLINE T digamma(T x) {
  using C = Constants<ElementOf<T>>;
  using G = GammaConstants<ElementOf<T>>;
  const auto below_one = x < T(1);
  const T u = x - T(0.5);
  const T r = T(1) / select(below_one, x, u);

  // log u + P(1/u²) / u²
  const auto [n, shifted] = exponent(u);
  const T f = from_bits<T>(to_bits(u) - shifted) - T(1);
  const auto [log_high, log_low] = log_sum_of_parts(n, f);
  const T square = r * r;
  T result = log_high + fma(square, digamma_stirling_polynomial(square), log_low);
  result = select(x < T(C::infinity), result, x);

  const auto near_zero = x < T(stirling_begin);
  if (any(near_zero)) {
    // digamma(y) − (1/x where y is not x) for y = x or x + 1
    const T y_less_one = select(below_one, x, x - T(1));
    const T p = digamma_zero_polynomial(y_less_one - T(0.75));
    const T from_zero = y_less_one - T(G::digamma_zero);
    const T zero_low = T(G::digamma_zero_low);
    const T y_result = from_zero + fma(p, from_zero, fma(p, -zero_low, -zero_low));
    const T r_low = r * remainder(T(1), r, x);
    const T near = (y_result - select(below_one, r_low, T(0))) - select(below_one, r, T(0));
    // 1/x may be infinite, and r_low is then NaN.
    result = select(near_zero, select(x < T(C::smallest_normal), -r, near), result);
  }
  return select(x >= T(0), result, T(C::nan));
}

/// What −log of the density of Student's t distribution is at 0: log(√(πν) Γ(ν/2) / Γ((ν + 1)/2))
/// for ν > 0, finite.
template <class T>
INLINE T student_t_log_normalizer(T df) {
  using G = GammaConstants<ElementOf<T>>;
  const T two_pi = T(6.28318530717958647693);
  const T x = T(0.5) * df;
  // Below 2: that of x + 2, which two steps of the recurrence lead to.
  const auto small = x < T(2);
  const T m = x + T(1);
  const T y = select(small, m + T(1), x);
  const T step = m - T(0.25) / m;  // (x + 1/2)(x + 3/2) / (x + 1)
  const T steps = T(0.5) * log_quotient(two_pi * step * step / y, x);
  const T r = T(1) / y;
  return fma(r, gamma_ratio_polynomial(r * r), select(small, steps, T(G::half_log_2_pi)));
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
