// SPDX-License-Identifier: BSD-3-Clause
// Sums of two numbers that are not added up: what rounding loses is kept in the lower one.
#pragma once

#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// high + low.
template <class T>
struct ExactSum {
  T high, low;
};

/// a + b for |a| >= |b|, exactly.
template <class T>
INLINE ExactSum<T> ordered_sum(T a, T b) {
  const T high = a + b;
  return {high, b - (high - a)};
}

/// a + b, exactly.
template <class T>
INLINE ExactSum<T> exact_sum(T a, T b) {
  const T high = a + b;
  const T b_part = high - a;
  return {high, (a - (high - b_part)) + (b - b_part)};
}

/// a − b, exactly. Where high is not finite, low is NaN.
template <class T>
INLINE ExactSum<T> exact_difference(T a, T b) {
  const T high = a - b;
  const T b_part = a - high;
  const T a_part = sum_by_fma(high, b_part);
  return {high, difference_by_fma(a - a_part, b - b_part)};
}

/// a·b, exactly, where nothing is subnormal or too large.
template <class T>
INLINE ExactSum<T> exact_product(T a, T b) {
  const T high = a * b;
  if constexpr (has_fma) {
    return {high, fma(a, b, -high)};
  } else {
    using Bits = typename Float<ElementOf<T>>::Integer;
    constexpr Bits upper_half = -(Bits{1} << (Float<ElementOf<T>>::fraction_bits + 2) / 2);
    const T a_high = from_bits<T>(to_bits(a) & IntegerOf<T>(upper_half));
    const T b_high = from_bits<T>(to_bits(b) & IntegerOf<T>(upper_half));
    const T a_low = a - a_high, b_low = b - b_high;
    return {high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low};
  }
}

/// a − quotient·divisor, exactly, for a quotient that is rounded from a / divisor.
template <class T>
INLINE T remainder(T a, T quotient, T divisor) {
  if constexpr (has_fma) {
    return fma(-quotient, divisor, a);
  } else {
    const auto [high, low] = exact_product(quotient, divisor);
    return (a - high) - low;
  }
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
