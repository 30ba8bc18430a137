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
  return fold(peak, [](auto a, auto b) { return a > b ? a : b; });
}

/// How far a score lies below the peak: 0 at the peak, also where both are infinite.
template <class T>
INLINE double gap_below(T peak, T score) {
  return score == peak ? 0 : static_cast<double>(peak) - static_cast<double>(score);
}

/// The first class whose score is the peak.
template <class T>
INLINE ptrdiff_t find_peak(const T* scores, ptrdiff_t classes, T peak) {
  constexpr ptrdiff_t step = 4 * Vec<T>::lanes;
  const Vec<T> top(peak);
  ptrdiff_t i = 0;
  for (; i + step <= classes; i += step) {
    auto found = Vec<T>::load(scores + i) == top;
    for (ptrdiff_t j = Vec<T>::lanes; j < step; j += Vec<T>::lanes) {
      found = found | (Vec<T>::load(scores + i + j) == top);
    }
    if (any(found)) break;
  }
  while (i < classes && scores[i] != peak) ++i;
  return i;
}

/// sum_of_others where the peak is infinite, or there is none but NaN.
template <bool keep, class T>
double sum_of_others_at_infinity(const T* scores, ptrdiff_t classes, T peak, T* exponentials) {
  double sum = peak > 0 ? -1 : __builtin_nan("");
  for (ptrdiff_t k = 0; k < classes; ++k) {
    const T e = scores[k] == peak ? T(1) : exp(scores[k] - peak);
    sum += static_cast<double>(e);
    if constexpr (keep) exponentials[k] = e;
  }
  return sum == 0 ? 0 : __builtin_nan("");  // defined for a single +inf only
}

/// Σ exp(score − peak) over all classes but one at the peak: the small part of the softmax's sum,
/// free of the 1 that would swallow it. NaN where the row has no softmax: a NaN, nothing but -inf,
/// or +inf twice. If `keep`, exponentials[k] = exp(scoreₖ − peak); it may be the scores' own place.
/// Meanwhile memory fetches `next`, the scores that come next.
template <bool keep, class T>
INLINE double sum_of_others(const T* scores, ptrdiff_t classes, T peak, T* exponentials,
                            const T* next) {
  using V = Vec<T>;
  if (!(peak - peak == 0)) {
    return sum_of_others_at_infinity<keep>(scores, classes, peak, exponentials);
  }
  // Two logical blocks at a time, added to each other before they are widened. The part with the
  // peak, and the incomplete one at the end, go through a copy that has -inf where nothing counts.
  constexpr ptrdiff_t half = kBlockLanes<T>;
  constexpr ptrdiff_t step = 2 * half;
  const ptrdiff_t at = find_peak(scores, classes, peak);
  const ptrdiff_t with_peak = at - at % step;
  const ptrdiff_t whole = classes - classes % step;
  struct Part {
    ptrdiff_t begin, end;
    bool copied;
  };
  const Part parts[] = {{0, with_peak, false},
                        {with_peak, with_peak < whole ? with_peak + step : classes, true},
                        {with_peak + step, whole, false},
                        {with_peak < whole ? whole : classes, classes, true}};
  const V top(peak);
  InnerSum<T> sum;
  T copy[step], copied_exponentials[step];
  for (const Part& part : parts) {
    const ptrdiff_t length = part.end - part.begin;
    if (length <= 0) continue;
    const T* from = scores + part.begin;
    T* to = exponentials + part.begin;
    ptrdiff_t count = length;
    if (part.copied) {
      for (ptrdiff_t i = 0; i < step; ++i) copy[i] = -__builtin_inf();
      __builtin_memcpy(copy, from, static_cast<std::size_t>(length) * sizeof(T));
      if (at >= part.begin && at < part.end) copy[at - part.begin] = -__builtin_inf();
      from = copy;
      to = copied_exponentials;
      count = step;
    }
    for (ptrdiff_t i = 0; i < count; i += step) {
      __builtin_prefetch(next + part.begin + i, 0, 2);
      __builtin_prefetch(next + part.begin + i + half, 0, 2);
      for (int position = 0; position < kVectorsPerBlock; ++position) {
        const ptrdiff_t j = i + position * V::lanes;
        const V first = exp_nonpositive(V::load(from + j) - top);
        const V second = exp_nonpositive(V::load(from + j + half) - top);
        sum.add(first + second, position);
        if constexpr (keep) {
          first.store(to + j);
          second.store(to + j + half);
        }
      }
    }
    if constexpr (keep) {
      if (part.copied) {
        __builtin_memcpy(exponentials + part.begin, to,
                         static_cast<std::size_t>(length) * sizeof(T));
      }
    }
  }
  if constexpr (keep) exponentials[at] = 1;
  return total_of(sum);
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
