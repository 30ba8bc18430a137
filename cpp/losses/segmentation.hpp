// SPDX-License-Identifier: BSD-3-Clause
// Formulas of overlap losses: what the totals of a mask make of a term. They run once per mask, in
// double precision with sums of two numbers, so that a term is about as accurate as its totals.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../kernels.hpp"
#include "../math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

using Exact = ExactSum<double>;

INLINE Exact exact(double x) { return {x, 0}; }
INLINE Exact exact(Sum sum) {
  const Exact finite = exact_sum(sum.high, sum.low);
  return sum.high - sum.high == 0 ? finite : exact(sum.high);
}
INLINE Exact operator-(Exact a) { return {-a.high, -a.low}; }
/// The quotient. An infinite one has no low part.
INLINE Exact operator/(Exact a, Exact b) {
  const double high = a.high / b.high;
  const double low = (remainder(a.high, high, b.high) + fma(-high, b.low, a.low)) / b.high;
  return {high, high - high == 0 ? low : 0};
}
/// xʸ to about 2⁻⁵⁶ of it for finite x ≥ 0; 0 where it is infinite.
INLINE Exact power(Exact x, Exact y) {
  using C = Constants<double>;
  if (x.high == 0) return exact(y.high == 0);
  if (!(x.high > 0 && x.high < C::infinity)) return exact(C::nan);
  if (y.high == 1 && y.low == 0) return x;
  const auto [n, f] = log_parts(x.high);
  const Exact z = y * (log_sum(n, f) + exact(x.low / x.high));
  const double clamped = max(C::exp_zero, min(C::exp_infinity, z.high));
  const double k = nearest_power(clamped);
  const Exact result = exp_reduced(Exact{clamped, clamped == z.high ? z.low : 0}, k);
  return {times_power_of_two(result.high, k), times_power_of_two(result.low, k)};
}

/// 1 − TI, where TI = (TP + s) / (TP + α·FP + β·FN + s) is the Tversky index, with what OverlapTerm
/// has of it; its slope is 1.
struct TverskyDistance {
  Exact value;
  Exact grad[2];
  Exact turn[2];
};
INLINE TverskyDistance tversky_distance(const Totals& totals, double alpha, double beta,
                                        double smooth) {
  const Exact found = exact(totals.true_positive) + exact(smooth);
  const Exact wrong =
      exact(alpha) * exact(totals.false_positive) + exact(beta) * exact(totals.false_negative);
  const Exact sum = found + wrong;
  const Exact all = sum.high == 0 ? exact(1) : sum;  // 0/0 is 0
  const Exact index = found / all, value = wrong / all;
  return {value,
          {exact(alpha) * index / all, -(exact(beta) * index + value) / all},
          {exact(-2 * alpha) / all, exact_sum(-2.0, 2 * beta) / all}};
}

INLINE OverlapTerm tversky_term(const Totals& totals, double alpha, double beta, double smooth) {
  const auto [value, grad, turn] = tversky_distance(totals, alpha, beta, smooth);
  return {rounded(value),
          1,
          {rounded(grad[0]), rounded(grad[1])},
          {rounded(turn[0]), rounded(turn[1])}};
}

/// (FP + FN) / (2·TP + FP + FN + s).
struct Dice {
  static constexpr auto name = "dice";
  static constexpr int parameters = 2;
  INLINE static OverlapTerm term(const Totals& totals, double smooth) {
    return tversky_term(totals, 0.5, 0.5, 0.5 * smooth);
  }
};

/// (FP + FN) / (TP + FP + FN + s).
struct Jaccard {
  static constexpr auto name = "jaccard";
  static constexpr int parameters = 2;
  INLINE static OverlapTerm term(const Totals& totals, double smooth) {
    return tversky_term(totals, 1, 1, smooth);
  }
};

/// (α·FP + β·FN) / (TP + α·FP + β·FN + s).
struct Tversky {
  static constexpr auto name = "tversky";
  static constexpr int parameters = 4;
  INLINE static OverlapTerm term(const Totals& totals, double alpha, double beta, double smooth) {
    return tversky_term(totals, alpha, beta, smooth);
  }
};

/// The same to the power of 1/γ.
struct FocalTversky {
  static constexpr auto name = "focal_tversky";
  static constexpr int parameters = 5;
  INLINE static OverlapTerm term(const Totals& totals, double alpha, double beta, double gamma,
                                 double smooth) {
    const TverskyDistance distance = tversky_distance(totals, alpha, beta, smooth);
    const Exact exponent = exact_quotient(1.0, gamma);
    const Exact less_one = exponent + exact(-1);
    const Exact slope = exponent * power(distance.value, less_one);
    // The root of what may overflow where it meets a small gradient.
    const Exact root = power(distance.value, exact(0.5) * (less_one + exact(-1)));
    const auto turn_of = [&](int k) {
      return rounded(slope * distance.turn[k] +
                     exponent * less_one * (root * (root * distance.grad[k])));
    };
    return {rounded(power(distance.value, exponent)),
            rounded(slope),
            {rounded(distance.grad[0]), rounded(distance.grad[1])},
            {turn_of(0), turn_of(1)}};
  }
};

using Segmentation = LossList<Dice, Jaccard, Tversky, FocalTversky>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
