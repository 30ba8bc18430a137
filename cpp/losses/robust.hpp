// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for real targets to which large errors matter less than to squares.
#pragma once

#include "../gamma.hpp"
#include "differences.hpp"
#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// r = pred − target and a scale c > 0, side by side.
template <class T>
struct Proportion {
  T r, lost, size;             // r + lost is exact; size = |r|
  T smaller;                   // of |r| and c,
  T ratio, ratio_lost;         // divided by the larger one, in two numbers
  decltype(T() > T()) beyond;  // whether |r| > c
};
template <class T>
INLINE Proportion<T> proportion(T pred, T target, T scale) {
  const auto [r, lost] = exact_difference(pred, target);
  const T size = abs(r);
  const auto beyond = size > scale;
  const T smaller = select(beyond, scale, size), larger = select(beyond, size, scale);
  const T outwards = copysign(T(1), r) * lost;
  T ratio = smaller / larger;
  const T rest = remainder(smaller, ratio, larger) + select(beyond, -ratio, T(1)) * outwards;
  const auto exact = larger < T(Constants<ElementOf<T>>::infinity);
  const auto too_far = size == T(Constants<ElementOf<T>>::infinity);
  if (any(too_far)) {  // c/|r| may still be a number
    ratio = select(too_far, T(0.5) * scale / abs(half_difference(pred, target)), ratio);
  }
  return {r,     select(exact, lost, T(0)),          size,  smaller,
          ratio, select(exact, rest / larger, T(0)), beyond};
}

/// The value or, where pred − target is too large for a number, x·|pred − target|.
template <class T>
INLINE T unless_too_far(T value, T x, T pred, T target) {
  const auto too_far = abs(pred - target) == T(Constants<ElementOf<T>>::infinity);
  if (any(too_far)) {
    value = select(too_far, T(2) * x * abs(half_difference(pred, target)), value);
  }
  return value;
}

/// |pred − target| / divisor, likewise.
template <class T>
INLINE T distance_over(T pred, T target, T divisor) {
  const T size = abs(pred - target);
  T quotient = size / divisor;
  const auto too_far = size == T(Constants<ElementOf<T>>::infinity);
  if (any(too_far)) {
    const T half = abs(half_difference(pred, target));
    quotient = select(too_far, T(2) * (half / divisor), quotient);
  }
  return quotient;
}

/// x/c; where it is near, it is nothing beside 1, and where it is far, 1 and its own logarithm are
/// nothing beside it.
template <class T>
struct Extremes {
  decltype(T() > T()) near, far;
  T quotient;
};
template <class T>
INLINE Extremes<T> extremes(T x, T scale) {
  constexpr ElementOf<T> unit = Constants<ElementOf<T>>::unit;
  const T quotient = x / scale;
  const auto near = quotient < T(unit);
  const auto far = quotient > T(1 / unit);
  return {near, far, quotient};
}

/// log(1 + (r/c)²), r = pred − target.
template <class T>
INLINE T log1p_square(T pred, T target, T scale) {
  const T size = abs(pred - target);
  const auto [near, far, quotient] = extremes(size, scale);
  T result = log1p(quotient * quotient);
  if (any(far)) {  // the square may be too large for a number
    const T half = abs(half_difference(pred, target));
    result = select(far, T(2) * log_quotient(half, T(0.5) * scale), result);
  }
  return result;
}

/// δ²(√(1 + (r/δ)²) − 1), r = pred − target.
struct PseudoHuber {
  static constexpr auto name = "pseudo_huber";
  static constexpr double cost = 1.5;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T delta) {
    // With m the larger one of |r| and δ, √(δ² + r²) = m·s.
    const auto [r, lost, size, smaller, ratio, ratio_lost, beyond] =
        proportion(pred, target, delta);
    const T square = ratio * ratio;
    const T t = square + T(1);
    const T s = sqrt(t);
    const T grad = copysign(smaller / s, r);
    const T share = smaller / (s + select(beyond, ratio, T(1)));
    const T value = fma(share, size, correction(grad * lost));
    // With 1/t³ᐟ² the second derivative is 1/t³ᐟ² or, beyond, ratio³/t³ᐟ².
    const T inverse = T(1) / (s * t);
    const T cube = select(beyond, square * ratio, T(1));
    const T rest = T(3) * select(beyond, square, -ratio) * ratio_lost * (s * inverse);
    return {.value = unless_too_far(value, share, pred, target),
            .grad = {grad},
            .hess = {fma(cube, inverse, rest * inverse)}};
  }
};

