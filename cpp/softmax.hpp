// SPDX-License-Identifier: BSD-3-Clause
// What every loss of a softmax needs to know of a row. For kernel files only.
#pragma once

#include "exact_arithmetic.hpp"
#include "math.hpp"
#include "rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// How far a score lies below the peak: 0 at the peak, also where both are infinite.
template <class Number>
INLINE ExactSum<Number> gap_below(Number peak, Number score) {
  const auto [high, low] = exact_difference(peak, score);
  const auto at_peak = score == peak;
  const auto has_low = high - high == Number(0);
  return {select(at_peak, Number(0), high), select(has_low, low, Number(0))};
}

/// A number per row in two vectors.
template <class Row, class V>
INLINE ExactSum<V> in_two(ExactSum<typename Row::Number> x) {
  using Number = typename Row::Number;
  const auto high = convert<typename Row::Element>(x.high);
  const Number rest = (x.high - convert<Number>(high)) + x.low;
  return {V(high), convert<V>(select(rest == rest, rest, Number(0)))};
}

/// The softmax of scores, or of scores/temperature: exponentials and their sum, in units of a power
/// of two. To subtract the peak would round, which costs digits in proportion to the distance; near
/// 0 the unit does its work alone, and far from 0 the subtraction is exact where it matters. If
/// `precise`, an exponential is within 0.6 ULP, and the sum has what they lose: it is within 0.15.
template <class Row, class T, bool precise = false>
class Softmax {
  using V = Vec<T>;
  using Element = typename Row::Element;
  using Number = typename Row::Number;

 public:
  /// Adds up the scores of a row, whose largest is `top`. If `keep`, the exponentials are stored.
  template <bool keep>
  INLINE static Softmax of(const Row& row, const T* scores, Element top, T temperature,
                           T* exponentials) {
    Softmax softmax;
    softmax.place(top, temperature);
    if (temperature == 1) {
      softmax.template add<keep, false>(row, scores, top, exponentials);
    } else {
      softmax.template add<keep, true>(row, scores, top, exponentials);
    }
    if (any(top - top != Element(0))) {
      softmax.template add_at_infinity<keep>(row, scores, top, exponentials);
    }
    return softmax;
  }

  /// The exponential where a score is the largest.
  INLINE Element at_peak() const { return at_peak_; }
  /// The same, to twice the digits.
  INLINE ExactSum<Number> peak() const { return peak_; }
  /// Σ over all classes but one at the peak: the part that the peak's would swallow. NaN where the
  /// row has no softmax: a NaN, nothing but -inf, or +inf twice.
  INLINE ExactSum<Number> others() const { return others_; }
  INLINE Number sum() const { return peak_.high + others_.high; }
  /// 1 / sum.
  INLINE ExactSum<Number> inverse() const {
    const Number total = sum();
    const Number lost = (others_.high - (total - peak_.high)) + (others_.low + peak_.low);
    const Number high = Number(1) / total;
    return ordered_sum(high, high * (fma(-high, total, Number(1)) - high * lost));
  }
  /// log(sum) less the peak.
  INLINE ExactSum<Number> excess() const {
    const Number ratio = others_.high / peak_.high;
    const Number lost = fma(-ratio, peak_.high, others_.high) + others_.low - ratio * peak_.low;
    const ExactSum<Number> log = log1p_sum(ratio);
    const ExactSum<Number> excess = ordered_sum(log.high, log.low + lost / sum());
    const auto is_number = ratio == ratio;
    return {select(is_number, excess.high, ratio), select(is_number, excess.low, ratio)};
  }
  /// sum·(1 − p) of a class with this exponential.
  INLINE Number complement(auto is_peak, Number exponential) const {
    return select(is_peak, others_.high, peak_.high + (others_.high - exponential));
  }
  INLINE V complement(V exponential) const {
    return select(exponential == V(at_peak_), convert<V>(others_.high),
                  convert<V>(sum()) - exponential);
  }

 private:
  /// Chooses what is subtracted and the unit.
  INLINE void place(Element top, T temperature) {
    using C = Constants<T>;
    temperature_ = temperature;
    inverse_temperature_ = min(T(1) / temperature, T(C::largest));
    const auto is_far = abs(top / Element(temperature)) > Element(C::far);
    shift_ = select(is_far, top, Element(0));
    const auto [high, low] = exact_quotient(top - shift_, Element(temperature));
    const Element lift = Element(C::exp_lift) - nearest_power(high);
    rounder_ = Element(C::rounder + Float<T>::exponent_bias) + lift;
    zero_ = exp_scaled_zero(lift);
    at_peak_ = exponential<true>(top).high;

    const ExactSum<Number> x = {convert<Number>(high), convert<Number>(low)};
    const Number n = nearest_power(x.high);
    const ExactSum<Number> e = exp_reduced(x, n);
    const Number exponent = n + convert<Number>(lift);
    peak_ = {times_power_of_two(e.high, exponent), times_power_of_two(e.low, exponent)};
  }

