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
    const auto [r, lost] = exact_difference(pred, target);
    const T twice = T(2) * r;
    return {.value = fma(r, r, correction(twice * lost)), .grad = {twice}, .hess = {T(2)}};
  }
};

/// |r|, r = pred − target; the slope at 0 is 0.
struct MeanAbsoluteError {
  static constexpr auto name = "mae";
  static constexpr double cost = 0.75;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const T r = pred - target;
    return {.value = abs(r), .grad = {sign(r)}, .hess = {T(0)}};
  }
};

/// (pred − target)/2, which is a number where pred − target is too large for one.
template <class T>
INLINE T half_difference(T pred, T target) {
  return T(0.5) * pred - T(0.5) * target;
}

/// Whether |r + lost| > threshold, for r + lost = pred − target and size = |r|.
template <class T>
INLINE auto is_beyond(ExactSum<T> difference, T size, T threshold) {
  const auto [r, lost] = difference;
  return (size > threshold) | ((size == threshold) & (copysign(T(1), r) * lost > T(0)));
}

/// δ-Huber: r²/2 for |r| ≤ δ, δ(|r| − δ/2) beyond.
struct Huber {
  static constexpr auto name = "huber";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T delta) {
    const ExactSum<T> difference = exact_difference(pred, target);
    const auto [r, lost] = difference;
    const T size = abs(r);
    const auto linear = size > delta;
    const T grad = select(linear, copysign(delta, r), r);
    // slope·|r| − offset, with slope = |r|/2 and no offset, or δ and δ²/2, which takes two numbers.
    const T slope = select(linear, delta, T(0.5) * size);
    const T half = T(0.5) * delta;
    const T offset = half * delta;
    const T offset_lost = fma(half, delta, -offset);
    const T low = fma(grad, lost, select(linear, -offset_lost, T(0)));
    T value = fma(slope, size, correction(low - select(linear, offset, T(0))));
    const auto overflows = size == T(Constants<ElementOf<T>>::infinity);
    if (any(overflows)) {  // δ|r| may still be a number
      value =
          select(overflows, fma(T(2) * delta, abs(half_difference(pred, target)), -offset), value);
    }
    return {.value = value,
            .grad = {grad},
            .hess = {select(is_beyond(difference, size, delta), T(0), T(1))}};
  }
};

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

/// (log v + r²/v)/2 [+ log(2π)/2 if full], r = pred − target, v = max(var, ε); v has slope 0 where
/// it is clamped. Quotients are formed so that r² alone never overflows.
struct GaussianNegativeLogLikelihood {
  static constexpr auto name = "gaussian_nll";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T, 2> terms(T pred, T var, T target, T full, T eps) {
    const T half = T(0.5);
    const T half_log_two_pi = T(0.91893853320467274178);
    const T r = pred - target;
    const T v = select(var < eps, eps, var);
    const T inverse = T(1) / v;
    const T half_inverse = half * inverse;
    T u = r / v;
    T half_square = half * u * r;  // r²/(2v)
    const auto overflows = abs(r) == T(Constants<ElementOf<T>>::infinity);
    if (any(overflows)) {  // r/v may still be a number
      const T half_r = half_difference(pred, target);
      u = select(overflows, half_r / v * T(2), u);
      half_square = select(overflows, u * half_r, half_square);
    }
    const T half_u = half * u;
    const T var_grad = fma(-half_u, u, half_inverse);
    const T var_hess = fma(-half_inverse, inverse, (u * inverse) * u);
    return {.value = half_square + fma(full, half_log_two_pi, half * log(v)),
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
    const ExactSum<T> difference = exact_difference(pred, target);
    const auto [r, lost] = difference;
    const T size = abs(r);
    const auto never_quadratic = beta == T(0);
    const auto linear = (size > beta) | never_quadratic;
    const T towards = copysign(T(1), r);
    const T low = correction(fma(towards, lost, T(-0.5) * beta));

    // r/β = u + u_rest, from 1/β in two numbers and a unit in which it is normal.
    const T unit = unit_of(beta);
    const T scaled_beta = unit * beta;
    const T inverse = T(1) / scaled_beta;
    const T inverse_lost = fma(-inverse, scaled_beta, T(1)) * inverse;
    const T scaled_r = unit * r;
    const T u = scaled_r * inverse;
    const T u_rest = fma(scaled_r, inverse_lost, fma(scaled_r, inverse, -u));
    const T u_lost = unit * lost * inverse;
    const T quadratic = fma(T(0.5) * r, u, r * fma(T(0.5), u_rest, u_lost));
    const auto beyond = is_beyond(difference, size, beta) | never_quadratic;
    return {.value = select(linear, size + low, quadratic),
            .grad = {select(linear, sign(r), u + (u_rest + u_lost))},
            .hess = {select(beyond, T(0), T(1) / beta)}};
  }

 private:
  /// A power of two that brings a divisor away from the smallest and the largest numbers.
  template <class T>
  INLINE static T unit_of(T divisor) {
    constexpr ElementOf<T> unit = Constants<ElementOf<T>>::unit;
    return select(divisor > T(1 / unit), T(unit), select(divisor < T(unit), T(1 / unit), T(1)));
  }
};

/// The pointwise losses that there are.
using Pointwise = LossList<MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropyWithLogits,
                           GaussianNegativeLogLikelihood, SmoothL1>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
