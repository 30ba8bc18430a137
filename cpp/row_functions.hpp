// SPDX-License-Identifier: BSD-3-Clause
// Functions of a row of scores: of each a row, in the place of a loss's gradient, or a number, in
// the place of its value. For kernel files only.
#pragma once

#include "rows.hpp"
#include "softmax.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class T, bool keep, class Row>
INLINE Softmax<Row, T> softmax_of(const Row& row, typename Row::Element top) {
  return Softmax<Row, T>::template of<keep>(row, row.arguments[0], top, T(1), row.scratch[0]);
}

/// xₖ − lse(x), as −((peak − xₖ) + log1p(the other exponentials)): two terms of one sign.
struct LogSoftmax {
  static constexpr auto name = "log_softmax";
  static constexpr int inputs = 1;
  static constexpr int targets = 0;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    const T* x = row.arguments[0];
    const auto top = largest(row, x);
    const ExactSum<V> excess = in_two<Row, V>(softmax_of<T, false>(row, top).excess());
    row.for_each_vector([&](auto span, int) {
      const ExactSum<V> gap = gap_below(V(top), span.load(x, V(-__builtin_inf())));
      span.store(row.grad[0], V(0) - rounded(gap + excess));
    });
    return typename Row::Number(0);
  }
};

/// exp(xₖ) / Σ exp(x).
struct SoftmaxFunction {
  static constexpr auto name = "softmax";
  static constexpr int inputs = 1;
  static constexpr int targets = 0;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    const auto softmax = softmax_of<T, true>(row, largest(row, row.arguments[0]));
    const V inverse = convert<V>(softmax.inverse().high);
    row.for_each_vector([&](auto span, int) {
      span.store(row.grad[0], inverse * span.load(row.scratch[0], V(0)));
    });
    return typename Row::Number(0);
  }
};

/// log Σ exp(x); the largest score where that is infinite.
struct LogSumExp {
  static constexpr auto name = "logsumexp";
  static constexpr int inputs = 1;
  static constexpr int targets = 0;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    const auto top = largest(row, row.arguments[0]);
    const Number peak = convert<Number>(top);
    const Number sum =
        rounded(ExactSum<Number>{peak, Number(0)} + softmax_of<T, false>(row, top).excess());
    const auto is_finite = peak - peak == Number(0);
    if (!any(top - top != typename Row::Element(0))) return sum;
    V spoiled(0);
    row.for_each_vector([&](auto span, int) {
      const V x = span.load(row.arguments[0], V(0));
      spoiled = spoiled + select(x == x, V(0), x);
    });
    const auto nan_or_0 = row.fold(spoiled, [](auto a, auto b) { return a + b; });
    return select(is_finite, sum, peak + convert<Number>(nan_or_0));
  }
};

/// Log softmax at the label.
struct SelectedLogProb {
  static constexpr auto name = "selected_log_prob";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using Number = typename Row::Number;
    const auto top = largest(row, row.arguments[0]);
    const Number label = convert<Number>(row.at_label(row.arguments[0]));
    const ExactSum<Number> gap = gap_below(convert<Number>(top), label);
    return Number(0) - rounded(gap + softmax_of<T, false>(row, top).excess());
  }
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
