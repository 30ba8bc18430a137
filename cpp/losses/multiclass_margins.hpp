// SPDX-License-Identifier: BSD-3-Clause
// Formulas of row-wise losses of the margin between a label's score and the other ones.
#pragma once

#include "../exact_arithmetic.hpp"
#include "labelled.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// a − b + c, to twice the digits however much of it cancels; where it is infinite, so is high.
template <class T>
INLINE ExactSum<T> exact_difference_plus(T a, T b, T c) {
  const ExactSum<T> difference = exact_difference(a, b);
  const ExactSum<T> sum = exact_sum(difference.high, c);
  const ExactSum<T> ordered = ordered_sum(sum.high, sum.low + difference.low);
  const auto is_finite = sum.high - sum.high == T(0);
  return {select(is_finite, ordered.high, sum.high), select(is_finite, ordered.low, T(0))};
}

/// What has been added up in each lane, such as ones: plainly, for numbers whose sum is exact.
template <class Row, class V>
INLINE typename Row::Number over_lanes(const Row& row, V v) {
  return convert<typename Row::Number>(row.fold(v, [](auto a, auto b) { return a + b; }));
}

// ---- the sum over all other classes -------------------------------------------------------------

/// Σ_{k≠t} h/C or h²/C with h = max(0, m + xₖ − xₜ).
template <class T, unsigned wanted, bool squared, class Row>
INLINE typename Row::Number sum_over_margins(const Row& row) {
  using V = Vec<T>;
  using Number = typename Row::Number;
  const T* x = row.arguments[0];
  T* lacking = row.scratch[0];
  const V margin(row.parameters[0]), label_score = convert<V>(row.at_label(x));
  const V lowest(-__builtin_inf());
  row.for_each_vector([&](auto span, int) {
    span.store(lacking, exact_difference_plus(span.load(x, lowest), label_score, margin).high);
  });
  row.put_at_label(lacking, Number(-__builtin_inf()));

  const Number weight = weight_of_label(row);
  const Number share = Number(1) / Number(static_cast<double>(row.classes));
  const Number slope = Number(squared ? 2 : 1) * share * row.factor * weight;
  const V of_slope = convert<V>(slope), classes(static_cast<double>(row.classes));
  typename Row::Sum values, slopes;
  V curved(0);
  row.for_each_vector([&](auto span, int position) {
    const V h = span.load(lacking, lowest);
    const auto is_met = h <= V(0);
    if constexpr ((wanted & kValue) != 0) {
      const V term = squared ? h / classes * h : h;
      values.add(select(is_met, V(0), term), position);
    }
    if constexpr ((wanted & kGrad) != 0) {
      const V side = squared ? h : select(h == h, V(1), h);
      const V part = select(is_met, V(0), side);
      slopes.add(part, position);
      span.store(row.grad[0], part * of_slope);
    }
    if constexpr ((wanted & kHess) != 0) {
      const V part = select(h >= V(0), V(1), V(0));
      curved = curved + part;
      span.store(row.hess[0], squared ? part * of_slope : V(0));
    }
  });
  if constexpr ((wanted & kGrad) != 0) {
    row.put_at_label(row.grad[0], -(rounded(slopes.total()) * slope));
  }
  if constexpr ((wanted & kHess) != 0 && squared) {
    row.put_at_label(row.hess[0], over_lanes(row, curved) * slope);
  }
  const Number value = rounded(values.total());
  const Number mean = squared ? value : value / Number(static_cast<double>(row.classes));
  return masked_product(weight, mean);
}

/// Σ_{k≠t} max(0, m + xₖ − xₜ)/C.
struct MultiMargin {
  static constexpr auto name = "multi_margin";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  template <class T, unsigned wanted, class Row>
  static typename Row::Number term(const Row& row) {
    return sum_over_margins<T, wanted, false>(row);
  }
};

/// Σ_{k≠t} max(0, m + xₖ − xₜ)²/C.
struct SquaredMultiMargin {
  static constexpr auto name = "squared_multi_margin";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  template <class T, unsigned wanted, class Row>
  static typename Row::Number term(const Row& row) {
    return sum_over_margins<T, wanted, true>(row);
  }
};

// ---- the largest of the other classes -----------------------------------------------------------

