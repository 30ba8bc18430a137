// SPDX-License-Identifier: BSD-3-Clause
// What deviances are made of. They are functions of how far a prediction is from its target on the
// scale of logarithms, and as small as the square of that: neither the distance nor a function of
// it may be a difference of numbers that are next to equal and rounded.
#pragma once

#include "exact_arithmetic.hpp"
#include "math.hpp"
#include "widened.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// ---- logarithms of ratios ---------------------------------------------------------------------

/// a − b, where b.low is smaller than the difference. Where that is infinite, low is NaN.
template <class T>
INLINE ExactSum<T> difference(T a, ExactSum<T> b) {
  const auto [high, lost] = exact_difference(a, b.high);
  return ordered_sum(high, correction(lost - b.low));
}
/// The same for any b.
template <class T>
INLINE ExactSum<T> close_difference(T a, ExactSum<T> b) {
  const auto [high, lost] = exact_difference(a, b.high);
  return exact_sum(high, lost - b.low);
}

/// log(2ⁿ(1 + f)) for −1/4 <= f <= 1/2: off by no more than 2^-58, or 2^-29 in single precision.
template <class T>
INLINE ExactSum<T> log_in_parts(T n, T f) {
  using C = Constants<ElementOf<T>>;
  // With s = f / (2 + f), log(1 + f) = 2s + s³ (2/3 + s² Q(s²)).
  const ExactSum<T> divisor = ordered_sum(T(2), f);
  const T s = f / divisor.high;
  const T half_rest = fma(-s, divisor.low, remainder(f, s, divisor.high));
  const T square = s * s;
  const T p = fma(square, log_sum_polynomial(square), T(0x1.5555555555555p-1));
  const ExactSum<T> sum = ordered_sum(n * T(C::log_2_high), s + s);
  const T rest = fma(half_rest, T(1) - s, n * T(C::log_2_low));  // (1 − s) / 2 = 1 / (2 + f)
  return {sum.high, sum.low + fma(square * s, p, rest)};
}

/// x − log y to more digits than log_in_parts has, slowly: for an x near log y.
template <class T>
struct CloseDistance {
  [[gnu::noinline]] static ExactSum<T> of(T x, T y) {
    const auto [n, f] = log_parts(y);
    const ExactSum<T> log = log_sum(n, f);
    ExactSum<T> distance = close_difference(x, log);
    const auto is_closer = abs(distance.high) < T(0x1p-11) * abs(log.high);
    if (any(is_closer)) {
      const ExactSum<T> closer = to_last_digits(x, y);
      distance.high = select(is_closer, closer.high, distance.high);
      distance.low = select(is_closer, closer.low, distance.low);
    }
    return distance;
  }

 private:
  INLINE static ExactSum<T> to_last_digits(T x, T y) {
    if constexpr (same<T, float>) {
      const double distance = in_double(static_cast<double>(x), static_cast<double>(y));
      const float high = static_cast<float>(distance);
      return {high, static_cast<float>(distance - static_cast<double>(high))};
    } else if constexpr (is_single<T>) {
      const Widened wide_x = widen(x), wide_y = widen(y);
      const Widened distance = {in_double(wide_x.low, wide_y.low),
                                in_double(wide_x.high, wide_y.high)};
      const T high = narrow(distance);
      return {high, narrow(distance - widen(high))};
    } else {
      return in_two_numbers(x, y);
    }
  }

  template <class Number>
  INLINE static Number in_double(Number x, Number y) {
    const auto [n, f] = log_parts(y);
    return rounded(close_difference(x, log_sum(n, f)));
  }

  /// Off by no more than 2^-104, or 2^-104 of log y where that is less.
  INLINE static ExactSum<T> in_two_numbers(T x, T y) {
    using C = Constants<ElementOf<T>>;
    constexpr double log_2_lowest = 0x1.f97b57a079a19p-103;
    constexpr int terms = 22;
    // log(1 + f) = 2s (1 + s²/3 + s⁴/5 + ...), s = f / (2 + f)
    const auto [n, f] = log_parts(y);
    const ExactSum<T> divisor = ordered_sum(T(2), f);
    const T s_high = f / divisor.high;
    const T rest = fma(-s_high, divisor.low, remainder(f, s_high, divisor.high));
    const ExactSum<T> s = {s_high, rest / divisor.high};
    const ExactSum<T> square = s * s;
    ExactSum<T> series = {T(0), T(0)};
    for (int k = terms; k > 0; --k) {
      series = (exact_quotient(T(2), T(2 * k + 1)) + series) * square;
    }
    const ExactSum<T> log_mantissa = s * (ExactSum<T>{T(2), T(0)} + series);
    // The largest part first: what is left is as small as log(1 + f).
    const ExactSum<T> first = exact_difference(x, n * T(C::log_2_high));
    const ExactSum<T> second = exact_product(-n, T(C::log_2_low));
    const auto [high, low] = first + ExactSum<T>{second.high, fma(-n, T(log_2_lowest), second.low)};
    const auto [sum, lost] = exact_difference(high, log_mantissa.high);
    return exact_sum(sum, lost + (low - log_mantissa.low));
  }
};