/// c²(|r|/c − log(1 + |r|/c)), r = pred − target.
struct Fair {
  static constexpr auto name = "fair";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T scale) {
    const auto [r, lost, size, smaller, ratio, ratio_lost, beyond] =
        proportion(pred, target, scale);
    const T inverse = T(1) / (T(1) + ratio);
    const T grad = copysign(smaller * inverse, r);
    const T share_lost = select(beyond, ratio_lost, -ratio_lost) * inverse * inverse;
    const T share = fma(select(beyond, ratio, T(1)), inverse, share_lost);  // c/(c + |r|)
    const auto [near, far, quotient] = extremes(size, scale);
    const T factor = select(near, T(0.5) * size, select(far, scale, scale * -log1pmx(quotient)));
    const T value = fma(factor, select(near | far, size, scale), correction(grad * lost));
    return {.value = unless_too_far(value, scale, pred, target),
            .grad = {grad},
            .hess = {share * share}};
  }
};

/// (1 − v²)/(1 + v²)² for v = ratio + lost.
template <class T>
INLINE T cauchy_bend(T ratio, T lost) {
  const T square = fma(ratio, ratio, T(2) * ratio * lost);
  const T inverse = T(1) / (T(1) + square);
  return (T(1) - square) * inverse * inverse;
}

/// c²/2·log(1 + (r/c)²), r = pred − target.
struct Cauchy {
  static constexpr auto name = "cauchy";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T scale) {
    const auto [r, lost, size, smaller, ratio, ratio_lost, beyond] =
        proportion(pred, target, scale);
    const T grad = copysign(select(beyond, scale * ratio, size) / fma(ratio, ratio, T(1)), r);
    const auto [near, far, quotient] = extremes(size, scale);
    const T factor = select(near, size, scale * log1p_square(pred, target, scale));
    const T falling = -ratio * fma(T(2), ratio_lost, ratio);
    return {.value = fma(T(0.5) * factor, select(near, size, scale), correction(grad * lost)),
            .grad = {grad},
            .hess = {select(beyond, falling, T(1)) * cauchy_bend(ratio, ratio_lost)}};
  }
};

/// c²/2·atan((r/c)²), r = pred − target.
struct Arctan {
  static constexpr auto name = "arctan";
  static constexpr double cost = 2;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T scale) {
    const T quarter_turn = T(1.57079632679489661923);
    const auto [r, lost, size, smaller, ratio, ratio_lost, beyond] =
        proportion(pred, target, scale);
    const T square = fma(ratio, ratio, T(2) * ratio * ratio_lost);
    const T fourth = square * square;
    const T inverse = T(1) / (T(1) + fourth);
    const T third = fma(smaller, ratio, smaller * ratio_lost) * square;  // c⁴/|r|³
    const T grad = copysign(select(beyond, third, size) * inverse, r);
    const T angle = atan_ratio(square);  // divided by the square
    const T share = select(beyond, fma(-square, angle, quarter_turn), angle);
    const T bend = select(beyond, square * (fourth - T(3)) * square, fma(T(-3), fourth, T(1)));
    return {.value = fma(T(0.5) * smaller * share, smaller, correction(grad * lost)),
            .grad = {grad},
            .hess = {bend * inverse * inverse}};
  }
};

/// |r|^q, r = pred − target; for q = 1 the slope at 0 is 0.
struct Lq {
  static constexpr auto name = "lq";
  static constexpr double cost = 6;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T q) {
    using C = Constants<ElementOf<T>>;
    const auto [r, low] = exact_difference(pred, target);
    // log |r|, of the unrounded difference, even if that is too large for a number.
    const auto too_far = abs(r) == T(C::infinity);
    const T size = select(too_far, abs(half_difference(pred, target)), abs(r));
    const auto regular = (size > T(0)) & (size < T(C::infinity));
    const auto [n, f] = log_parts(select(regular, size, T(1)));
    const ExactSum<T> log_size = log_sum(n + select(too_far, T(1), T(0)), f);
    const T lost = select((low == T(0)) | too_far, T(0), low / r);
    const ExactSum<T> log_r = ordered_sum(log_size.high, log_size.low + lost);
    const auto times_power = [&](T factor, T exponent) {  // factor·|r|^exponent
      const Scaled<T> power = exp_of_product(exponent, log_r);
      const T product = times_power_of_two(factor * power.x, power.n);
      const T rising = select(size == T(0), -exponent, exponent);
      const T limit = select(rising > T(0), T(C::infinity), select(rising == T(0), T(1), T(0)));
      const T at_edge = select(size == size, masked_product(factor, limit), size);
      return select(regular, product, at_edge);
    };
    // A larger factor matters where |r| is 1 alone.
    const T factor = min(T(is_single<T> ? 0x1p100 : 0x1p960), q * (q - T(1)));
    return {.value = times_power(T(1), q),
            .grad = {sign(r) * times_power(q, q - T(1))},
            .hess = {times_power(factor, q - T(2))}};
  }
};

