// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for counts and other targets that are not negative.
#pragma once

#include "../deviance.hpp"
#include "../gamma.hpp"
#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// eˣ − yx or, without log_input, x − y log(x + ε) [+ log Γ(y + 1) if full].
struct PoissonNegativeLogLikelihood {
  static constexpr auto name = "poisson_nll";
  static constexpr double cost = 2;
  static constexpr int parameters = 3;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T log_input, T full, T eps) {
    if (any(log_input != T(0))) {
      const T mean = exp(pred);
      return {.value = value(mean, target, pred, full), .grad = {mean - target}, .hess = {mean}};
    }
    const auto [mean, lost] = exact_sum(pred, eps);
    const T log_mean = log(mean) + correction(lost / mean);
    const auto is_nothing = (target == T(0)) & (pred == pred);
    const T ratio = select(is_nothing, T(0), target / mean);
    return {.value = value(pred, target, log_mean, full),
            .grad = {T(1) - ratio},
            .hess = {select(is_nothing, T(0), ratio / mean)}};
  }

 private:
  /// a − yb [+ log Γ(y + 1)], where an infinite a is larger than yb.
  template <class T>
  INLINE static T value(T a, T y, T b, T full) {
    using C = Constants<ElementOf<T>>;
    const T product = masked_product(y, b);
    T result = a - product;
    if (any(full != T(0))) {
      const T constant = lgamma1p(y);
      result = result + constant;
      const auto is_large = constant == T(C::infinity);
      if (any(is_large)) {  // the difference may still be a number
        result = select(is_large, a + y * (log(y) - T(1) - b), result);
      }
    }
    return select(a == T(C::infinity), a, result);
  }
};

/// eˣ − y − y(x − log y): y (eᵈ − 1 − d), d = x − log y.
struct HalfPoissonDeviance {
  static constexpr auto name = "half_poisson_deviance";
  static constexpr double cost = 4;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    const auto never = target != target;
    const auto y = log_distance(pred, select(target > T(0), target, T(1)), never);
    const auto ratio = exponential(y.distance, target == T(0));
    const T m = select(target >= T(0), y.m, T(Constants<ElementOf<T>>::nan));
    return {.value = scaled(m * ratio.less_line, y.n + ratio.raised),
            .grad = {scaled(m * rounded(ratio.less_one), y.n + ratio.raised)},
            .hess = {scaled(m * ratio.whole, y.n + ratio.n)}};
  }
};

/// y e⁻ˣ − 1 + x − log y: e⁻ᵈ − 1 + d, d = x − log y.
struct HalfGammaDeviance {
  static constexpr auto name = "half_gamma_deviance";
  static constexpr double cost = 4;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    using C = Constants<ElementOf<T>>;
    const auto never = target != target;
    const auto d = log_distance(pred, select(target > T(0), target, T(1)), never).distance;
    const T at_edge = select(target == T(0), T(-C::infinity), T(C::nan));
    const auto ratio =
        exponential(ExactSum<T>{select(target > T(0), -d.high, at_edge), -d.low}, never);
    return {.value = scaled(ratio.less_line, ratio.raised),
            .grad = {scaled(T(0) - rounded(ratio.less_one), ratio.raised)},
            .hess = {scaled(ratio.whole, ratio.n)}};
  }
};

