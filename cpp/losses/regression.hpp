// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for real targets.
#pragma once

#include "differences.hpp"
#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

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

    T u = r, u_rest = T(0), u_lost = lost;  // r/β = u + u_rest
    if (any(beta != T(1))) {  // from 1/β in two numbers and a unit in which it is normal
      const T unit = unit_of(beta);
      const T scaled_beta = unit * beta;
      const T inverse = T(1) / scaled_beta;
      const T inverse_lost = fma(-inverse, scaled_beta, T(1)) * inverse;
      const T scaled_r = unit * r;
      u = scaled_r * inverse;
      u_rest = fma(scaled_r, inverse_lost, fma(scaled_r, inverse, -u));
      u_lost = unit * lost * inverse;
    }
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

/// r²/2, r = pred − target.
struct HalfSquaredError {
  static constexpr auto name = "half_squared_error";
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const auto [r, lost] = exact_difference(pred, target);
    return {.value = fma(T(0.5) * r, r, correction(r * lost)), .grad = {r}, .hess = {T(1)}};
  }
};

/// q(−r) for r < 0, (1 − q)r beyond, r = pred − target; the slope at 0 is 0.
struct Quantile {
  static constexpr auto name = "quantile";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T q) {
    const T r = pred - target;
    const T size = abs(r);
    const T slope = select(r < T(0), q, T(1) - q);
    T value = masked_product(slope, size);
    const auto overflows = size == T(Constants<ElementOf<T>>::infinity);
    if (any(overflows)) {  // q|r| may still be a number
      const T half = abs(half_difference(pred, target));
      value = select(overflows, masked_product(T(2) * slope, half), value);
    }
    return {.value = value, .grad = {select(size > T(0), copysign(slope, r), r)}, .hess = {T(0)}};
  }
};

/// q·r² for r < 0, (1 − q)r² beyond, r = pred − target.
struct Expectile {
  static constexpr auto name = "expectile";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T q) {
    const auto [difference, lost] = exact_difference(pred, target);
    const T slope = select(difference < T(0), q, T(1) - q);
    const auto ignored = (slope == T(0)) & (difference == difference);
    const T r = select(ignored, T(0), difference);
    const T steep = slope * r;
    const T rest = select(ignored, T(0), correction(T(2) * steep * lost));
    T grad = T(2) * steep;
    const auto overflows = abs(r) == T(Constants<ElementOf<T>>::infinity);
    if (any(overflows)) {  // 2q·r may still be a number
      grad = select(overflows, T(4) * slope * half_difference(pred, target), grad);
    }
    return {.value = fma(steep, r, rest), .grad = {grad}, .hess = {T(2) * slope}};
  }
};

/// max(0, |r| − ε), r = pred − target; the slope at |r| = ε is 0.
struct EpsilonInsensitive {
  static constexpr auto name = "epsilon_insensitive";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T epsilon) {
    const Excess<T> excess = excess_over(epsilon, pred, target);
    return {.value = excess.size + excess.lost, .grad = {excess.side}, .hess = {T(0)}};
  }
};

/// max(0, |r| − ε)², r = pred − target.
struct SquaredEpsilonInsensitive {
  static constexpr auto name = "squared_epsilon_insensitive";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T epsilon) {
    const Excess<T> excess = excess_over(epsilon, pred, target);
    const auto [size, lost] = exact_sum(excess.size, excess.lost);
    const T twice = T(2) * size;
    return {.value = fma(size, size, correction(twice * lost)),
            .grad = {excess.side * twice},
            .hess = {T(2) * excess.curvature}};
  }
};

using Regression =
    LossList<MeanSquaredError, MeanAbsoluteError, Huber, GaussianNegativeLogLikelihood, SmoothL1,
             HalfSquaredError, Quantile, Expectile, EpsilonInsensitive, SquaredEpsilonInsensitive>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