/// (log cosh(x) / x² − 1/2) / x² for the square of x <= 1.
template <class T>
INLINE T log_cosh_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-30.6 of the result
    return polynomial(x, -0.08333331f, 0.022221662f, -0.0067408234f, 0.0021639364f, -0.00068301056f,
                      0.00017867153f, -2.6292382e-05f);
  } else {
    // tools/polynomials.py: within 2^-60.1 of the result
    return polynomial(x, -0.0833333333333332, 0.02222222222220866, -0.006746031745532844,
                      0.0021869488442921134, -0.0007386028567799128, 0.0002565798151872754,
                      -9.098582399306586e-05, 3.276548516941077e-05, -1.1919845075227902e-05,
                      4.333059428097155e-06, -1.5298857061703298e-06, 4.936740223167542e-07,
                      -1.31261934264581e-07, 2.4432495253821862e-08, -2.297421251764279e-09);
  }
}

/// log cosh r, r = pred − target.
struct LogCosh {
  static constexpr auto name = "log_cosh";
  static constexpr double cost = 4;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    using C = Constants<ElementOf<T>>;
    const auto [r, low] = exact_difference(pred, target);
    const T size = abs(r);
    const T lost = select(size < T(C::infinity), low, T(0));
    const T grad = tanh(r);
    const T rest = grad * lost;
    const T square = r * r;
    const T near = fma(fma(square, log_cosh_polynomial(square), T(0.5)) * r, r, rest);
    // |r| − log 2 + log(1 + e), e = exp(−2|r|)
    const auto [e, unit] = exp_multiple(T(-2) * size);
    const T far = (size - T(C::log_2_high)) + fma(log1p_unit(e), unit, rest - T(C::log_2_low));
    const T inverse = T(1) / (T(1) + e);
    const T hess = T(4) * (e * inverse) * inverse;
    return {.value = select(size < T(1), near, far),
            .grad = {grad},
            .hess = {fma(hess, T(-2) * rest, hess) * unit}};
  }
};

/// log(1 + x/y) for x >= 0 and y > 0, also where x/y is too large for a number.
template <class T>
INLINE T log1p_quotient(T x, T y) {
  const T quotient = x / y;
  T result = log1p(quotient);
  const auto too_large = quotient == T(Constants<ElementOf<T>>::infinity);
  if (any(too_large)) result = select(too_large, log_quotient(x, y), result);
  return result;
}

/// w·log(1 + |r|/κ) for |r| <= w, |r| − w + w·log(1 + w/κ) beyond, r = pred − target; the slope at
/// 0 is 0.
struct Wing {
  static constexpr auto name = "wing";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T width, T curvature) {
    const ExactSum<T> difference = exact_difference(pred, target);
    const T size = abs(difference.high);
    const auto beyond = is_beyond(difference, size, width);
    const Excess<T> excess = excess_over(width, pred, target);
    const T at_width = width * log1p_quotient(width, curvature);
    const T slope = width / (curvature + size);
    const auto near = size / curvature < T(Constants<ElementOf<T>>::smallest_normal);
    const T inside =
        select(near, masked_product(size, slope), width * log1p_quotient(size, curvature));
    return {.value = select(beyond, at_width + (excess.size + excess.lost), inside),
            .grad = {masked_product(sign(difference.high), select(beyond, T(1), slope))},
            .hess = {select(beyond, T(0), -slope / (curvature + size))}};
  }
};

