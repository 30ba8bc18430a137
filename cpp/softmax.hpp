// SPDX-License-Identifier: BSD-3-Clause
// What every loss of a softmax needs to know of a row. For kernel files only.
#pragma once

#include "math.hpp"
#include "rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The largest score; a NaN is passed over, and -inf is the answer where there is nothing else.
template <class T>
INLINE T row_max(const T* scores, ptrdiff_t classes) {
  const Vec<T> lowest(-__builtin_inf());
  Vec<T> peak = lowest;
  for_each_vector<T>(classes, [&](auto span, int) { peak = max(span.load(scores, lowest), peak); });
  return fold(peak, [](T a, T b) { return max(a, b); });
}

/// How far a score lies below the peak: 0 at the peak, also where both are infinite.
template <class T>
INLINE double gap_below(T peak, T score) {
  return score == peak ? 0 : static_cast<double>(peak) - static_cast<double>(score);
}

/// Σ exp(score − peak) over all classes but one at the peak: the small part of the softmax's sum,
/// free of the 1 that would swallow it. NaN where the row has no softmax: a NaN, nothing but -inf,
/// or +inf twice. If `keep`, exponentials[k] = exp(scoreₖ − peak); it may be the scores' own place.
template <bool keep, class T>
INLINE double sum_of_others(const T* scores, ptrdiff_t classes, T peak, T* exponentials) {
  using V = Vec<T>;
  const V top(peak), padding(-__builtin_inf());
  LaneSum<T> below;
  V at_peak(0);
  for_each_vector<T>(classes, [&](auto span, int position) {
    const V score = span.load(scores, padding);
    const auto is_peak = score == top;
    const V e = select(is_peak, V(0), exp_nonpositive(score - top));
    const V one = select(is_peak, V(1), V(0));
    below.add(e, position);
    at_peak = at_peak + one;
    if constexpr (keep) span.store(exponentials, e + one);
  });
  const double ties = static_cast<double>(fold(at_peak, [](T a, T b) { return a + b; })) - 1;
  const bool undefined = peak == -__builtin_inf() || (peak == __builtin_inf() && ties > 0);
  if (undefined) return __builtin_nan("");
  const Sum sum = below.total();
  double error;
  const double others = two_sum(ties, sum.high, error);
  return others + (sum.low + error);
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
