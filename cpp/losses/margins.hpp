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

using Margins = LossList<Hinge, SquaredHinge, Perceptron, ModifiedHuber>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
