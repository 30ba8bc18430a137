// SPDX-License-Identifier: BSD-3-Clause
// Formulas of losses that compare the elements of a group, which are the documents of a query.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../pairs.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// Σ softplus(−(xᵢ − xⱼ)) over all pairs with yᵢ > yⱼ. From the largest target, the pairs of each
/// element are those with all from some number on.
struct PairwiseLogistic {
  static constexpr auto name = "pairwise_logistic";
  static constexpr int parameters = 0;
  static constexpr GroupOrder order = GroupOrder::by_target;
  static constexpr void (*tabulate)(double*, ptrdiff_t, ptrdiff_t) = nullptr;

  struct Row {
    const double* pred;
    double own;
    ptrdiff_t first;

    INLINE Pairs at(ptrdiff_t j) const {
      using V = Vec<double>;
      const V all(0);
      return {all == all, V(1), V(1), logistic(finite_difference(V(own), V::load(pred + j)))};
    }
  };

  template <unsigned wanted>
  static void run(const GroupwiseTask& task) {
    PairSums<wanted> sums(task);
    ptrdiff_t first = 0;
    sums.add(task.count, task.count, [&](ptrdiff_t i) {
      if (first <= i) first = i + 1;
      while (first < task.count && task.target[first] == task.target[i]) ++first;
      return Row{task.pred, task.pred[i], first};
    });
    *task.value = sums.value;
    if constexpr (sums.has_grad) sums.grad.finish(task.factor, task.count);
    if constexpr (sums.has_hess) sums.hess.finish(task.factor, task.count);
  }
};

/// Σ ω·softplus(−σ·(xᵢ − xⱼ)) over the pairs with yᵢ > yⱼ of which one is among the first. ω is by
/// how much the NDCG changes when the two change places, perhaps divided by 0.01 + |xᵢ − xⱼ|, and
/// all by what keeps the slopes of a group in bounds: constants, as far as derivatives are
/// concerned.
struct LambdaRank {
  static constexpr auto name = "lambdarank";
  static constexpr int parameters = 3;  // σ, how many are first, whether to divide
  static constexpr GroupOrder order = GroupOrder::by_pred;
  static constexpr double log_2 = 0x1.62e42fefa39efp-1;

  /// Of each place: its discount 1 / log₂(place + 2), and by how much that is below the first
  /// one's, in two parts, so that differences of discounts are exact.
  static void tabulate(double* table, ptrdiff_t count, ptrdiff_t stride) {
    constexpr double log_2_low = 0x1.abc9e3b39803fp-56;
    double *const discount = table, *const high = table + stride, *const low = table + 2 * stride;
    const auto log_of = [](double x) {
      const auto [n, f] = log_parts(x);
      return log_sum(n, f);
    };
    ExactSum<double> below = {0, 0}, own = log_of(2);
    for (ptrdiff_t i = 0; i < count; ++i) {
      const double number = static_cast<double>(i) + 2, inverse = 1 / number;
      const ExactSum<double> next = log_of(number + 1);
      discount[i] = log_2 / own.high;
      high[i] = below.high;
      low[i] = below.low;
      // log 2 (log(number + 1) − log(number)) over the product of the two
      const auto [log, log_low] = log1p_sum(inverse);
      const double lost = remainder(1.0, inverse, number) / (number + 1);
      const ExactSum<double> step = ordered_sum(log, log_low + lost);
      const ExactSum<double> product = own * next;
      const double ratio = step.high / product.high;
      const double rest = remainder(step.high, ratio, product.high) + step.low;
      const double ratio_low = fma(-ratio, product.low, rest) / product.high;
      below = below + ExactSum<double>{log_2, log_2_low} * ExactSum<double>{ratio, ratio_low};
      own = next;
    }
  }

  /// 2ʸ, exact for integers.
  template <class T>
  INLINE static T power(T y) {
    constexpr ElementOf<T> largest = 2 * Float<ElementOf<T>>::exponent_bias;
    const T bounded = max(T(-largest), min(T(largest), y));
    const T n =
        (bounded + T(Constants<ElementOf<T>>::rounder)) - T(Constants<ElementOf<T>>::rounder);
    return times_power_of_two(exp((bounded - n) * T(log_2)), n);
  }
  /// 2ʸ − 1.
  INLINE static double gain(double y) { return y < 1 ? expm1(y * log_2) : power(y) - 1; }

  struct Row {
    const double *pred, *target, *power, *below_high, *below_low;
    ptrdiff_t i, first;
    double sigma;
    bool divided;

    INLINE Pairs at(ptrdiff_t j) const {
      using V = Vec<double>;
      const auto load = [&](const double* x) { return V::load(x + j); };
      const V own(target[i]), other = load(target);
      const V gains = abs(V(power[i]) - load(power));
      const V discounts =
          (load(below_high) - V(below_high[i])) + (load(below_low) - V(below_low[i]));
      const ExactSum<V> difference = finite_difference(V(pred[i]), load(pred));
      V weight = gains * discounts;
      if (divided) weight = weight / (V(0.01) + difference.high);
      const V sign = select(own > other, V(1), V(-1));
      const V steepness = sign * V(sigma);
      ExactSum<V> x = exact_product(difference.high, steepness);
      x.low = fma(difference.low, steepness, x.low);
      x.low = select(x.high - x.high == V(0), x.low, V(0));
      return {own != other, weight, sign, logistic(x)};
    }
  };

  template <unsigned wanted>
  static void run(const GroupwiseTask& task) {
    const double sigma = task.parameters[0], truncation = task.parameters[1];
    const bool normalized = task.parameters[2] != 0;
    const double bounded = min(truncation, static_cast<double>(task.count));
    auto first = static_cast<ptrdiff_t>(bounded);
    if (static_cast<double>(first) < bounded) ++first;
    double* const powers = task.scratch[2];
    RunningSum best;
    for (ptrdiff_t i = 0; i < task.count; ++i) powers[i] = power(task.target[i]);
    for (ptrdiff_t i = 0; i < first; ++i) best.add(gain(task.best_target[i]) * task.places[i]);
    const double* const below = task.places + task.place_stride;
    const bool divided = normalized && task.pred[0] != task.pred[task.count - 1];

    PairSums<wanted> sums(task);
    sums.add(min(first, task.count - 1), task.count, [&](ptrdiff_t i) {
      return Row{task.pred, task.target, powers, below,  below + task.place_stride,
                 i,         i + 1,       sigma,  divided};
    });
    double factor = rounded(best) > 0 ? 1 / rounded(best) : 0;
    const double slopes = 2 * sigma * sums.slopes * factor;
    if (normalized && slopes > 0) factor = factor * (log1p(slopes) / (slopes * log_2));
    *task.value = factor * sums.value;
    const double slope_factor = task.factor * (factor * sigma);
    if constexpr (sums.has_grad) sums.grad.finish(slope_factor, task.count);
    if constexpr (sums.has_hess) sums.hess.finish(slope_factor * sigma, task.count);
  }
};

using Ranking = LossList<PairwiseLogistic, LambdaRank>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
