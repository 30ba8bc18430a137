// SPDX-License-Identifier: BSD-3-Clause
// Formulas of row-wise losses for labels: of a log-probability, of a softmax, of cumulative logits.
#pragma once

#include "../softmax.hpp"
#include "labelled.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// ---- powers of a probability --------------------------------------------------------------------

INLINE Widened expm1(Widened x) {
  return each_half([](auto half) { return expm1(half); }, x);
}

/// eˣ for x <= 0, within 0.15 ULP in two numbers, rounded to one 0.6, however large x is.
template <class T>
INLINE ExactSum<T> exp_of_sum(ExactSum<T> x) {
  const T high = max(T(Constants<double>::exp_zero), x.high);
  const T n = nearest_power(high);
  const ExactSum<T> e = exp_reduced(ExactSum<T>{high, select(high == x.high, x.low, T(0))}, n);
  return {times_power_of_two(e.high, n), times_power_of_two(e.low, n)};
}

/// (a/b)ʸ for 0 <= a <= b and y >= 0, where a/b may be too small for a number; 0⁰ is 1.
template <class T>
[[gnu::noinline]] T power_of_quotient(ExactSum<T> a, ExactSum<T> b, T y) {
  constexpr double lift = 600;
  const auto is_small = a.high < T(0x1p-500) * b.high;
  const T unit = select(is_small, T(0x1p600), T(1));
  const T numerator = unit * a.high;
  const T quotient = numerator / b.high;
  const T rest = remainder(numerator, quotient, b.high) + fma(unit, a.low, -(quotient * b.low));
  const auto [n, f] = log_parts(quotient);
  ExactSum<T> log = log_sum(n - select(is_small, T(lift), T(0)), f);
  log.low = log.low + rest / numerator;
  const T power = exp_of_sum(ExactSum<T>{y, T(0)} * log).high;
  return select(a.high == T(0), select(y == T(0), T(1), T(0)), power);
}
INLINE Widened power_of_quotient(ExactSum<Widened> a, ExactSum<Widened> b, Widened y) {
  using Half = ExactSum<Vec<double>>;
  return {power_of_quotient(Half{a.high.low, a.low.low}, Half{b.high.low, b.low.low}, y.low),
          power_of_quotient(Half{a.high.high, a.low.high}, Half{b.high.high, b.low.high}, y.high)};
}

// ---- losses of the label's softmax --------------------------------------------------------------

/// The softmax of a row as seen from its label, whose probability is p.
template <class Row, class T, bool precise>
struct LabelSoftmax {
  using Number = typename Row::Number;
  Softmax<Row, T, precise> softmax;
  Number weight;                 // the label's class weight
  ExactSum<Number> loss;         // −log p
  Number p, complement;          // p and 1 − p,
  ExactSum<Number> rest, whole;  // which is rest/whole, to more digits and where it is tiny
  // The label's exponential and the sum of the other ones, in the softmax's unit, where none is
  // subnormal; for derivatives only.
  Number own = Number(0), others = Number(0);

  /// Whether 1 − p is so small that −log p is the same number.
  INLINE auto is_certain() const { return complement < Number(0x1p-60); }
};

template <bool precise, bool keep, class T, class Row>
[[gnu::noinline]] LabelSoftmax<Row, T, precise> softmax_of_label(const Row& row) {
  using Number = typename Row::Number;
  LabelSoftmax<Row, T, precise> label;
  const T* x = row.arguments[0];
  const Number score = convert<Number>(row.at_label(x));
  const auto top = largest(row, x);
  const Number peak = convert<Number>(top), one(1);
  label.weight = weight_of_label(row);
  const auto& softmax = label.softmax =
      Softmax<Row, T, precise>::template of<keep>(row, x, top, T(1), row.scratch[0]);
  label.loss = gap_below(peak, score) + softmax.excess();
  const ExactSum<Number> p = exp_of_sum(ExactSum<Number>{-label.loss.high, -label.loss.low});
  label.p = p.high;
  const auto leads = score == peak;
  const ExactSum<Number> sum = softmax.peak() + softmax.others();
  const ExactSum<Number> against = exact_difference(one, p.high);
  label.rest = {select(leads, softmax.others().high, against.high),
                select(leads, softmax.others().low, against.low - p.low)};
  label.whole = {select(leads, sum.high, one), select(leads, sum.low, Number(0))};
  label.complement = label.rest.high / label.whole.high;
  if constexpr (keep) {
    label.own = convert<Number>(row.at_label(row.scratch[0]));
    label.others = softmax.complement(leads, label.own);
  }
  return label;
}

