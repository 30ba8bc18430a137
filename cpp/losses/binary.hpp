// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for targets of two classes.
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

/// max(0, 1 − z), z = target·pred; the slope at z = 1 is 0.
struct Hinge {
  static constexpr auto name = "hinge";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T margin = fma(-target, pred, T(1));
    const auto right = margin <= T(0);
    const T slope = select(margin == margin, -target, margin);
    return {
        .value = select(right, T(0), margin), .grad = {select(right, T(0), slope)}, .hess = {T(0)}};
  }
};

/// max(0, 1 − z)², z = target·pred.
struct SquaredHinge {
  static constexpr auto name = "squared_hinge";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const auto [margin, lost] = exact_difference(T(1), target * pred);
    const auto right = margin <= T(0);
    const T twice = T(2) * margin;
    const T value = fma(margin, margin, correction(twice * lost));
    return {.value = select(right, T(0), value),
            .grad = {select(right, T(0), -target * twice)},
            .hess = {select(margin < T(0), T(0), T(2) * target * target)}};
  }
};

/// max(0, −z), z = target·pred; the slope at z = 0 is 0.
struct Perceptron {
  static constexpr auto name = "perceptron";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T wrong = -target * pred;
    const auto right = wrong <= T(0);
    const T slope = select(wrong == wrong, -target, wrong);
    return {
        .value = select(right, T(0), wrong), .grad = {select(right, T(0), slope)}, .hess = {T(0)}};
  }
};

/// max(0, 1 − z)² for z ≥ −1, −4z beyond, z = target·pred.
struct ModifiedHuber {
  static constexpr auto name = "modified_huber";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T z = target * pred;
    const auto quadratic = SquaredHinge::terms(pred, target);
    const auto linear = z < T(-1);
    return {.value = select(linear, T(-4) * z, quadratic.value),
            .grad = {select(linear, T(-4) * target, quadratic.grad[0])},
            .hess = {select(linear, T(0), quadratic.hess[0])}};
  }
};

using Binary =
    LossList<BinaryCrossEntropyWithLogits, Hinge, SquaredHinge, Perceptron, ModifiedHuber>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
