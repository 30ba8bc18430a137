// SPDX-License-Identifier: BSD-3-Clause
// What every loss of a softmax needs to know of a row. For kernel files only.
#pragma once

#include "exact_arithmetic.hpp"
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
INLINE ExactSum<double> gap_below(T peak, T score) {
  if (score == peak) return {0, 0};
  const auto [high, low] = exact_difference(static_cast<double>(peak), static_cast<double>(score));
  return {high, high - high == 0 ? low : 0};
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

/// The softmax of scores, or of scores/temperature: exponentials and their sum, in units of a power
/// of two. To subtract the peak would round, which costs digits in proportion to the distance; near
/// 0 the unit does its work alone, and far from 0 the subtraction is exact where it matters.
template <class T>
class Softmax {
  using V = Vec<T>;

 public:
  /// Adds up a row whose largest score is `top`. If `keep`, exponentials[k] is that of scoreₖ; it
  /// may be the scores' own place. Meanwhile memory fetches `next`, the scores that come next.
  template <bool keep>
  INLINE static Softmax of(const T* scores, ptrdiff_t classes, T top, T temperature,
                           T* exponentials, const T* next) {
    Softmax row;
    if (!(top - top == 0)) {
      row.add_at_infinity<keep>(scores, classes, top, exponentials);
    } else {
      row.place(top, temperature);
      if (temperature == 1) {
        row.add<keep, false>(scores, classes, top, exponentials, next);
      } else {
        row.add<keep, true>(scores, classes, top, exponentials, next);
      }
    }
    return row;
  }

  /// What exponentials[k] is where scoreₖ is the largest.
  INLINE T at_peak() const { return at_peak_; }
  /// Σ over all classes but one at the peak: the part that the peak's would swallow. NaN where the
  /// row has no softmax: a NaN, nothing but -inf, or +inf twice.
  INLINE ExactSum<double> others() const { return others_; }
  /// The exponential of the peak.
  INLINE ExactSum<double> peak() const { return peak_; }
  INLINE double sum() const { return peak_.high + others_.high; }
  /// 1 / sum.
  INLINE ExactSum<double> inverse() const {
    const double total = sum();
    const double lost = (others_.high - (total - peak_.high)) + (others_.low + peak_.low);
    const double high = 1 / total;
    return ordered_sum(high, high * (fma(-high, total, 1.0) - high * lost));
  }
  /// log(sum) less the peak.
  INLINE ExactSum<double> excess() const {
    const double ratio = others_.high / peak_.high;
    if (ratio != ratio) return {ratio, ratio};
    const double lost = fma(-ratio, peak_.high, others_.high) + others_.low - ratio * peak_.low;
    const ExactSum<double> log = log1p_sum(ratio);
    return ordered_sum(log.high, log.low + lost / sum());
  }
  /// sum·(1 − p) of a class with this exponential.
  INLINE double complement(bool is_peak, double exponential) const {
    return is_peak ? others_.high : peak_.high + (others_.high - exponential);
  }
  INLINE V complement(V exponential) const {
    return select(exponential == V(at_peak_), V(others_.high), V(sum()) - exponential);
  }

 private:
  /// Chooses what is subtracted and the unit.
  INLINE void place(T top, T temperature) {
    using C = Constants<T>;
    temperature_ = temperature;
    shift_ = abs(top / temperature) > T(C::far) ? top : T(0);
    const auto [high, low] = exact_quotient(top - shift_, temperature);
    const T lift = T(C::exp_lift) - nearest_power(high);
    rounder_ = C::rounder + Float<T>::exponent_bias + lift;
    zero_ = exp_scaled_zero(lift);
    at_peak_ = exponential<true>(top);

    using D = Constants<double>;
    const ExactSum<double> x = {static_cast<double>(high), static_cast<double>(low)};
    const double n = nearest_power(x.high);
    const ExactSum<double> e = exp_reduced(x, n);
    const double power = power_of_two<double>(
        to_bits(D::rounder + Float<double>::exponent_bias + (n + static_cast<double>(lift))));
    peak_ = {e.high * power, e.low * power};
  }

  template <bool tempered, class Scores>
  INLINE Scores exponential(Scores score) const {
    const Scores zero(zero_);
    const Scores x = score - Scores(shift_);
    if constexpr (!tempered) {
      const Scores y = max(zero, x);
      return exp_scaled(y, y, Scores(rounder_));
    } else {
      const auto [quotient, lost] = exact_quotient(x, Scores(temperature_));
      const Scores y = max(zero, quotient);
      const ExactSum<Scores> sum = {y, select(quotient > zero, lost, Scores(0))};
      return exp_scaled(sum, y, Scores(rounder_));
    }
  }

  template <bool keep>
  void add_at_infinity(const T* scores, ptrdiff_t classes, T top, T* exponentials) {
    double others = top > 0 ? -1 : __builtin_nan("");
    for (ptrdiff_t k = 0; k < classes; ++k) {
      const T e = scores[k] == top ? T(1) : exp(scores[k] - top);
      others += static_cast<double>(e);
      if constexpr (keep) exponentials[k] = e;
    }
    at_peak_ = 1;
    peak_ = {1, 0};
    others_ = {others == 0 ? 0 : __builtin_nan(""), 0};  // defined for a single +inf only
  }

  template <bool keep, bool tempered>
  INLINE void add(const T* scores, ptrdiff_t classes, T top, T* exponentials, const T* next) {
    // Two logical blocks at a time, added to each other before they are widened. The part with the
    // peak, and the incomplete one at the end, go through a copy that has -inf where nothing
    // counts.
    constexpr ptrdiff_t half = kBlockLanes<T>;
    constexpr ptrdiff_t step = 2 * half;
    const ptrdiff_t at = find_peak(scores, classes, top);
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
    const Softmax row = *this;  // in registers
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
          const V first = row.exponential<tempered>(V::load(from + j));
          const V second = row.exponential<tempered>(V::load(from + j + half));
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
    if constexpr (keep) exponentials[at] = at_peak_;
    others_ = exact(sum.total());
  }

  T shift_, temperature_, rounder_, zero_;
  T at_peak_;
  ExactSum<double> peak_, others_;
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
