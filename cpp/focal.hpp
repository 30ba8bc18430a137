// SPDX-License-Identifier: BSD-3-Clause
// What focal losses are made of: the probability that a prediction has missed, and powers of it.
#pragma once

#include "exact_arithmetic.hpp"
#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// (eˣ − 1 − x − x²/2 − x³/6) / x⁴ for |x| <= log(2) / 2.
template <class T>
INLINE T exp_sum_polynomial(T x) {
  // tools/polynomials.py: within 2^-63.2 of the result
  return polynomial(x, 0.04166666666666641, 0.008333333333327255, 0.0013888888889050908,
                    0.0001984126987505405, 2.4801586967039062e-05, 2.755725336199849e-06,
                    2.755759035387709e-07, 2.510632073203133e-08, 2.0815537463323197e-09);
}

/// eˣ = m·scale·unit for x <= 0, with a few more digits than a number has.
template <class T>
struct NegativeExp {
  ExactSum<T> m;  // between 1/2 and 2
  T scale, unit;  // powers of two: where the unit comes last, a product is rounded once

  INLINE explicit NegativeExp(T x) {  // as exp_multiple has it
    using C = Constants<ElementOf<T>>;
    constexpr int lift = C::exp_lift;
    constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias;
    const T y = max(T(exp_scaled_zero<ElementOf<T>>(lift)), x);
    const auto small = y < T(C::exp_small);
    const T place = select(small, T(rounder + lift), T(rounder));
    const T shifted = fma(y, T(C::log2_e), place);
    m = exp_reduced(y, shifted - place);
    scale = power_of_two<T>(to_bits(shifted));
    unit = select(small, T(C::exp_unit), T(1));
  }
  /// eˣ/m times a factor.
  INLINE T times(T factor) const { return factor * scale * unit; }
  INLINE ExactSum<T> sum() const { return {times(m.high), times(m.low)}; }
};

/// eˣ for x <= 0, in double precision, to 2^-62 of it.
template <class T>
INLINE ExactSum<T> exp_of_negative_closely(T x) {
  constexpr double sixth = 0x1.5555555555555p-3, sixth_low = 0x1.5555555555555p-57;
  const T y = max(T(Constants<double>::exp_zero), x);
  const NegativePower<T> power(y);
  const auto [head, low, r] = exp_parts(y, power.n);
  const T r_low = low - (r - head);
  ExactSum<T> square = exact_product(r, r);
  square.low = fma(r + r, r_low, square.low);
  ExactSum<T> cube = exact_product(square.high, r);
  cube.low = fma(square.high, r_low, fma(square.low, r, cube.low));
  ExactSum<T> cubic = exact_product(cube.high, T(sixth));
  cubic.low = fma(cube.high, T(sixth_low), fma(cube.low, T(sixth), cubic.low));
  const T rest = square.high * square.high * exp_sum_polynomial(r);
  const ExactSum<T> linear = ordered_sum(T(1), r);
  const ExactSum<T> quadratic = ordered_sum(linear.high, T(0.5) * square.high);
  const ExactSum<T> sum = ordered_sum(quadratic.high, cubic.high);
  const T lost = (linear.low + quadratic.low) + (sum.low + cubic.low);
  const ExactSum<T> m = ordered_sum(sum.high, (fma(T(0.5), square.low, r_low) + lost) + rest);
  return {power.times(m.high), power.times(m.low)};
}

/// u = y·(1 − p) + (1 − y)·q: the probability of the class that is not the target's. p is the
/// sigmoid of a logit; for negatives, q = max(p − clip, 0) is left of it.
template <class T>
struct Miss {
  ExactSum<T> p, p_rest, q, q_rest;  // with their rests they are 1
  ExactSum<T> larger;                // of p and its rest
  ExactSum<T> negative;              // 1 − y
  ExactSum<T> u;
  T counted;                  // 1 − y, or 0 where the clip leaves nothing of p
  decltype(T() < T()) alone;  // u is a multiple of e: y(1 − p), or p where y is 0
};