/// A function f of the label's probability p, and what its derivatives are made of. With the slope
/// s(p) = −p·f′(p), v(p) = −p·s′(p), and y 1 at the label and 0 elsewhere, grad = s·(pₖ − y) and
/// hess = s·pₖ·(1 − pₖ) + v·(pₖ − y)². The factor pₖ of the latter is written as
/// even·(1 − pₖ) + lean·(1 − 2pₖ) + curve·pₖ/(1 − p): with even = s + v and lean = −v where v is
/// not positive, of which less cancels.
template <class Number>
struct OfProbability {
  Number value;
  Number scale;       // not negative; a factor of s and v, which the following have without it
  Number even, lean;  // their sum is s
  Number curve;       // in the softmax's unit: times the sum of the exponentials
};

/// x·y for a row's numbers, cut into a power of two, which is small if x·y is, and the rest: what
/// is multiplied by the rest first and by the power last is rounded once where it is subnormal.
template <class T, class Number>
struct CutFactor {
  Number large, small;
  INLINE CutFactor(Number x, ExactSum<Number> y) {
    constexpr double unit = Constants<T>::unit * Constants<T>::unit * Constants<T>::unit;
    const auto is_small = abs(x) < Number(1);
    const Number lifted = x * select(is_small, Number(1 / unit), Number(1));
    large = rounded(ExactSum<Number>{lifted, Number(0)} * y);
    small = select(is_small, Number(unit), Number(1));
  }
};

template <class T, unsigned wanted, class Row, bool precise>
[[gnu::noinline]] void differentiate(const Row& row, const LabelSoftmax<Row, T, precise>& label,
                                     const OfProbability<typename Row::Number>& loss) {
  using V = Vec<T>;
  using Number = typename Row::Number;
  constexpr double unit = Constants<T>::unit;
  const auto& softmax = label.softmax;
  const T* exponentials = row.scratch[0];
  const Number factor = row.factor * label.weight * loss.scale, one(1);
  const ExactSum<Number> inverse = softmax.inverse();
  ExactSum<Number> inverse_unit = inverse * ExactSum<Number>{Number(1 / unit), Number(0)};
  inverse_unit.high = min(one, inverse_unit.high);  // where the peak is infinite, and hess 0
  const CutFactor<T, Number> to_grad(factor * (loss.even + loss.lean), inverse);
  const CutFactor<T, Number> to_hess(factor, inverse_unit * inverse_unit);
  const Number share = select(label.others == Number(0), Number(0), one / label.others);
  const V grad_large = convert<V>(to_grad.large), grad_small = convert<V>(to_grad.small);
  const V hess_large = convert<V>(to_hess.large), hess_small = convert<V>(to_hess.small);
  const V even = convert<V>(loss.even), lean = convert<V>(loss.lean);
  const V curve = convert<V>(Number(unit) * loss.curve), to_share = convert<V>(share);
  row.for_each_vector([&](auto span, int) {
    const V e = span.load(exponentials, V(0)), p = V(T(unit)) * e;
    if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], grad_large * e * grad_small);
    if constexpr ((wanted & kHess) != 0) {
      const V against = V(T(unit)) * softmax.complement(e);
      const V bend = fma(to_share * e, curve, fma(lean, against - p, even * against));
      span.store(row.hess[0], p * bend * hess_large * hess_small);
    }
  });
  if constexpr ((wanted & kGrad) != 0) {
    row.put_at_label(row.grad[0], -(label.others * to_grad.large * to_grad.small));
  }
  if constexpr ((wanted & kHess) != 0) {
    const Number leaning = fma(loss.lean, label.own - label.others, loss.even * label.own);
    const Number bend = leaning + loss.curve;
    const Number product = (Number(unit) * label.others) * (Number(unit) * bend);
    row.put_at_label(row.hess[0], product * to_hess.large * to_hess.small);
  }
}

