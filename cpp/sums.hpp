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
    constexpr int count = kBlockLanes<float>;
    double lanes[count];
    for (int i = 0; i < 2 * kVectorsPerBlock; ++i) lanes_[i].store(lanes + i * Vec<double>::lanes);
    for (int half = count / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return {lanes[0], 0};
  }

 private:
  Vec<double> lanes_[2 * kVectorsPerBlock] = {};
};

template <>
class LaneSum<double> {
 public:
  INLINE void add(Vec<double> v, int position) {
    Vec<double> error;
    high_[position] = two_sum(high_[position], v, error);
    low_[position] = low_[position] + error;
  }
  INLINE Sum total() const {
    constexpr int count = kBlockLanes<double>;
    double high[count];
    double low[count];
    for (int i = 0; i < kVectorsPerBlock; ++i) {
      high_[i].store(high + i * Vec<double>::lanes);
      low_[i].store(low + i * Vec<double>::lanes);
    }
    for (int half = count / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        double error;
        high[i] = two_sum(high[i], high[i + half], error);
        low[i] = (low[i] + low[i + half]) + error;
      }
    }
    return {high[0], low[0]};
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
