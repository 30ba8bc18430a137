// SPDX-License-Identifier: BSD-3-Clause
// Losses of rows of which any number of classes may be labels: targets are rows of 0 and 1.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../rows.hpp"
#include "binary.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The number of one class, of all rows.
template <class T>
INLINE Vec<T> at_class(const OneRow<T>&, const T* row, ptrdiff_t k) {
  return Vec<T>(row[k]);
}
template <class T>
INLINE Vec<T> at_class(const RowPerLane<T>&, const T* rows, ptrdiff_t k) {
  return ClassSpan<T>{k}.load(rows, Vec<T>(0));
}
/// Takes what there is one of per row from the number of one class.
template <class T>
INLINE void subtract_at_class(const OneRow<T>&, T* row, ptrdiff_t k, T x) {
  row[k] = row[k] - x;
}
template <class T>
INLINE void subtract_at_class(const RowPerLane<T>&, T* rows, ptrdiff_t k, Vec<T> x) {
  ClassSpan<T>{k}.store(rows, ClassSpan<T>{k}.load(rows, x) - x);
}

/// Σⱼ yⱼ·Σₖ(1 − yₖ)·max(0, 1 − (xⱼ − xₖ)) / K. The sum over k is done once for each label.
struct MultilabelMargin {
  static constexpr auto name = "multilabel_margin";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr double cost = 4;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    constexpr bool derivatives = (wanted & (kGrad | kHess)) != 0;
    const T *x = row.arguments[0], *y = row.arguments[1];
    T* slopes = row.scratch[0];
    const V classes(row.classes), factor = convert<V>(row.factor);
    if constexpr (derivatives) {
      row.for_each_vector([&](auto span, int) { span.store(slopes, V(0)); });
    }
    typename Row::Sum sum;
    for (ptrdiff_t k = 0; k < row.classes; ++k) {
      const V label = at_class(row, y, k), score = at_class(row, x, k);
      if (!any(label != V(0))) continue;
      typename Row::Sum slopes_of_pairs;
      row.for_each_vector([&](auto span, int position) {
        const V weight = label * (V(1) - span.load(y, V(1)));
        const auto [high, low] = exact_difference(score, span.load(x, V(0)));
        const V short_of = (V(1) - high) - select(high - high == V(0), low, V(0));
        const auto counts = weight != V(0);
        const V hinge = select(short_of <= V(0), V(0), short_of);
        sum.add(select(counts, weight * hinge, V(0)), position);
        if constexpr (derivatives) {
          const V step = select(short_of > V(0), weight, hinge);
          const V slope = select(counts, step, V(0));
          span.store(slopes, span.load(slopes, V(0)) + slope);
          slopes_of_pairs.add(slope, position);
        }
      });
      if constexpr (derivatives) {
        const Number sum_of_slopes = rounded(slopes_of_pairs.total());
        subtract_at_class(row, slopes, k, convert<typename Row::Element>(sum_of_slopes));
      }
    }
    if constexpr (derivatives) {
      row.for_each_vector([&](auto span, int) {
        const V slope = span.load(slopes, V(0));
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * (slope / classes));
        if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], V(0));
      });
    }
    return rounded(sum.total()) / Number(static_cast<double>(row.classes));
  }
};

/// The mean over classes of the binary cross-entropy with logits.
struct MultilabelSoftMargin {
  static constexpr auto name = "multilabel_soft_margin";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    const V classes(row.classes), factor = convert<V>(row.factor);
    const V nothing(-__builtin_inf());  // a negative that is certain
    typename Row::Sum sum;
    row.for_each_vector([&](auto span, int position) {
      const V logit = span.load(row.arguments[0], nothing);
      const V target = span.load(row.arguments[1], V(0));
      const auto term = BinaryCrossEntropyWithLogits::terms(logit, target, V(1), V(0));
      if constexpr ((wanted & kValue) != 0) sum.add(term.value, position);
      if constexpr ((wanted & kGrad) != 0) {
        span.store(row.grad[0], factor * (term.grad[0] / classes));
      }
      if constexpr ((wanted & kHess) != 0) {
        span.store(row.hess[0], factor * (term.hess[0] / classes));
      }
    });
    return rounded(sum.total()) / Number(static_cast<double>(row.classes));
  }
};

using Multilabel = LossList<MultilabelMargin, MultilabelSoftMargin>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