template <class Loss, class T, unsigned wanted, bool precise = false, class Row>
INLINE typename Row::Number term_of_label(const Row& row) {
  constexpr unsigned derivatives = wanted & (kGrad | kHess);
  const auto label = softmax_of_label<precise, derivatives != 0, T>(row);
  const auto loss = Loss::of(label, row.parameters);
  if constexpr (derivatives != 0) differentiate<T, derivatives>(row, label, loss);
  return masked_product(label.weight, loss.value);
}

/// (1 − p)^γ·(−log p).
struct SoftmaxFocal {
  static constexpr auto name = "softmax_focal";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr double cost = 1.25;

  /// s = (1 − p)^γ·(1 + γpu) with u = −log p/(1 − p), which tends to 1 where p does.
  template <class Row, class T>
  [[gnu::noinline]] static OfProbability<typename Row::Number> of(
      const LabelSoftmax<Row, T, true>& label, const T* given) {
    using Number = typename Row::Number;
    const Number one(1), gamma(given[0]);
    const Number loss = rounded(label.loss);
    const Number power = power_of_quotient(label.rest, label.whole, gamma);
    const Number ratio = select(label.is_certain(), one, loss / label.complement);
    const Number pu = masked_product(label.p, ratio);
    const Number bend = fma(gamma - one, pu, Number(2)) - loss;
    return {.value = masked_product(power, loss),
            .scale = power,
            .even = fma(gamma, pu, one),
            .lean = Number(0),
            .curve = masked_product(gamma * label.own, bend)};
  }
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return term_of_label<SoftmaxFocal, T, wanted, true>(row);
  }
};

/// α·(−log p) + β·(1 − p), and s = α + βp.
template <class Row, class T>
[[gnu::noinline]] OfProbability<typename Row::Number> linear_in_probability(
    const LabelSoftmax<Row, T, false>& label, double alpha, double beta) {
  using Number = typename Row::Number;
  const double size = __builtin_fabs(alpha) + __builtin_fabs(beta);
  const double scale = size > 0 ? size : 1;
  const Number a(alpha / scale), b(beta / scale), both((alpha + beta) / scale), zero(0);
  const Number loss = masked_product(Number(alpha), rounded(label.loss));
  const Number uncertain = fma(Number(beta), label.complement, loss);
  const Number certain = Number(alpha + beta) * label.rest.high / label.whole.high;

  // v is positive where β is negative, and then α + βp cancels less as (α + β) − β(1 − p). Where p
  // may be subnormal, v is taken in the softmax's unit, too.
  const auto is_curved = label.p < Number(beta < 0 ? __builtin_inf() : 0x1p-60);
  const Number slope = beta < 0 ? fma(-b, label.complement, both) : fma(b, label.p, a);
  return {.value = select(label.is_certain(), certain, uncertain),
          .scale = Number(scale),
          .even = select(is_curved, slope, a),
          .lean = select(is_curved, zero, b * label.p),
          .curve = select(is_curved, -(b * (label.own * label.complement)), zero)};
}

/// −log p + ε·(1 − p).
struct Poly1CrossEntropy {
  static constexpr auto name = "poly1_cross_entropy";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;

  template <class Row, class T>
  INLINE static auto of(const LabelSoftmax<Row, T, false>& label, const T* given) {
    return linear_in_probability(label, 1, given[0]);
  }
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return term_of_label<Poly1CrossEntropy, T, wanted>(row);
  }
};

/// α·(−log p) − β·A·(1 − p), where A stands for log 0.
struct SymmetricCrossEntropy {
  static constexpr auto name = "symmetric_cross_entropy";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 3;

  template <class Row, class T>
  INLINE static auto of(const LabelSoftmax<Row, T, false>& label, const T* given) {
    const double alpha = given[0], beta = given[1], log_zero = given[2];
    return linear_in_probability(label, alpha, -(beta * log_zero));
  }
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return term_of_label<SymmetricCrossEntropy, T, wanted>(row);
  }
};