/// (ν + 1)/2·log(1 + (r/s)²/ν) [− log of the density at r = 0 if full], r = pred − target.
struct StudentTNegativeLogLikelihood {
  static constexpr auto name = "student_t_nll";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 3;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T df, T scale, T full) {
    using C = Constants<ElementOf<T>>;
    // The Cauchy loss of this scale times (ν + 1)/width². The scale is kept from being 0.
    const T product = scale * sqrt(df);
    const T width = select(product > T(0), product, T(C::smallest_normal));
    const auto [r, lost, size, smaller, ratio, ratio_lost, beyond] =
        proportion(pred, target, width);
    const T peak = (df + T(1)) / width / width;  // the curvature at r = 0
    const T share = (df + T(1)) * select(beyond, T(1), ratio);
    const T divisor = fma(ratio, ratio, T(1));
    T grad = share / (select(beyond, size, width) * divisor);
    const auto tiny = (ratio < T(C::smallest_normal)) & (size < width);
    grad = select(tiny, masked_product(size, peak), grad);
    const auto too_far = size == T(C::infinity);
    if (any(too_far)) {
      const T distance = abs(half_difference(pred, target)) * divisor;
      grad = select(too_far, T(0.5) * share / distance, grad);
    }
    const auto [near, far, quotient] = extremes(size, width);
    const T half = T(0.5) * (df + T(1));
    const T value = half * select(near, quotient, log1p_square(pred, target, width));
    const T constant = log(scale) + student_t_log_normalizer(df);
    return {.value = fma(full, constant, value * select(near, quotient, T(1))),
            .grad = {copysign(grad, r)},
            .hess = {select(beyond, -(df + T(1)) / size / size, peak) *
                     cauchy_bend(ratio, ratio_lost)}};
  }
};

/// |r|/s + log s [+ log 2 if full], r = pred − target, s = max(scale, ε); s has slope 0 where it is
/// clamped.
struct LaplaceNegativeLogLikelihood {
  static constexpr auto name = "laplace_nll";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T, 2> terms(T pred, T scale, T target, T full, T eps) {
    const T log_two = T(0.69314718055994530942);
    const T r = pred - target;
    const T s = select(scale < eps, eps, scale);
    const T inverse = T(1) / s;
    const T u = distance_over(pred, target, s);
    const T scale_grad = (T(1) - u) * inverse;
    const T scale_hess = (u - T(0.5)) * inverse * (T(2) * inverse);
    return {.value = u + fma(full, log_two, log(s)),
            .grad = {masked_product(sign(r), inverse), select(scale <= eps, T(0), scale_grad)},
            .hess = {T(0), select(scale < eps, T(0), scale_hess)}};
  }
};

/// |r| / max(|target|, ε), r = pred − target; the slope at 0 is 0.
struct AbsolutePercentageError {
  static constexpr auto name = "absolute_percentage_error";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T eps) {
    const T floor = abs(target);
    const T divisor = select(floor < eps, eps, floor);
    return {.value = distance_over(pred, target, divisor),
            .grad = {sign(pred - target) / divisor},
            .hess = {T(0)}};
  }
};

/// (log(1 + x) − log(1 + target))², x = max(pred, floor); x has slope 0 where it is clamped.
struct SquaredLogError {
  static constexpr auto name = "squared_log_error";
  static constexpr double cost = 2.5;
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T floor) {
    // The difference of the logarithms is that of 1 and 1 + |r|/(1 + the smaller argument).
    const T x = select(pred < floor, floor, pred);
    const auto [r, low] = exact_difference(x, target);
    const T size = abs(r);
    const auto [divisor, divisor_lost] = exact_sum(T(1), min(x, target));
    const T quotient = size / divisor;
    const T lost =
        remainder(size, quotient, divisor) + (copysign(T(1), r) * low - quotient * divisor_lost);
    const auto exact = quotient < T(Constants<ElementOf<T>>::infinity);
    const T rest = select(exact, lost / (T(1) + max(x, target)), T(0));
    const T difference = copysign(log1p_quotient(size, divisor) + rest, r);
    const T inverse = T(1) / (T(1) + x);
    const T pull = masked_product(inverse, difference);
    return {.value = difference * difference,
            .grad = {select(pred <= floor, T(0), T(2) * pull)},
            .hess = {select(pred < floor, T(0), T(2) * inverse * (inverse - pull))}};
  }
};

using Robust =
    LossList<PseudoHuber, Fair, Cauchy, Arctan, LogCosh, Lq, Wing, StudentTNegativeLogLikelihood,
             LaplaceNegativeLogLikelihood, AbsolutePercentageError, SquaredLogError>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
