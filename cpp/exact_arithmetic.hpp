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

// The same of numbers that are finite, for less.
template <class T>
INLINE ExactSum<T> sum_of(ExactSum<T> a, ExactSum<T> b) {
  const auto [high, lost] = exact_sum(a.high, b.high);
  return {high, lost + (a.low + b.low)};
}
template <class T>
INLINE ExactSum<T> product_of(T a, ExactSum<T> b) {
  const auto [high, lost] = exact_product(a, b.high);
  return {high, fma(a, b.low, lost)};
}
template <class T>
INLINE ExactSum<T> product_of(ExactSum<T> a, ExactSum<T> b) {
  const auto [high, low] = product_of(a.high, b);
  return {high, fma(a.low, b.high, low)};
}

template <class T>
INLINE ExactSum<T> select_sum(auto condition, ExactSum<T> a, ExactSum<T> b) {
  return {select(condition, a.high, b.high), select(condition, a.low, b.low)};
}

template <class T>
INLINE T rounded(ExactSum<T> x) {
  return x.high + x.low;
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