/// max(0, margin + max_{k≠t} xₖ − xₜ). The largest ones share the slope.
template <class T, unsigned wanted, class Row>
[[gnu::noinline]] typename Row::Number largest_over_margins(const Row& row, double margin) {
  using V = Vec<T>;
  using Number = typename Row::Number;
  const T* x = row.arguments[0];
  T* others = row.scratch[0];
  const Number zero(0), label_score = convert<Number>(row.at_label(x));
  V invalid(0);  // NaN where a score is
  row.for_each_vector([&](auto span, int) {
    const V score = span.load(x, V(0));
    invalid = select(score == score, invalid, score);
    span.store(others, score);
  });
  row.put_at_label(others, Number(-__builtin_inf()));
  const auto rival = largest(row, others);
  const auto lacking = exact_difference_plus(convert<Number>(rival), label_score, Number(margin));
  const Number h = lacking.high + over_lanes(row, invalid);
  const auto is_met = h<zero, is_wrong = h> zero;

  const Number weight = weight_of_label(row);
  if constexpr ((wanted & kGrad) != 0) {
    V ties(0);
    row.for_each_vector([&](auto span, int) {
      const V score = span.load(others, V(__builtin_nan("")));
      ties = ties + select(score == V(rival), V(1), V(0));
    });
    const Number nothing = select(h == h, zero, h);
    const Number factor = row.factor * weight;
    const Number share = select(is_wrong, factor / over_lanes(row, ties), nothing);
    const V shared = convert<V>(share), unshared = convert<V>(nothing);
    row.for_each_vector([&](auto span, int) {
      const V score = span.load(others, V(0));
      span.store(row.grad[0], select(score == V(rival), shared, unshared));
    });
    row.put_at_label(row.grad[0], select(is_wrong, -factor, nothing));
  }
  if constexpr ((wanted & kHess) != 0) fill<T>(row, row.hess[0], zero);
  return masked_product(weight, select(is_met, zero, h));
}

/// max(0, 1 + max_{k≠t} xₖ − xₜ).
struct MulticlassHinge {
  static constexpr auto name = "multiclass_hinge";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return largest_over_margins<T, wanted>(row, 1);
  }
};

/// max(0, max_{k≠t} xₖ − xₜ).
struct MulticlassPerceptron {
  static constexpr auto name = "multiclass_perceptron";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return largest_over_margins<T, wanted>(row, 0);
  }
};

// ---- the projection onto the simplex ------------------------------------------------------------

/// The projection p of a row onto the simplex: pₖ = max(0, yₖ − θ), where the height yₖ is
/// xₖ − max x + 1, and so 1 at the peak, and Σ pₖ = 1. Of one class at the peak, y and Σ pₖ cancel:
/// θ is the mean over the support, in which yₖ ≥ θ, of the heights without that one.
template <class T, class Row>
class Projection {
  using V = Vec<T>;
  using Number = typename Row::Number;

 public:
  ExactSum<Number> threshold;  // θ
  Number support;              // how many classes have yₖ ≥ θ; NaN where the row has no projection

  [[gnu::noinline]] explicit Projection(const Row& row) : row_(row) {
    measure();
    find_threshold();
    const ExactSum<V> theta = split<V, Row>(threshold);
    high_ = theta.high;
    low_ = theta.low;
  }

  /// yₜ − θ.
  INLINE Number label_excess() const {
    const Number score = convert<Number>(row_.at_label(row_.arguments[0]));
    const Number top = convert<Number>(top_);
    const auto height = exact_difference_plus(score, top, Number(1));
    const auto at_peak = score == top;
    return (select(at_peak, Number(1), height.high) - threshold.high) +
           (select(at_peak, Number(0), height.low) - threshold.low);
  }
  /// yₖ − θ, from the heights of this vector; −inf at the label once it is left out.
  INLINE V excess(auto span) const {
    const V high = span.load(row_.scratch[0], V(-__builtin_inf()));
    return (high - high_) + (span.load(row_.scratch[1], V(0)) - low_);
  }
  INLINE void leave_out_label() const {
    row_.put_at_label(row_.scratch[0], Number(-__builtin_inf()));
  }

