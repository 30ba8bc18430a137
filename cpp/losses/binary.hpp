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

/// −y·log q − (1 − y)·log(1 − q) for q in [0, 1], NaN elsewhere; a part with factor 0 is 0.
struct BinaryCrossEntropy {
  static constexpr auto name = "binary_cross_entropy";
  static constexpr double cost = 3;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    using C = Constants<ElementOf<T>>;
    const T q = select((pred >= T(0)) & (pred <= T(1)), abs(pred), T(C::nan));
    const T rest = T(1) - q;
    const T negative = T(1) - target;
    const auto never = target == T(0), always = negative == T(0);
    // (q − y) / (q (1 − q)), of which a factor cancels for y = 0 and y = 1.
    const T slope = select(never, T(1), select(always, T(-1), q - target));
    const T divisor = select(never, rest, select(always, q, q * rest));
    const T value =
        select(never, T(0), target * log(q)) + select(always, T(0), negative * log1p(-q));
    return {.value = T(0) - value,  // never −0
            .grad = {slope / divisor},
            .hess = {select(never, T(0), target / q / q) +
                     select(always, T(0), negative / rest / rest)}};
  }
};

/// y·exp(−x) + (1 − y)·exp(x); a part with factor 0 is 0.
struct Exponential {
  static constexpr auto name = "exponential";
  static constexpr double cost = 1.5;
  static constexpr int parameters = 0;
  template <class T>
  INLINE static Terms<T> terms(T pred, T target) {
    using C = Constants<ElementOf<T>>;
    constexpr ElementOf<T> largest = is_single<T> ? 200 : 1460;  // more is infinite, times any y
    constexpr ElementOf<T> rounder = C::rounder + Float<ElementOf<T>>::exponent_bias;
    const auto below = pred < T(0);
    const T against = select(below, target, T(1) - target);  // the factor of what grows with |x|
    const T with = select(below, T(1) - target, target);
    // exp(|x|) = m·2ⁿ. Of the powers of two, which may be too large or too small for a number,
    // those come first that make a subnormal factor normal.
    const T size = min(T(largest), abs(pred));
    const T n = nearest_power(size);
    const T m = exp_reduced(size, n).high;
    const T third = fma(n, T(ElementOf<T>(1) / 3), T(C::rounder)) - T(C::rounder);
    const T rest = n - (third + third);
    const auto power = [](T k) { return power_of_two<T>(to_bits(k + T(rounder))); };
    const T grows = against * power(third) * power(third) * m * power(rest);
    const T falls = with / m * power(-third) * power(-third) * power(-rest);
    const T slope = grows - falls;
    const T value = grows + falls;
    return {.value = value, .grad = {select(below, -slope, slope)}, .hess = {value}};
  }
};

using Binary = LossList<BinaryCrossEntropyWithLogits, BinaryCrossEntropy, Exponential>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