/// y²⁻ᵖ (g((2 − p)d) / (2 − p) − g((1 − p)d) / (1 − p)) with g(z) = eᶻ − 1 − z and d = log(μ / y),
/// for the mean μ = eˣ (link 0) or x (link 1). For targets up to 0 what is infinite there is left
/// out.
struct HalfTweedieDeviance {
  static constexpr auto name = "half_tweedie_deviance";
  static constexpr double cost = 6;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T power, T link) {
    const T positive = select(target > T(0), target, T(1));
    const auto is_precise = abs(power) > T(8);  // what multiplies logarithms is large
    if (any(link != T(0))) {
      const Terms<T> others = with_parts(log_ratio(pred, positive), target, power, true);
      return with_squares(others, pred, target, power);
    }
    const LogRatio<T> mean = {log_distance(pred, positive, is_precise), T(0), T(1)};
    const auto is_middle = power == T(1.5);
    Terms<T> terms = {};
    if (any(power != T(1.5))) terms = with_parts(mean, target, power, false);
    if (any(is_middle)) {
      const Terms<T> middle = with_root(mean.to.distance, target);
      terms = {.value = select(is_middle, middle.value, terms.value),
               .grad = {select(is_middle, middle.grad[0], terms.grad[0])},
               .hess = {select(is_middle, middle.hess[0], terms.hess[0])}};
    }
    return terms;
  }

 private:
  template <class T>
  INLINE static Terms<T> with_parts(const LogRatio<T>& mean, T target, T power, bool of_mean) {
    using C = Constants<ElementOf<T>>;
    const ExactSum<T> a = exact_difference(T(2), power), b = exact_difference(T(1), power);
    const auto& [d, log, n, m] = mean.to;
    const auto never = power != power;
    const auto is_zero = target == T(0);
    const auto alone = (target <= T(0)) | (target != target);
    const T share = select(alone, target, T(1));  // y over the y that all is a multiple of

    // y²⁻ᵖ; for p = 1 it is y, without any error.
    const auto power_of_target = exponential(a * log, never);
    const auto is_poisson = power == T(1);
    const auto is_inside = (target >= T(0)) | ((target < T(0)) & (power <= T(0)));
    const T base = select(is_inside, select(is_poisson, m, power_of_target.whole), T(C::nan));
    const T base_n = select(is_poisson, n, power_of_target.n);

    const auto high = exponential(a * d, alone), low = exponential(b * d, alone);
    const T raised = select(is_zero, high.raised, max(high.raised, low.raised));
    // Far from 0 most of the lines may cancel: then they are left out of both parts.
    const auto is_far = abs(d.high) > T(1);
    const auto is_straight = is_far & (a.high * b.high > T(0));
    const T high_part = select(is_straight, rounded(high.less_one), high.less_line);
    const T low_part = share * select(is_straight, rounded(low.less_one), low.less_line);
    const T parts = scaled(over(high_part, a.high), high.raised - raised) -
                    scaled(over(low_part, b.high), low.raised - raised);
    const auto is_infinite =
        (raised > T(exponent_limit<T>)) | (is_zero & (a.high <= T(0))) |
        ((abs(mean.n) == T(LogRatio<T>::far)) & (target > T(0)) & (a.high * b.high <= T(0)));
    T value = select(is_infinite, T(C::infinity), scaled(base * parts, base_n + raised));
    const auto has_square = (target < T(0)) & (power == T(0));
    value = select(has_square, fma(T(0.5) * target, target, value), value);

    // The derivatives are multiples of these two and, far from 0, without any cancellation.
    const auto is_whole =
        (abs(d.high) * (abs(a.high) + abs(b.high)) > T(1)) | alone | (raised > T(0));
    const T top = select(is_zero, high.n, max(high.n, low.n));
    const T of_high = scaled(high.whole, high.n - top);
    const T of_low = scaled(share * low.whole, low.n - top);
    const T near = rounded(high.less_one) - rounded(low.less_one);
    const auto is_clamped = (top > T(exponent_limit<T>)) & (target > T(0));
    const T far = select(is_clamped, copysign(T(1), d.high), of_high - of_low);
    const T slope = select(is_whole, far, near);
    const T slope_n = base_n + select(is_whole, top, T(0)) - mean.n;
    const T high_factor = of_mean ? b.high : a.high, low_factor = of_mean ? -power : b.high;
    const T curvature = fma(high_factor, of_high, -(low_factor * of_low));
    return {.value = value,
            .grad = {scaled(base / mean.m * slope, slope_n)},
            .hess = {scaled(base / (mean.m * mean.m) * curvature, base_n + top - mean.n - mean.n)}};
  }

  /// With p = 3/2: 8√y sinh²(d / 4).
  template <class T>
  INLINE static Terms<T> with_root(ExactSum<T> d, T target) {
    const auto is_zero = target == T(0);
    const T size = select(is_zero, d.high, abs(d.high));
    const T size_low = select(is_zero | (d.high > T(0)), d.low, -d.low);
    const auto growth = exponential(ExactSum<T>{T(0.5) * size, T(0.5) * size_low}, is_zero);
    const auto [high, low] = ordered_sum(growth.less_one.high, growth.less_one.low);
    const T whole = growth.one + high;
    const T square = fma(high, high, T(2) * high * low) / whole;  // (eᶻ − 1)² e⁻ᶻ
    const T slope = high + growth.one * (high / whole);           // eᶻ − e⁻ᶻ
    const T root = select(is_zero, T(1), sqrt(target));
    return {.value = scaled(root * (square + square), growth.raised),
            .grad = {scaled(root * select(is_zero, slope, copysign(slope, d.high)), growth.raised)},
            .hess = {scaled(root * fma(T(0.5), square, growth.one), growth.raised)}};
  }

  /// With p = 0 half the squared error, also of negative predictions.
  template <class T>
  INLINE static Terms<T> with_squares(Terms<T> terms, T pred, T target, T power) {
    const auto is_square = power == T(0);
    const auto [r, lost] = exact_difference(pred, target);
    return {.value = select(is_square, fma(T(0.5) * r, r, correction(r * lost)), terms.value),
            .grad = {select(is_square, r, terms.grad[0])},
            .hess = {select(is_square, T(1), terms.hess[0])}};
  }

  /// x / divisor, 0 for a divisor of 0.
  template <class T>
  INLINE static T over(T x, T divisor) {
    return select(divisor == T(0), T(0), x / divisor);
  }
};

