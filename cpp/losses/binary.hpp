// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for targets of two classes: 0, 1, and probabilities between them.
#pragma once

#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// p·y'·softplus(−x) + (1 − y')·softplus(x), with y' = (1 − ε)·y + ε/2 and pos_weight p. Written
/// with log1p(exp(−|x|)) so that no tail is lost; each part with factor 0 is 0, infinite or not.
struct BinaryCrossEntropyWithLogits {
  static constexpr auto name = "binary_cross_entropy_with_logits";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T logit, T target, T pos_weight, T label_smoothing) {
    const T share = T(0.5) * label_smoothing;
    const T kept = T(1) - label_smoothing;
    const T positive = fma(pos_weight * kept, target, pos_weight * share);
    const T negative = fma(kept, T(1) - target, share);
    const T mass = positive + negative;
    const T size = abs(logit);
    const auto [e, unit] = exp_multiple(-size);
    const auto [divisor, divisor_lost] = ordered_sum(T(1), e);
    const T inverse = T(1) / divisor;  // the sigmoid of |x|; its complement is e · inverse
    const auto below = logit < T(0);
    const T against = select(below, positive, negative);  // the factor of what grows with |x|
    const T with = select(below, negative, positive);
    const T linear = select(against == T(0), T(0), against * size);
    const T quotient = fma(-(with * unit), e, against) / divisor;
    // 1 − e/2 is near enough to 1 / (1 + e) for what the divisor lost.
    const T slope = fma(quotient * -divisor_lost, fma(e, T(-0.5), T(1)), quotient);
    return {.value = fma(mass * unit, log1p_unit(e), linear),
            .grad = {select(below, -slope, slope)},
            .hess = {mass * (e * inverse) * inverse * unit}};
  }
};

using Binary = LossList<BinaryCrossEntropyWithLogits>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
