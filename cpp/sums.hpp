// SPDX-License-Identifier: BSD-3-Clause
// Sums over lanes whose bits do not depend on the width of a vector. For kernel files only.
#pragma once

#include "exact.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// A sum with one accumulator per lane of a logical block of doubles: within 4 ULP of the exact sum
/// of terms of one sign, however many and however different. Of other terms it errs by about as
/// many ULP of the sum of their absolute values.
///
/// The reason, with u = 2⁻⁵³, so that u·Σ is at most one ULP of a sum Σ. What an addition to the
/// sum so far loses is formed as Dekker does, in three operations, and kept. This is exact where
/// the term is not larger than the sum so far; where it is, at most u times the term is lost, and
/// so at most u·Σ of all terms. Terms are added to each other before that, four in pairs: two
/// roundings, 2u·Σ more. Rounding the total costs half an ULP; all else is of the order of u²: 3.5
/// ULP.
class LaneSum {
  template <class Raw, int... lower>
  INLINE static Sum halves_together(Raw high, Raw low, Numbers<lower...>) {
    constexpr int half = sizeof...(lower);
    const auto first = __builtin_shufflevector(high, high, lower...);
    const auto second = __builtin_shufflevector(high, high, (lower + half)...);
    const auto [sum, error] = exact_sum(first, second);
    const auto lost = (__builtin_shufflevector(low, low, lower...) +
                       __builtin_shufflevector(low, low, (lower + half)...)) +
                      error;
    if constexpr (half == 1) {
      return {sum[0], lost[0]};
    } else {
      return halves_together(sum, lost, typename CountUp<half / 2>::type{});
    }
  }

  /// Adds the vector that is number `position` in its logical block.
  INLINE void add(Vec<double> v, int position) {
    const Vec<double> before = high_[position];
    high_[position] = before + v;
    const Vec<double> added = difference_by_fma(high_[position], before);
    low_[position] = sum_by_fma(low_[position], v - added);
  }
  template <class Element>
  INLINE void add_four_blocks(const Element* terms) {
    for (int i = 0; i < kVectorsPerBlock; ++i) {
      const auto part = [&](int block) {
        return load_doubles(terms + block * kBlockLanes<double> + i * Vec<double>::lanes);
      };
      add(sum_by_fma(sum_by_fma(part(0), part(1)), sum_by_fma(part(2), part(3))), i);
    }
  }

 public:
  /// The number of terms in every call of `add` but the last is a multiple of this.
  static constexpr int at_once = 4 * kBlockLanes<double>;

  template <class Element>
  [[gnu::noinline]] void add(const Element* terms, ptrdiff_t count) {
    LaneSum sum = *this;  // in registers
    const ptrdiff_t rest = count % at_once;
    for (ptrdiff_t i = 0; i < count - rest; i += at_once) sum.add_four_blocks(terms + i);
    if (rest != 0) {
      Element last[at_once] = {};
      __builtin_memcpy(last, terms + count - rest, static_cast<std::size_t>(rest) * sizeof *last);
      sum.add_four_blocks(last);
    }
    *this = sum;
  }
  /// Adds such a vector, and all that the addition loses is kept: for exact numbers that may
  /// cancel.
  INLINE void add_of_any_sign(Vec<double> v, int position) {
    const auto [sum, error] = exact_sum(high_[position], v);
    high_[position] = sum;
    low_[position] = low_[position] + error;
  }
  INLINE void add_of_any_sign(ExactSum<Vec<double>> v, int position) {
    add_of_any_sign(v.high, position);
    low_[position] = low_[position] + v.low;
  }
  INLINE Sum total() const {
    Vec<double> high[kVectorsPerBlock], low[kVectorsPerBlock];
    __builtin_memcpy(&high, &high_, sizeof high);
    __builtin_memcpy(&low, &low_, sizeof low);
    for (int half = kVectorsPerBlock / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        const auto [sum, error] = exact_sum(high[i], high[i + half]);
        high[i] = sum;
        low[i] = (low[i] + low[i + half]) + error;
      }
    }
    return halves_together(high[0].raw, low[0].raw, CountUp<Vec<double>::lanes / 2>::type{});
  }

 private:
  Vec<double> high_[kVectorsPerBlock] = {};
  Vec<double> low_[kVectorsPerBlock] = {};
};

