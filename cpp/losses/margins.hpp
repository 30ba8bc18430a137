// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses of margins: a score times a target of −1 or 1.
#pragma once

#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

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

/// log(1 + exp(−z)), z = target·pred.
struct SoftMargin {
  static constexpr auto name = "soft_margin";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T z = target * pred;
    const T wrong = sigmoid(-z);
    return {.value = softplus(-z),
            .grad = {-target * wrong},
            .hess = {target * target * wrong * sigmoid(z)}};
  }
};

/// pred for target 1, max(0, margin − pred) for target −1, whose slope at margin is 0.
struct HingeEmbedding {
  static constexpr auto name = "hinge_embedding";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T margin) {
    const T linear = select(target > T(0), pred, fma(target, pred, margin));
    const auto far = (target < T(0)) & (linear <= T(0));
    const T slope = select(linear == linear, target, linear);
    return {.value = select(far, T(0), linear), .grad = {select(far, T(0), slope)}, .hess = {T(0)}};
  }
};

/// max(0, margin − target·(input1 − input2)); the slope where that becomes 0 is 0.
struct MarginRanking {
  static constexpr auto name = "margin_ranking";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T, 2> terms(T input1, T input2, T target, T margin) {
    const auto [difference, lost] = exact_difference(input1, input2);
    const auto [high, low] = exact_difference(margin, target * difference);
    T lack = high + correction(fma(-target, lost, low));
    const auto overflows = abs(difference) == T(Constants<ElementOf<T>>::infinity);
    if (any(overflows)) {  // the sum may still be a number
      const T half = fma(-target, half_difference(input1, input2), T(0.5) * margin);
      lack = select(overflows, T(2) * half, lack);
    }
    const auto right = lack <= T(0);
    const T slope = select(lack == lack, target, lack);
    return {.value = select(right, T(0), lack),
            .grad = {select(right, T(0), -slope), select(right, T(0), slope)},
            .hess = {T(0), T(0)}};
  }
};

using Margins = LossList<Hinge, SquaredHinge, Perceptron, ModifiedHuber, SoftMargin, HingeEmbedding,
                         MarginRanking>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