/// (y + 1/α) log(1 + αeˣ) − yx [+ log Γ(y + 1) − log(Γ(1/α + y) αʸ / Γ(1/α)) if full].
struct NegativeBinomialNegativeLogLikelihood {
  static constexpr auto name = "negative_binomial_nll";
  static constexpr double cost = 5;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target, T dispersion, T full) {
    using C = Constants<ElementOf<T>>;
    const auto growth = exponential(ExactSum<T>{pred, T(0)}, dispersion != dispersion);
    const T mean = scaled(growth.whole, growth.n);
    const auto dispersion_parts = log_parts(dispersion);
    const T whole = (T(1) + dispersion_parts.f) * growth.whole;
    const T n = dispersion_parts.n + growth.n;
    const T w = scaled(whole, n);  // αeˣ
    const auto is_small = w < T(1);
    const T part = select(is_small, whole, T(1) / whole), part_n = select(is_small, n, -n);
    const T smaller = scaled(part, part_n);  // of w and 1 / w

    const T log_dispersion = log(dispersion);
    const T softplus = select(w == T(C::infinity), pred + log_dispersion, log1p(w));
    const T excess = select(is_small, softplus - pred, log1p_unit(smaller) + log_dispersion);
    const T size = T(1) / dispersion;
    const T constant = any(full != T(0)) ? full * constant_of(target, size, log_dispersion) : T(0);
    constexpr double tiny = is_single<T> ? 0x1p-25 : 0x1p-54;
    const T first = select(w < T(tiny), mean, softplus / dispersion);
    T value = first + masked_product(target, excess) + constant;
    const auto overflows = value - value != T(0);
    if (any(overflows)) {  // a part may be too large for a number where the sum is one
      const T half = T(0.5) * softplus / dispersion + T(0.5) * target * excess + T(0.5) * constant;
      value = select(overflows, half + half, value);
    }

    const T share = T(1) / (T(1) + smaller);
    const T up = select(is_small, mean, size) * share;
    const auto [y_n, y_f] = log_parts(target);
    const T y = select(target > T(0), T(1) + y_f, target);
    const T down =
        scaled(y * share * select(is_small, T(1), part), y_n - select(is_small, T(0), n));
    const auto total = log_parts(size + target);
    const T hess = scaled((T(1) + total.f) * part * share * share, total.n + part_n);
    return {.value = value, .grad = {up - down}, .hess = {hess}};
  }

 private:
  /// log Γ(y + 1) − log(Γ(r + y) / Γ(r)) + y log r, r = 1/α.
  template <class T>
  INLINE static T constant_of(T y, T r, T log_dispersion) {
    const T factorial = lgamma1p(y);
    const auto is_large = factorial == T(Constants<ElementOf<T>>::infinity);
    T result = factorial - log_rising(y, r);
    if (any(is_large)) {  // the difference may still be a number
      const T log_total = log(y + r) + log_dispersion;
      result = select(is_large, y * (log(y) - fma(r / y, log_total, log_total)), result);
    }
    return result;
  }
};

using Counts = LossList<PoissonNegativeLogLikelihood, HalfPoissonDeviance, HalfGammaDeviance,
                        HalfTweedieDeviance, NegativeBinomialNegativeLogLikelihood>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