  /// eˣ of a score in the unit, within 1.2 ULP: what rounding takes from 1 + r is not given back,
  /// as exp does, for the bounds of losses have room for it; if `precise` it is in the low part.
  /// Where it would be subnormal it is 0.
  template <bool tempered, class Scores>
  INLINE ExactSum<Scores> exponential(Scores score) const {
    using C = Constants<T>;
    const Scores zero(zero_), rounder(rounder_);
    const Scores shifted_score = score - Scores(shift_);
    ExactSum<Scores> x = {shifted_score, Scores(0)};
    if constexpr (tempered) {
      const Scores inverse(inverse_temperature_);
      x.high = shifted_score * inverse;
      x.low = remainder(shifted_score, x.high, Scores(temperature_)) * inverse;
    }
    const Scores y = max(zero, x.high);
    const Scores power = fma(y, Scores(C::log2_e), rounder);
    const Scores n = power - rounder, scale = power_of_two<Scores>(to_bits(power));
    const Scores low = tempered ? select(x.high > zero, x.low, Scores(0)) : Scores(0);
    if constexpr (precise) {
      const ExactSum<Scores> e = exp_reduced(ExactSum<Scores>{y, low}, n);
      return {e.high * scale, e.low * scale};
    }
    Scores r = fma(n, Scores(-C::log_2_low), fma(n, Scores(-C::log_2_high), y));
    if constexpr (tempered) r = r + low;
    const Scores e = fma(r * r, exp_polynomial(r), r) + Scores(1);
    return {e * scale, Scores(0)};
  }

  /// Where the peak is infinite there is a softmax if it is +inf and single.
  template <bool keep>
  void add_at_infinity(const Row& row, const T* scores, Element top, T* exponentials) {
    const auto is_infinite = top - top != Element(0);
    const V lowest(-__builtin_inf());
    typename Row::Sum sum;
    row.for_each_vector([&](auto span, int position) {
      const V score = span.load(scores, lowest);
      const V e = select(score == V(top), V(1), exp(score - V(top)));
      sum.add(span.zero_beyond(e), position);
      if constexpr (keep) {
        span.store(exponentials, select(is_infinite, e, span.load(exponentials, V(0))));
      }
    });
    at_peak_ = select(is_infinite, Element(1), at_peak_);
    const Number peak = convert<Number>(top), nan(__builtin_nan(""));
    const auto here = peak - peak != Number(0);
    const auto single = (peak > Number(0)) & (sum.total().high == Number(1));
    const Number others = select(single, Number(0), nan);
    peak_ = {select(here, Number(1), peak_.high), select(here, Number(0), peak_.low)};
    others_ = {select(here, others, others_.high), select(here, Number(0), others_.low)};
  }

  /// Stores the exponentials, adds up those below the peak, and counts those at it.
  template <bool keep, bool tempered>
  INLINE void add(const Row& row, const T* scores, Element peak, T* exponentials) {
    const Softmax softmax = *this;  // in registers
    const V top(peak);
    typename Row::Sum sum;
    V ties(0);
    row.template for_each_pair<Fetch::next_scores_and_result>(
        [&](auto first, auto second, int position) {
          const ExactSum<V> a =
              softmax.template below_peak<keep, tempered>(first, scores, top, exponentials, ties);
          const ExactSum<V> b =
              softmax.template below_peak<keep, tempered>(second, scores, top, exponentials, ties);
          if constexpr (precise) {
            sum.add(a.high, position);
            sum.add(b.high, position);
            sum.add(a.low + b.low, position);
          } else {
            sum.add_pair(a.high, b.high, position);
          }
        });
    const auto count = row.fold(ties, [](auto a, auto b) { return a + b; });
    const Number more = convert<Number>(count) - Number(1);
    others_ = sum.total() + ExactSum<Number>{more * peak_.high, more * peak_.low};
  }

  template <bool keep, bool tempered>
  INLINE ExactSum<V> below_peak(auto span, const T* scores, V top, T* exponentials, V& ties) const {
    const V score = span.load(scores, V(-__builtin_inf()));
    const ExactSum<V> e = exponential<tempered>(score);
    if constexpr (keep) span.store(exponentials, e.high);
    const auto is_top = score == top;
    ties = ties + select(is_top, V(1), V(0));
    return {select(is_top, V(0), e.high), select(is_top, V(0), e.low)};
  }

  Element shift_, rounder_, zero_, at_peak_;
  T temperature_, inverse_temperature_;
  ExactSum<Number> peak_, others_;
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