/// From e = exp(−|logit|). There is a clip if it is `clipped`.
template <bool clipped, class T>
INLINE Miss<T> miss_of(T logit, T target, T clip, ExactSum<T> e) {
  const ExactSum<T> zero = {T(0), T(0)}, one = {T(1), T(0)};
  const auto below = logit < T(0);
  Miss<T> miss;
  ExactSum<T> both = ordered_sum(T(1), e.high);
  both.low = both.low + e.low;
  const T inverse = T(1) / both.high;
  const T lost = fma(-inverse, both.low, remainder(T(1), inverse, both.high));
  miss.larger = {inverse, inverse * lost};
  const ExactSum<T> smaller = product_of(e, miss.larger);
  miss.p = select_sum(below, smaller, miss.larger);
  miss.p_rest = select_sum(below, miss.larger, smaller);
  miss.q = miss.p;
  miss.q_rest = miss.p_rest;
  miss.negative = ordered_sum(T(1), -target);
  miss.counted = miss.negative.high;
  auto all = target == T(0);
  if constexpr (clipped) {
    const auto [high, low] = sum_of(miss.p, {-clip, T(0)});
    miss.q = exact_sum(high, low);
    const auto nothing = (miss.q.high <= T(0)) & (clip > T(0));
    miss.q = select_sum(nothing, zero, miss.q);
    miss.q_rest = select_sum(nothing, one, sum_of(miss.p_rest, {clip, T(0)}));
    miss.counted = select(nothing, T(0), miss.counted);
    all = all & (clip == T(0));
  }
  miss.u = sum_of(product_of(target, miss.p_rest), product_of(miss.negative, miss.q));
  miss.alone = ((logit >= T(0)) & (miss.counted == T(0))) | (below & all);
  return miss;
}

/// p(1 − p)·m/e, for e = m·scale·unit.
template <class T>
INLINE ExactSum<T> bulk_of(const Miss<T>& miss, const NegativeExp<T>& e) {
  return product_of(product_of(e.m, miss.larger), miss.larger);
}

/// γ·log u in double precision, or what suffices of it for single precision.
template <bool clipped, bool single, class T>
INLINE ExactSum<T> log_power(T logit, T target, T clip, ExactSum<T> gamma) {
  const T size = abs(logit);
  const auto below = logit < T(0);
  const ExactSum<T> e = single ? ExactSum<T>{exp(-size), T(0)} : exp_of_negative_closely(-size);
  const Miss<T> miss = miss_of<clipped>(logit, target, clip, e);
  // Where e may be too small for a number and u is a multiple of it, u/e.
  const ExactSum<T> u =
      select_sum(miss.alone, select_sum(below, miss.p_rest, product_of(target, miss.p)), miss.u);
  const ExactSum<T> u_rest = select_sum(
      miss.alone, select_sum(below, miss.p, product_of(sum_of(miss.negative, e), miss.p)),
      sum_of(product_of(target, miss.p), product_of(miss.negative, miss.q_rest)));
  const auto near_one = u_rest.high < T(0.25);  // then the logarithm of 1 − u_rest
  const auto [n, f] = log_parts(u.high);
  const T power = select(near_one, T(0), n);
  const T fraction =
      select(near_one, -u_rest.high, select(u.high >= T(0), f, T(Constants<double>::nan)));
  ExactSum<T> log_u = single ? log_sum_of_parts(power, fraction) : log_sum(power, fraction);
  log_u.low = log_u.low + select(near_one, -u_rest.low, u.low) / u.high;
  const auto [high, lost] = exact_sum(select(miss.alone, -size, T(0)), log_u.high);
  ExactSum<T> result = product_of(gamma, ExactSum<T>{high, lost + log_u.low});
  result.low = select(result.high - result.high == T(0), result.low, T(0));
  return result;
}