/// A sum of two doubles, rounded. What rounding lost of an infinite sum is not a number.
INLINE double rounded(Sum sum) { return sum.low - sum.low == 0 ? sum.high + sum.low : sum.high; }

/// A sum of numbers one by one; what additions lose is kept.
struct RunningSum : Sum {
  INLINE void add(double x) {
    const ExactSum<double> sum = exact_sum(high, x);
    high = sum.high;
    low = low + sum.low;
  }
};

/// A sum inside of a term, which is rounded to Element in the end: of doubles all is kept, floats
/// are added plainly in double, with far more digits than that needs. A pair of one sign may be
/// added to each other before: the many terms of a long row hide what that rounds away. Products
/// are of numbers of double precision, and of doubles they are exact.
template <class Element>
class InnerSum;

template <>
class InnerSum<double> : LaneSum {
 public:
  INLINE void add(auto v, int position) { add_of_any_sign(v, position); }
  INLINE void add_product(Vec<double> a, Vec<double> b, int position) {
    add(exact_product(a, b), position);
  }
  INLINE void add_pair(Vec<double> a, Vec<double> b, int position) { add(a + b, position); }
  INLINE ExactSum<double> total() const {
    const Sum sum = LaneSum::total();
    const ExactSum<double> infinite = {sum.high, 0};
    return sum.high - sum.high == 0 ? exact_sum(sum.high, sum.low) : infinite;
  }
};

template <>
class InnerSum<float> {
 public:
  INLINE void add(Widened v, int position) {
    lanes_[2 * position] = lanes_[2 * position] + v.low;
    lanes_[2 * position + 1] = lanes_[2 * position + 1] + v.high;
  }
  INLINE void add(Vec<float> v, int position) { add(widen(v), position); }
  INLINE void add_product(Widened a, Widened b, int position) {
    lanes_[2 * position] = fma(a.low, b.low, lanes_[2 * position]);
    lanes_[2 * position + 1] = fma(a.high, b.high, lanes_[2 * position + 1]);
  }
  INLINE void add_pair(Vec<float> a, Vec<float> b, int position) { add(a + b, position); }
  INLINE ExactSum<double> total() const {
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

/// The same, with a sum of its own in each lane.
template <class Number>
class InnerSumPerLane;

template <>
class InnerSumPerLane<Vec<double>> {
 public:
  INLINE void add(Vec<double> v, int) {
    const auto [sum, error] = exact_sum(high_, v);
    high_ = sum;
    low_ = low_ + error;
  }
  INLINE void add_product(Vec<double> a, Vec<double> b, int) {
    const auto [product, lost] = exact_product(a, b);
    add(product, 0);
    low_ = low_ + lost;
  }
  INLINE void add_pair(Vec<double> a, Vec<double> b, int) {
    add(a, 0);
    add(b, 0);
  }
  INLINE ExactSum<Vec<double>> total() const {
    const auto [high, low] = exact_sum(high_, low_);
    const auto infinite = high_ - high_ != Vec<double>(0);
    return {select(infinite, high_, high), select(infinite, Vec<double>(0), low)};
  }

 private:
  Vec<double> high_ = Vec<double>(0), low_ = Vec<double>(0);
};

template <>
class InnerSumPerLane<Widened> {
 public:
  INLINE void add(Vec<float> v, int) {
    const Widened wide = widen(v);
    sum_ = {sum_.low + wide.low, sum_.high + wide.high};
  }
  INLINE void add_product(Widened a, Widened b, int) {
    sum_ = {fma(a.low, b.low, sum_.low), fma(a.high, b.high, sum_.high)};
  }
  INLINE void add_pair(Vec<float> a, Vec<float> b, int) {
    add(a, 0);
    add(b, 0);
  }
  INLINE ExactSum<Widened> total() const { return {sum_, Widened(0)}; }

 private:
  Widened sum_ = Widened(0);
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
