// SPDX-License-Identifier: BSD-3-Clause
// Sums over lanes whose bits do not depend on the width of a vector. For kernel files only.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// a + b = sum + error, exactly (Knuth).
template <class T>
INLINE T two_sum(T a, T b, T& error) {
  const T sum = a + b;
  const T b_rounded = sum - a;
  error = (a - (sum - b_rounded)) + (b - b_rounded);
  return sum;
}

/// One accumulator per lane of a logical block. Floats are summed in double, doubles with the
/// error of every addition kept: both stay within 4 ULP of the exact sum of terms of one sign.
template <class Element>
class LaneSum;

template <>
class LaneSum<float> {
 public:
  /// Adds the vector that is number `position` in its logical block.
  INLINE void add(Vec<float> v, int position) {
    const Widened wide = widen(v);
    lanes_[2 * position] = lanes_[2 * position] + wide.low;
    lanes_[2 * position + 1] = lanes_[2 * position + 1] + wide.high;
  }
  INLINE Sum total() const {
    Vec<double> lanes[2 * kVectorsPerBlock];
    __builtin_memcpy(&lanes, &lanes_, sizeof lanes);
    for (int half = kVectorsPerBlock; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] = lanes[i] + lanes[i + half];
    }
    return {fold(lanes[0], [](auto x, auto y) { return x + y; }), 0};
  }

 private:
  Vec<double> lanes_[2 * kVectorsPerBlock] = {};
};

template <>
class LaneSum<double> {
  template <class Raw, int... lower>
  INLINE static Sum halves_together(Raw high, Raw low, Numbers<lower...>) {
    constexpr int half = sizeof...(lower);
    const auto first = __builtin_shufflevector(high, high, lower...);
    const auto second = __builtin_shufflevector(high, high, (lower + half)...);
    auto error = first;
    const auto sum = two_sum(first, second, error);
    const auto lost = (__builtin_shufflevector(low, low, lower...) +
                       __builtin_shufflevector(low, low, (lower + half)...)) +
                      error;
    if constexpr (half == 1) {
      return {sum[0], lost[0]};
    } else {
      return halves_together(sum, lost, typename CountUp<half / 2>::type{});
    }
  }

 public:
  INLINE void add(Vec<double> v, int position) {
    Vec<double> error;
    high_[position] = two_sum(high_[position], v, error);
    low_[position] = low_[position] + error;
  }
  INLINE Sum total() const {
    Vec<double> high[kVectorsPerBlock], low[kVectorsPerBlock];
    __builtin_memcpy(&high, &high_, sizeof high);
    __builtin_memcpy(&low, &low_, sizeof low);
    for (int half = kVectorsPerBlock / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        Vec<double> error;
        high[i] = two_sum(high[i], high[i + half], error);
        low[i] = (low[i] + low[i + half]) + error;
      }
    }
    return halves_together(high[0].raw, low[0].raw, CountUp<Vec<double>::lanes / 2>::type{});
  }

 private:
  Vec<double> high_[kVectorsPerBlock] = {};
  Vec<double> low_[kVectorsPerBlock] = {};
};

template <class Element>
INLINE double total_of(const LaneSum<Element>& sum) {
  const Sum total = sum.total();
  return total.high - total.high == 0 ? total.high + total.low : total.high;  // not if infinite
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