/// For |x| below the rounder.
template <class T>
INLINE T nearest_integer(T x) {
  return (x + T(Constants<ElementOf<T>>::rounder)) - T(Constants<ElementOf<T>>::rounder);
}

/// f in double precision, as a sum of two numbers of single precision.
template <class... More>
INLINE ExactSum<Vec<float>> sum_through_double(auto f, Vec<float> x, More... more) {
  const Widened sum = {f(widen(x).low, widen(more).low...), f(widen(x).high, widen(more).high...)};
  const Vec<float> high = narrow(sum);
  const Widened wide = widen(high);
  return {high, narrow({sum.low - wide.low, sum.high - wide.high})};
}
template <class... More>
INLINE ExactSum<float> sum_through_double(auto f, float x, More... more) {
  const double sum = f(static_cast<double>(x), static_cast<double>(more)...);
  const float high = static_cast<float>(sum);
  return {high, static_cast<float>(sum - static_cast<double>(high))};
}

/// u^γ = first·second²: the factors are numbers where the power is too small for one.
template <class T>
struct Power {
  T first, second;
  T gamma;  // 0 where the power is so small that its derivatives are 0
  INLINE T times(T x) const { return second * (first * (second * x)); }
};

/// For γ >= 0; whole numbers up to 5 need no logarithm.
template <bool clipped, class T>
INLINE Power<T> power_of(const Miss<T>& miss, T logit, T target, T clip, ExactSum<T> gamma) {
  using C = Constants<ElementOf<T>>;
  constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias;
  const auto two_to = [](T n) { return power_of_two<T>(to_bits(n + T(rounder))); };
  // A small u grows by 2^(2·lift), which second² takes back.
  constexpr int lift = is_single<T> ? 20 : 128;
  constexpr ElementOf<T> lifted = is_single<T> ? 0x1p20 : 0x1p128;
  const auto small = miss.u.high < T(1 / lifted);
  const T factor = select(small, T(lifted * lifted), T(1));
  const ExactSum<T> u = {factor * miss.u.high, factor * miss.u.low};
  const ExactSum<T> square = product_of(u, u), one = {T(1), T(0)};
  const T g = gamma.high;
  const ExactSum<T> even =
      select_sum(g > T(3), product_of(square, square), select_sum(g > T(1), square, one));
  const auto odd = (g == T(1)) | (g == T(3)) | (g == T(5));
  Power<T> power;
  power.first = rounded(select_sum(odd, product_of(even, u), even));
  power.second = select(small, two_to(T(-lift) * g), T(1));
  power.gamma = g;
  const auto other = (g > T(5)) | (g != nearest_integer(g)) | (gamma.low != T(0));
  if (any(other)) {
    constexpr ElementOf<T> least = 3 * 0.693f * (2 - Float<ElementOf<T>>::exponent_bias);
    ExactSum<T> z;
    if constexpr (is_single<T>) {
      z = sum_through_double(
          [](auto x, auto y, auto c, auto high, auto low) {
            return rounded(log_power<clipped, true>(x, y, c, ordered_sum(high, low)));
          },
          logit, target, clip, gamma.high, gamma.low);
    } else {
      z = log_power<clipped, false>(logit, target, clip, gamma);
    }
    const T clamped = max(T(least), min(T(0), z.high));
    z.low = select(clamped == z.high, z.low, T(0));
    const T n = nearest_power(clamped);
    const T m = exp_reduced(ExactSum<T>{clamped, z.low}, n).high;
    const T third = nearest_integer((n + T(1)) * T(ElementOf<T>(1) / 3));  // first is <= 1
    const T first = select(miss.u.high == T(0), T(0), m * two_to(n - (third + third)));
    power.first = select(other, first, power.first);
    power.second = select(other, two_to(third), power.second);
    power.gamma = select(z.high < clamped, T(0), g);
  }
  return power;
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
