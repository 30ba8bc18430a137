// SPDX-License-Identifier: BSD-3-Clause
// Sums over the pairs of a group's elements, for formulas of losses that compare them. For kernel
// files only.
#pragma once

#include "exact.hpp"
#include "kernels.hpp"
#include "math.hpp"
#include "sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// softplus(−x), its negative slope p = 1 / (1 + eˣ), and its curvature p·(1 − p).
struct Logistic {
  Vec<double> value, slope, curvature;
};
INLINE Logistic logistic(ExactSum<Vec<double>> x) {
  using V = Vec<double>;
  const auto below = x.high < V(0);
  const V size = abs(x.high), size_low = select(below, -x.low, x.low);
  const auto [rounded_e, unit] = exp_multiple(-size);
  const V e = fma(-size_low, rounded_e, rounded_e);
  const auto [divisor, lost] = ordered_sum(V(1), e);
  const V quotient = V(1) / divisor;
  const V rest = fma(-quotient, lost, remainder(V(1), quotient, divisor));
  const V inverse = fma(quotient, rest, quotient);
  const V other = e * inverse;
  return {fma(unit, log1p_unit(e), select(below, size + size_low, V(0))),
          select(below, inverse, other * unit), other * inverse * unit};
}

/// a − b, exactly; an infinite difference has no low part.
INLINE ExactSum<Vec<double>> finite_difference(Vec<double> a, Vec<double> b) {
  using V = Vec<double>;
  const auto [high, low] = exact_difference(a, b);
  return {high, select(high - high == V(0), low, V(0))};
}

/// A sum for each element; what additions lose is kept. There is room for whole logical blocks.
struct ElementSums {
  double *high, *low;

  void clear(ptrdiff_t count) const {
    for (ptrdiff_t i = 0; i < count; ++i) high[i] = low[i] = 0;
  }
  INLINE void add(Vec<double> v, ptrdiff_t first) const {
    using V = Vec<double>;
    const auto [sum, error] = exact_sum(V::load(high + first), v);
    sum.store(high + first);
    (V::load(low + first) + error).store(low + first);
  }
  INLINE void add(double x, ptrdiff_t i) const {
    const auto [sum, error] = exact_sum(high[i], x);
    high[i] = sum;
    low[i] = low[i] + error;
  }
  void finish(double factor, ptrdiff_t count) const {
    for (ptrdiff_t i = 0; i < count; ++i) {
      high[i] = factor * rounded(Sum{high[i], low[i]});
    }
  }
};

/// Some pairs of one element with others: which of these there are, what each pair's term is
/// multiplied by, 1 or −1 for who is the better one, and its logistic.
struct Pairs {
  Mask<double> exist;
  Vec<double> weight, sign;
  Logistic logistic;
};

/// Adds up the terms of all pairs of a group. `row(i)` has the pairs of element number i with later
/// ones: with all from number `first` on, but for those that do not exist; `at(j)` are those with a
/// vector of elements. The derivatives of a pair's term are slope·weight and curvature·weight.
template <unsigned wanted>
struct PairSums {
  static constexpr bool has_value = (wanted & kValue) != 0;
  static constexpr bool has_grad = (wanted & kGrad) != 0;
  static constexpr bool has_hess = (wanted & kHess) != 0;

  double value = 0, slopes = 0;  // Σ weight·value, and that of the slopes
  ElementSums grad, hess;

  explicit PairSums(const GroupwiseTask& task)
      : grad{task.grad, task.scratch[0]}, hess{task.hess, task.scratch[1]} {}

  void add(ptrdiff_t rows, ptrdiff_t count, auto row) {
    using V = Vec<double>;
    constexpr ptrdiff_t block = kBlockLanes<double>;
    constexpr double numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const ptrdiff_t padded = (count + block - 1) / block * block;
    if constexpr (has_grad) grad.clear(padded);
    if constexpr (has_hess) hess.clear(padded);
    LaneSum values, all_slopes;
    for (ptrdiff_t i = 0; i < rows; ++i) {
      const auto pairs = row(i);
      const V first(static_cast<double>(pairs.first)), end(static_cast<double>(count));
      LaneSum own_grad, own_hess;
      for (ptrdiff_t start = pairs.first / block * block; start < count; start += block) {
        for (int position = 0; position < kVectorsPerBlock; ++position) {
          const ptrdiff_t j = start + position * V::lanes;
          const V place = V(static_cast<double>(start)) + V::load(numbers + position * V::lanes);
          const Pairs some = pairs.at(j);
          const auto exist = (place >= first) & (place < end) & some.exist;
          const auto weighted = [&](V x) {
            return select(exist, masked_product(some.weight, x), V(0));
          };
          const V slope = weighted(some.logistic.slope);
          all_slopes.add_of_any_sign(slope, position);
          if constexpr (has_value) {
            values.add_of_any_sign(weighted(some.logistic.value), position);
          }
          if constexpr (has_grad) {
            const V change = some.sign * slope;
            own_grad.add_of_any_sign(-change, position);
            grad.add(change, j);
          }
          if constexpr (has_hess) {
            const V curvature = weighted(some.logistic.curvature);
            own_hess.add_of_any_sign(curvature, position);
            hess.add(curvature, j);
          }
        }
      }
      if constexpr (has_grad) grad.add(rounded(own_grad.total()), i);
      if constexpr (has_hess) hess.add(rounded(own_hess.total()), i);
    }
    value = rounded(values.total());
    slopes = rounded(all_slopes.total());
  }
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
