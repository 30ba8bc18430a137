// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic with sums of two numbers, to about twice the digits of one.
#pragma once

#include "exact.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The sum. An infinite one has no low part.
INLINE ExactSum<double> operator+(ExactSum<double> a, ExactSum<double> b) {
  const auto [high, lost] = exact_sum(a.high, b.high);
  const double low = lost + (a.low + b.low);
  return {high, high - high == 0 ? low : 0};
}

/// The product. An infinite one has no low part.
INLINE ExactSum<double> operator*(ExactSum<double> a, ExactSum<double> b) {
  const auto [high, lost] = exact_product(a.high, b.high);
  const double low = lost + (a.high * b.low + a.low * b.high);
  return {high, high - high == 0 ? low : 0};
}

/// a / b. Where it is not finite, low is NaN.
template <class T>
INLINE ExactSum<T> exact_quotient(T a, T b) {
  const T high = a / b;
  return {high, remainder(a, high, b) / b};
}

INLINE double rounded(ExactSum<double> x) { return x.high + x.low; }

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
