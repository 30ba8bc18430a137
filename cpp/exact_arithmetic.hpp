// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic with sums of two numbers, to about twice the digits of one.
#pragma once

#include "exact.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The sum. An infinite one has no low part.
template <class T>
INLINE ExactSum<T> operator+(ExactSum<T> a, ExactSum<T> b) {
  const auto [high, lost] = exact_sum(a.high, b.high);
  const T low = lost + (a.low + b.low);
  return {high, select(high - high == T(0), low, T(0))};
}

/// The product. An infinite one has no low part.
template <class T>
INLINE ExactSum<T> operator*(ExactSum<T> a, ExactSum<T> b) {
  const auto [high, lost] = exact_product(a.high, b.high);
  const T low = lost + (a.high * b.low + a.low * b.high);
  return {high, select(high - high == T(0), low, T(0))};
}

/// a / b. Where it is not finite, low is NaN.
template <class T>
INLINE ExactSum<T> exact_quotient(T a, T b) {
  const T high = a / b;
  return {high, remainder(a, high, b) / b};
}

template <class T>
INLINE T rounded(ExactSum<T> x) {
  return x.high + x.low;
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