 private:
  /// Stores the heights, in two numbers each, and counts the classes at the peak.
  INLINE void measure() {
    const T* x = row_.arguments[0];
    const V lowest(-__builtin_inf());
    top_ = largest(row_, x);
    const V top(top_);
    V ties(0), invalid(0);
    row_.for_each_vector([&](auto span, int) {
      const V score = span.load(x, lowest);
      const auto at_peak = score == top;
      const ExactSum<V> height = exact_difference_plus(score, top, V(1));
      ties = ties + select(at_peak, V(1), V(0));
      invalid = select(score == score, invalid, score);
      span.store(row_.scratch[0], select(at_peak, V(1), height.high));
      span.store(row_.scratch[1], select(at_peak, V(0), height.low));
    });
    const Number peak = convert<Number>(top_), zero(0), nan(__builtin_nan(""));
    peaks_ = over_lanes(row_, ties);
    // Infinities have a projection if one of them is +inf.
    const auto is_finite = peak - peak == zero;
    const auto single = (peak > zero) & (peaks_ == Number(1));
    const Number fault = select(is_finite, zero, select(single, zero, nan));
    invalid_ = fault + over_lanes(row_, invalid);
  }

  /// Michelot's algorithm: the θ of a support that is too large is too small, and leaves out some
  /// of it. A step that keeps two thirds of the support moves θ by at most half as far as the one
  /// before, and moves below the heights' last digits leave nothing out: the number of steps grows
  /// as the logarithm of the number of classes.
  INLINE void find_threshold() {
    threshold = {Number(0), Number(0)};
    support = Number(__builtin_inf());
    for (bool shrinks = true; shrinks;) {
      const ExactSum<V> theta = split<V, Row>(threshold);
      typename Row::Sum heights;
      V inside(0);
      row_.for_each_vector([&](auto span, int position) {
        const V high = span.load(row_.scratch[0], V(-__builtin_inf()));
        const V low = span.load(row_.scratch[1], V(0));
        const auto is_inside = (high - theta.high) + (low - theta.low) >= V(0);
        const auto at_peak = (high == V(1)) & (low == V(0));
        inside = inside + select(is_inside, V(1), V(0));
        heights.add(select(is_inside, select(at_peak, V(0), high), V(0)), position);
        heights.add(select(is_inside, low, V(0)), position);
      });
      const Number count = over_lanes(row_, inside);
      const auto is_smaller = count < support;
      shrinks = any(is_smaller);
      const ExactSum<Number> sum =
          heights.total() + ExactSum<Number>{peaks_ - Number(1), Number(0)};
      const ExactSum<Number> quotient = exact_quotient(sum.high, count);
      const ExactSum<Number> mean = ordered_sum(quotient.high, quotient.low + sum.low / count);
      support = select(is_smaller, count, support);
      threshold = {select(is_smaller, mean.high, threshold.high),
                   select(is_smaller, mean.low, threshold.low)};
    }
    support = support + invalid_;
  }

  const Row& row_;
  typename Row::Element top_;
  V high_, low_;  // θ
  Number peaks_, invalid_;
};

/// Ω*(x) + ½ − xₜ with the conjugate of Ω(p) = |p|²/2 on the simplex. With the projection p it is
/// (Σ_{k≠t} pₖ² + (1 − pₜ)²)/2 + max(0, θ − yₜ).
struct Sparsemax {
  static constexpr auto name = "sparsemax";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr double cost = 2;

  template <class T, unsigned wanted, class Row>
  static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    const Projection<T, Row> projection(row);
    const Number zero(0), support = projection.support;
    const Number nothing = select(support == support, zero, support);
    const Number weight = weight_of_label(row), factor = row.factor * weight;
    const Number curvature = factor * ((support - Number(1)) / support);
    const V slope = convert<V>(factor + nothing);
    const V curved = convert<V>(curvature), flat = convert<V>(nothing);
    const Number excess = projection.label_excess();
    projection.leave_out_label();
    typename Row::Sum sum, squares;
    row.for_each_vector([&](auto span, int position) {
      const V p = projection.excess(span);
      const auto is_inside = p >= V(0);
      const V kept = select(is_inside, p, V(0));
      sum.add(kept, position);
      squares.add(kept * kept, position);
      if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], slope * kept);
      if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], select(is_inside, curved, flat));
    });
    const Number against = rounded(sum.total()) + nothing;
    if constexpr ((wanted & kGrad) != 0) row.put_at_label(row.grad[0], -(factor * against));
    if constexpr ((wanted & kHess) != 0) {
      row.put_at_label(row.hess[0], select(excess < zero, nothing, curvature));
    }
    const Number quadratic = Number(0.5) * fma(against, against, rounded(squares.total()));
    return masked_product(weight, quadratic + select(excess < zero, -excess, zero));
  }
};

using MulticlassMargins =
    LossList<MultiMargin, SquaredMultiMargin, MulticlassHinge, MulticlassPerceptron, Sparsemax>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