/// (1 − p^q)/q.
struct GeneralizedCrossEntropy {
  static constexpr auto name = "generalized_cross_entropy";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr double cost = 1.25;

  template <class Row, class T>
  [[gnu::noinline]] static OfProbability<typename Row::Number> of(
      const LabelSoftmax<Row, T, false>& label, const T* given) {
    using Number = typename Row::Number;
    const Number q(given[0]);
    const ExactSum<Number> log = ExactSum<Number>{-q, Number(0)} * label.loss;  // of p^q
    const Number value = -expm1(rounded(log)) / q;
    return {.value = select(label.is_certain(), rounded(label.loss), value),
            .scale = exp_of_sum(log).high,
            .even = Number(1) - q,
            .lean = q,
            .curve = Number(0)};
  }
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return term_of_label<GeneralizedCrossEntropy, T, wanted>(row);
  }
};

// ---- others -------------------------------------------------------------------------------------

/// −xₜ, where x are logarithms of probabilities. The other ones are not read.
struct NegativeLogLikelihood {
  static constexpr auto name = "nll";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr double cost = 0.25;

  template <class T, unsigned wanted, class Row>
  static typename Row::Number term(const Row& row) {
    using Number = typename Row::Number;
    const Number weight = weight_of_label(row), zero(0);
    const Number score = convert<Number>(row.at_label(row.arguments[0]));
    if constexpr ((wanted & kGrad) != 0) {
      fill<T>(row, row.grad[0], zero);
      row.put_at_label(row.grad[0], select(score == score, -(row.factor * weight), score));
    }
    if constexpr ((wanted & kHess) != 0) fill<T>(row, row.hess[0], zero);
    return masked_product(weight, zero - score);
  }
};

/// −1 for each class below the label, 1 for the others.
template <class T>
INLINE void put_sides(const OneRow<T>& row, T* sides) {
  for (ptrdiff_t k = 0; k < row.classes; ++k) sides[k] = k < row.label ? T(-1) : T(1);
}
template <class T>
INLINE void put_sides(const RowPerLane<T>& rows, T* sides) {
  constexpr int lanes = Vec<T>::lanes;
  for (ptrdiff_t k = 0; k < rows.classes; ++k) {
    for (int lane = 0; lane < lanes; ++lane) {
      sides[k * lanes + lane] = k < rows.label[lane] ? T(-1) : T(1);
    }
  }
}

/// Σ_{k<t} softplus(−xₖ) + Σ_{k≥t} softplus(xₖ), where σ(xₖ) is the probability that the label t is
/// above k.
struct OrdinalCrossEntropy {
  static constexpr auto name = "ordinal_cross_entropy";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr int more_labels = 1;
  static constexpr double cost = 1.5;

  template <class T, unsigned wanted, class Row>
  static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    const T* x = row.arguments[0];
    T* sides = row.scratch[0];
    put_sides(row, sides);
    const auto weight = weight_of_label(row);
    const V factor = convert<V>(row.factor * weight), one(1);
    typename Row::Sum sum;
    row.for_each_vector([&](auto span, int position) {
      const V side = span.load(sides, one);
      const V wrong = side * span.load(x, V(-__builtin_inf()));
      const auto [e, unit] = exp_multiple(-abs(wrong));
      const auto [divisor, lost] = ordered_sum(one, e);
      const V quotient = one / divisor;
      // 1 − e/2 is near enough to 1 / (1 + e) for what the divisor lost.
      const V inverse = fma(quotient * -lost, fma(e, V(-0.5), one), quotient);
      const V slope = select(wrong < V(0), e * inverse * unit, inverse);
      if constexpr ((wanted & kValue) != 0) {
        sum.add(fma(unit, log1p_unit(e), max(V(0), wrong)), position);
      }
      if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * (side * slope));
      if constexpr ((wanted & kHess) != 0) {
        span.store(row.hess[0], factor * (e * inverse * inverse * unit));
      }
    });
    return masked_product(weight, rounded(sum.total()));
  }
};

using Labels = LossList<SoftmaxFocal, Poly1CrossEntropy, GeneralizedCrossEntropy,
                        SymmetricCrossEntropy, NegativeLogLikelihood, OrdinalCrossEntropy>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
