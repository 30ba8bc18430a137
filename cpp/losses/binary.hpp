// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses for targets of two classes: 0, 1, and probabilities between them.
#pragma once

#include "../focal.hpp"
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

/// u^γ·ℓ of a cross-entropy ℓ, for u as in focal.hpp and e = exp(−|logit|); times a weight.
template <bool clipped, class T>
INLINE Terms<T> focal_terms(Terms<T> cross, const Miss<T>& miss, const NegativeExp<T>& e, T logit,
                            T target, T clip, ExactSum<T> gamma, T weight) {
  Power<T> power = power_of<clipped>(miss, logit, target, clip, gamma);
  power.first = weight * power.first;
  const auto below = logit < T(0);
  const T p = rounded(miss.p), rest = rounded(miss.p_rest), larger = rounded(miss.larger);
  // u'/u, without the factor e/m where u has none. Its own logarithmic derivative is 1 − 2p − u'/u.
  const T slope = select(miss.counted == T(0), -target, fma(T(-2), target, T(1)));
  const ExactSum<T> numerator = product_of(slope, bulk_of(miss, e));
  const T divisor = max(T(Constants<ElementOf<T>>::smallest_normal), miss.u.high);
  const T inverse = T(1) / divisor, rough = numerator.high * inverse;
  const T lost = fma(-rough, divisor, numerator.high) + fma(-rough, miss.u.low, numerator.low);
  const T relative = select(miss.alone, select(below, larger, -larger), fma(lost, inverse, rough));
  const auto whole = [&](T x) { return select(miss.alone, x, e.times(x)); };
  const T bend = select(miss.alone, select(below, -p, rest), (rest - p) - e.times(relative));
  const T lean = power.gamma * relative;
  // From 1024 on the product with e is 0. A negative zero adds nothing, not even a sign.
  const T pull = select(lean == T(0), T(-0.0), lean * min(T(1024), cross.value));
  const T hess = fma(T(2) * lean, cross.grad[0], pull * (whole(lean) + bend));
  return {.value = power.times(cross.value),
          .grad = {power.times(cross.grad[0] + whole(pull))},
          .hess = {power.times(cross.hess[0] + whole(hess))}};
}

/// (1 − p_t)^γ times the cross-entropy, p_t = y·p + (1 − y)·(1 − p); times α·y + (1 − α)·(1 − y)
/// for α in [0, 1]. The cross-entropy itself for γ = 0, bit by bit.
struct BinaryFocalWithLogits {
  static constexpr auto name = "binary_focal_with_logits";
  static constexpr double cost = 6;
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T logit, T target, T gamma, T alpha) {
    Terms<T> cross = BinaryCrossEntropyWithLogits::terms(logit, target, T(1), T(0));
    const NegativeExp<T> e(-abs(logit));
    const Miss<T> miss = miss_of<false>(logit, target, T(0), e.sum());
    // The second derivative again, with smaller rounding errors.
    cross.hess[0] = select(gamma == T(0), cross.hess[0], e.times(rounded(bulk_of(miss, e))));
    const T weight = fma(alpha, target, (T(1) - alpha) * (T(1) - target));
    return focal_terms<false>(cross, miss, e, logit, target, T(0), ExactSum<T>{gamma, T(0)},
                              select(alpha <= T(1), weight, T(1)));
  }
};

/// Ridnik's loss: u^γ·(−y·log p − (1 − y)·log(1 − q)), q = max(p − clip, 0), with
/// u = y(1 − p) + (1 − y)q and γ = y·gamma_pos + (1 − y)·gamma_neg.
struct AsymmetricFocal {
  static constexpr auto name = "asymmetric_focal";
  static constexpr double cost = 8;
  static constexpr int parameters = 3;
  template <class T>
  INLINE static Terms<T> terms(T logit, T target, T gamma_pos, T gamma_neg, T clip) {
    const NegativeExp<T> e(-abs(logit));
    const Miss<T> miss = miss_of<true>(logit, target, clip, e.sum());
    const ExactSum<T> gamma =
        sum_of(exact_product(target, gamma_pos), product_of(gamma_neg, miss.negative));
    return focal_terms<true>(cross_entropy(miss, e, logit, target, clip), miss, e, logit, target,
                             clip, gamma, T(1));
  }

 private:
  template <class T>
  INLINE static Terms<T> cross_entropy(const Miss<T>& miss, const NegativeExp<T>& e, T logit,
                                       T target, T clip) {
    const T p = rounded(miss.p), rest = rounded(miss.p_rest), q_rest = rounded(miss.q_rest);
    const auto below = logit < T(0);
    const T size = abs(logit), tail = e.unit * log1p_unit(e.m.high * e.scale);
    const T log_p = tail + select(below, size, T(0));  // its negative, as the others
    // log(1 − q), from the smaller one of q and its rest, and what both have lost.
    const auto small = miss.q.high < T(0.25);
    const auto [n, f] = log_parts(miss.q_rest.high);
    const auto sum = log_sum_of_parts(select(small, T(0), n), select(small, -miss.q.high, f));
    const T lost = select(small, -miss.q.low, miss.q_rest.low) / q_rest;
    const auto unclipped = clip == T(0);
    const T log_q_rest =
        select(unclipped, tail + select(below, T(0), size), T(0) - (sum.high + (sum.low + lost)));
    const T value = select(target == T(0), T(0), target * log_p) +
                    select(miss.counted == T(0), T(0), miss.counted * log_q_rest);
    // Derivatives of the second logarithm: p(1 − p)/(1 − q), and the next one by p(1 − p).
    const T bulk = rounded(bulk_of(miss, e));
    const T slope = select(unclipped, p, e.times(bulk / q_rest));
    const T bend = select(unclipped, T(1), fma(rest, rest, clip * (rest - p)) / (q_rest * q_rest));
    return {.value = value,
            .grad = {fma(miss.counted, slope, -(target * rest))},
            .hess = {e.times(bulk * fma(miss.counted, bend, target))}};
  }
};

using Binary = LossList<BinaryCrossEntropyWithLogits, BinaryCrossEntropy, Exponential,
                        BinaryFocalWithLogits, AsymmetricFocal>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
