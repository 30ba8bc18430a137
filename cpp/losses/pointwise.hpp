// SPDX-License-Identifier: BSD-3-Clause
// Formulas of the pointwise losses, and nothing else. Each is a function of inputs, targets and
// parameters, in this order, that runs on vectors and on plain floats. What a caller does not want
// of the result costs nothing: the compiler removes it.
#pragma once

#include "../kernels.hpp"
#include "../math.hpp"
#include "../simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// A term and its first and second derivative with respect to each differentiable input.
template <class T, int inputs = 1>
struct Terms {
  T value;
  T grad[inputs];
  T hess[inputs];
};

/// r², r = pred − target.
struct MeanSquaredError {
  static constexpr auto name = "mse";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T r = pred - target;
    return {.value = r * r, .grad = {T(2) * r}, .hess = {T(2)}};
  }
};

/// |r|, r = pred − target; the slope at 0 is 0.
struct MeanAbsoluteError {
  static constexpr auto name = "mae";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T r = pred - target;
    return {.value = abs(r), .grad = {sign(r)}, .hess = {T(0)}};
  }
};

/// δ-Huber: r²/2 for |r| ≤ δ, δ(|r| − δ/2) beyond.
struct Huber {
  static constexpr auto name = "huber";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T delta) {
    const T r = pred - target;
    const T size = abs(r);
    const auto linear = size > delta;
    const T half = T(0.5);
    return {.value = select(linear, delta * (size - half * delta), half * r * r),
            .grad = {select(linear, copysign(delta, r), r)},
            .hess = {select(linear, T(0), T(1))}};
  }
};

/// p·y'·softplus(−x) + (1 − y')·softplus(x), with y' = (1 − ε)·y + ε/2 and pos_weight p. Written
/// with log1p(exp(−|x|)) so that no tail is lost; each part with factor 0 is 0, infinite or not.
struct BinaryCrossEntropyWithLogits {
  static constexpr auto name = "binary_cross_entropy_with_logits";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T logit, T target, T pos_weight, T label_smoothing) {
    const T half = T(0.5);
    const T smoothed = fma(T(1) - label_smoothing, target, half * label_smoothing);
    const T positive = pos_weight * smoothed;
    const T negative = T(1) - smoothed;
    const T size = abs(logit);
    const T e = exp_nonpositive(-size);
    const T inverse = T(1) / (T(1) + e);
    const T tail = e * inverse;  // the sigmoid of −|x|; its complement is `inverse`
    const auto below = logit < T(0);
    const T against = select(below, positive, negative);  // the factor of what grows with |x|
    const T mass = positive + negative;
    const T linear = select(against == T(0), T(0), against * size);
    return {
        .value = fma(mass, log1p_unit(e), linear),
        .grad = {negative * select(below, tail, inverse) - positive * select(below, inverse, tail)},
        .hess = {mass * tail * inverse}};
  }
};

/// (log v + r²/v)/2 [+ log(2π)/2 if full], r = pred − target, v = max(var, ε); v has slope 0 where
/// it is clamped. Quotients are formed so that r² alone never overflows.
struct GaussianNegativeLogLikelihood {
  static constexpr auto name = "gaussian_nll";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T, 2> terms(T pred, T var, T target, T full, T eps) {
    const T half = T(0.5);
    const T half_log_two_pi = T(0.91893853320467274178);
    const T r = pred - target;
    const T v = select(var < eps, eps, var);
    const T inverse = T(1) / v;
    const T u = r / v;
    const T nll = half * (log(v) + u * r);
    const T var_grad = half * fma(-u, u, inverse);
    const T var_hess = fma(-half, inverse, u * u) * inverse;
    return {.value = fma(full, half_log_two_pi, nll),
            .grad = {u, select(var <= eps, T(0), var_grad)},
            .hess = {inverse, select(var < eps, T(0), var_hess)}};
  }
};

/// r²/(2β) for |r| ≤ β, |r| − β/2 beyond, r = pred − target; |r| for β = 0.
struct SmoothL1 {
  static constexpr auto name = "smooth_l1";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T beta) {
    const T r = pred - target;
    const T size = abs(r);
    const T u = r / beta;
    const auto linear = (size > beta) | (beta == T(0));
    const T half = T(0.5);
    return {.value = select(linear, size - half * beta, half * r * u),
            .grad = {select(linear, sign(r), u)},
            .hess = {select(linear, T(0), T(1) / beta)}};
  }
};

/// The pointwise losses that there are.
using Pointwise = LossList<MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropyWithLogits,
                           GaussianNegativeLogLikelihood, SmoothL1>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
