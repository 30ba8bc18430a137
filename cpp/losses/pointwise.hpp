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
    return {.value = product(r, {r, T(2) * lost}), .grad = {T(2) * r}, .hess = {T(2)}};
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

/// r = pred − target and a threshold of |r|, between a quadratic and a linear side. What rounding
/// takes from r is kept, so that the side is right and the loss is rounded once.
template <class T>
struct Residual {
  T r, size, lost;             // r + lost is exact, size = |r|
  ExactSum<T> beyond;          // |r| − threshold/2
  decltype(T() > T()) linear;  // whether |r| > threshold

  INLINE Residual(T pred, T target, T threshold) {
    const ExactSum<T> difference = exact_difference(pred, target);
    r = difference.high;
    lost = difference.low;
    size = abs(r);
    const T larger = select(r < T(0), -lost, lost);
    linear = (size > threshold) | ((size == threshold) & (larger > T(0)));
    const T half = T(0.5) * threshold;
    beyond.high = size - half;
    beyond.low = ((size - beyond.high) - half) + larger;
  }
};

/// δ-Huber: r²/2 for |r| ≤ δ, δ(|r| − δ/2) beyond.
struct Huber {
  static constexpr auto name = "huber";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T delta) {
    const Residual<T> x(pred, target, delta);
    const T slope = select(x.linear, delta, x.r);
    const ExactSum<T> length = {select(x.linear, x.beyond.high, T(0.5) * x.r),
                                select(x.linear, x.beyond.low, x.lost)};
    return {.value = product(slope, length),
            .grad = {select(x.linear, copysign(delta, x.r), x.r)},
            .hess = {select(x.linear, T(0), T(1))}};
  }
};

/// p·y'·softplus(−x) + (1 − y')·softplus(x), with y' = (1 − ε)·y + ε/2 and pos_weight p. Written
/// with log1p(exp(−|x|)) so that no tail is lost; each part with factor 0 is 0, infinite or not.
struct BinaryCrossEntropyWithLogits {
  static constexpr auto name = "binary_cross_entropy_with_logits";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T logit, T target, T pos_weight, T label_smoothing) {
    const T share = T(0.5) * label_smoothing;
    const T kept = T(1) - label_smoothing;
    const T positive = pos_weight * fma(kept, target, share);
    const T negative = fma(kept, T(1) - target, share);
    const T size = abs(logit);
    const auto [e, unit] = exp_nonpositive(-size);
    const T inverse = T(1) / (T(1) + e);
    const T tail = e * inverse;  // the sigmoid of −|x|; its complement is `inverse`
    const auto below = logit < T(0);
    const T against = select(below, positive, negative);  // the factor of what grows with |x|
    const T with = select(below, negative, positive);
    const T mass = positive + negative;
    const T linear = select(against == T(0), T(0), against * size);
    const T slope = fma(-(with * tail), unit, against * inverse);
    return {.value = fma(mass * log1p_unit(e), unit, linear),
            .grad = {select(below, -slope, slope)},
            .hess = {mass * tail * inverse * unit}};
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
    const T half_u = half * u;
    const T half_inverse = half * inverse;
    const T var_grad = fma(-half_u, u, half_inverse);
    const T var_hess = fma(-half_inverse, inverse, (u * inverse) * u);
    return {.value = fma(half_u, r, fma(full, half_log_two_pi, half * log(v))),
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
    const Residual<T> x(pred, target, beta);
    const T inverse = T(1) / beta;
    const T u = x.r / beta;
    // (r + lost)/β = u + u_lost; 1/β overflows where there is nothing to correct.
    const T remainder = fma(-u, beta, x.r) + x.lost;
    const T u_lost = remainder * min(inverse, T(Constants<ElementOf<T>>::largest));
    const T half = T(0.5) * x.r;
    const T quadratic = fma(half, u, fma(half, u_lost, T(0.5) * u * x.lost));
    const auto linear = x.linear | (beta == T(0));
    return {.value = select(linear, product(T(1), x.beyond), quadratic),
            .grad = {select(linear, sign(x.r), u + u_lost)},
            .hess = {select(linear, T(0), inverse)}};
  }
};

/// The pointwise losses that there are.
using Pointwise = LossList<MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropyWithLogits,
                           GaussianNegativeLogLikelihood, SmoothL1>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