/// x − log y, log y, and y = 2ⁿ·m with 0.375 <= m < 0.75, for y > 0.
template <class T>
struct LogDistance {
  ExactSum<T> distance, log;
  T n, m;
};
/// Logarithms are those of CloseDistance or log_sum where they have to be `precise`.
template <class T>
INLINE LogDistance<T> log_distance(T x, T y, auto precise) {
  const auto [n, f] = log_parts(y);
  ExactSum<T> log = log_in_parts(n, f);
  ExactSum<T> distance = difference(x, log);
  const auto is_close = (abs(distance.high) < T(0x1p-6)) | precise;
  if (any(is_close)) {
    const ExactSum<T> close = CloseDistance<T>::of(x, y), sum = log_sum(n, f);
    distance.high = select(is_close, close.high, distance.high);
    distance.low = select(is_close, close.low, distance.low);
    log.high = select(precise, sum.high, log.high);
    log.low = select(precise, sum.low, log.low);
  }
  return {distance, log, n + T(1), fma(f, T(0.5), T(0.5))};
}

/// log(x / y) for x >= 0 and y > 0, and x = 2ⁿ·m, which log_distance has of y alone. 0 and infinity
/// are numbers whose powers are 0 and infinite, too.
template <class T>
struct LogRatio {
  static constexpr double far = is_single<T> ? 0x1p14 : 0x1p30;
  LogDistance<T> to;
  T n, m;
};
template <class T>
INLINE LogRatio<T> log_ratio(T x, T y) {
  using C = Constants<ElementOf<T>>;
  constexpr double far = LogRatio<T>::far;
  const auto [n, f] = log_parts(y);
  const auto [x_n_finite, x_f] = log_parts(abs(x));
  const T x_n = select(x == T(0), T(-far), select(x == T(C::infinity), T(far), x_n_finite));
  const T x_m = select(x >= T(0), T(1) + x_f, T(C::nan)), m = T(1) + f;
  const T quotient = x_m / m;
  const auto [q_n, q_f] = log_parts(quotient);
  const auto [high, low] = log_sum(x_n - n + q_n, q_f);
  const T missing = remainder(x_m, quotient, m) / x_m;
  const ExactSum<T> ratio = {select(x_m == x_m, high, x_m), low + missing};
  return {{exact_sum(ratio.high, ratio.low), log_sum(n, f), n + T(1), T(0.5) * m}, x_n, x_m};
}

// ---- exponentials -----------------------------------------------------------------------------

/// x·2ⁿ for any integral n.
template <class T>
INLINE T scaled(T x, T n) {
  constexpr int limit = 2 * Float<ElementOf<T>>::exponent_bias;
  return times_power_of_two(x, max(T(-limit), min(T(limit), n)));
}

/// e^limit is infinite, by whatever factor.
template <class T>
constexpr double exponent_limit = is_single<T> ? 0x1p20 : 0x1p40;

/// eᶻ, and what it exceeds 1 and its tangent at 0 by.
template <class T>
struct Exponential {
  T whole, n;  // eᶻ = whole·2ⁿ
  // Multiples of 2^raised. That is 2ⁿ where the others are rounded to eᶻ or shall be eᶻ, else 1.
  T raised;
  T one;                 // 1, or 0 there
  ExactSum<T> less_one;  // eᶻ − 1
  T less_line;           // eᶻ − 1 − z
};

/// eᶻ, z a number or infinite; where it is `alone`, nothing is taken from it.
template <class T>
INLINE Exponential<T> exponential(ExactSum<T> z, auto alone) {
  using C = Constants<ElementOf<T>>;
  constexpr int bias = Float<ElementOf<T>>::exponent_bias;
  constexpr int largest = is_single<T> ? 30 : 64;  // beyond, eᶻ is rounded more than 1 + z
  constexpr double limit = exponent_limit<T>;
  const T y = max(T(-limit), min(T(limit), z.high));
  const T low = select(y == z.high, z.low, T(0));
  const T n = nearest_power(y);
  const auto [head, head_low, r] = exp_parts(ExactSum<T>{y, low}, n);
  const T r_low = head_low - (r - head);
  const auto [square, square_low] = exact_product(r, r);
  const T p = expm1_polynomial(r);
  const T bend = fma(square, p, fma(square_low, p, r * r_low));  // eʳ − 1 − r
  const T one_and_head = T(1) + head;
  const T whole = one_and_head + ((head - (one_and_head - T(1))) + (head_low + bend));

  const auto is_whole = alone | (n > T(largest));
  const T bounded = min(T(largest), max(T(1 - bias), n));
  const T scale = power_of_two<T>(to_bits(bounded + T(C::rounder + bias)));
  const T steps = scale - T(1);
  const T rise = fma(scale, head, steps);
  const T rise_low = fma(scale, head_low + bend, fma(scale, head, steps - rise));
  // scale·head − (z − low) + steps, of which z − low = n log 2 + head: exact where much cancels.
  const T line = fma(steps, head, fma(n, T(-C::log_2_high), steps)) + max(T(0), y - z.high);
  const T curve = line + fma(scale, bend, fma(scale, head_low, -low));
  return {.whole = whole,
          .n = n,
          .raised = select(is_whole, n, T(0)),
          .one = select(is_whole, T(0), T(1)),
          .less_one = {select(is_whole, whole, rise), select(is_whole, T(0), rise_low)},
          .less_line = select(is_whole, whole, curve)};
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
