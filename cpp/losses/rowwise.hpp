// SPDX-License-Identifier: BSD-3-Clause
// Formulas of the row-wise losses: a row of scores and its target make one term. A loss returns
// the term's value and writes row.factor times its derivatives.
#pragma once

#include "../math.hpp"
#include "../rows.hpp"
#include "../softmax.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// factor·x with 0·inf = 0; NaN stays NaN.
INLINE double product(double factor, double x) { return factor == 0 && x == x ? 0 : factor * x; }

/// −Σₖ cₖ·log softmax(z)ₖ + z_loss·lse(z)², with z = softcap·tanh(x/softcap)/temperature and
/// cₖ = class weight·((1 − ε)·y + ε/K)ₖ. With m the maximum and s the sum of exp(z − m) over all
/// classes but one at the maximum, −log softmax(z)ₖ = (m − zₖ) + log1p(s): two terms of one sign,
/// so an almost perfect answer keeps its digits. 1 − pₖ is formed from the other classes likewise.
struct CrossEntropy {
  static constexpr auto name = "cross_entropy";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 4;

  template <class T>
  struct Options {
    double label_smoothing, z_loss, temperature, softcap;  // softcap: inf for none
    INLINE explicit Options(const T* p)
        : label_smoothing(p[0]), z_loss(p[1]), temperature(p[2]), softcap(p[3]) {}
    INLINE bool capped() const { return softcap < __builtin_inf(); }
    INLINE bool transformed() const { return temperature != 1 || capped(); }
    INLINE bool plain() const { return !transformed() && label_smoothing == 0 && z_loss == 0; }
  };

  template <class T, unsigned wanted>
  static double term(const Row<T>& row) {
    const Options<T> options(row.parameters);
    if (row.labelled && options.plain()) return of_label<T, wanted>(row);
    return of_distribution<T, wanted>(row, options);
  }

 private:
  template <class T>
  INLINE static double weight_of_label(const Row<T>& row) {
    return row.class_weight != nullptr ? static_cast<double>(row.class_weight[row.label]) : 1;
  }

  /// 1 − p of a class, times the softmax's sum: what the other classes have of it.
  template <class T>
  INLINE static double complement(T score, T peak, double exponential, double others) {
    return score == peak ? others : 1 + (others - exponential);
  }

  /// A label with none of the options but class weights.
  template <class T, unsigned wanted>
  INLINE static double of_label(const Row<T>& row) {
    using V = Vec<T>;
    constexpr bool differentiate = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T x_label = x[row.label];
    const double weight = weight_of_label(row);
    const T peak = row_max(x, row.classes);
    const double others = sum_of_others<differentiate>(x, row.classes, peak, row.scratch, row.next);
    if constexpr (differentiate) {
      const double total = 1 + others;
      const V scale(row.factor * weight / total), inverse(1 / total), rest(others), sum(total);
      for_each_vector<T>(row.classes, [&](auto span, int) {
        const V e = span.load(row.scratch, V(0));
        const V p = scale * e;
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], p);
        if constexpr ((wanted & kHess) != 0) {
          span.store(row.hess[0], p * (inverse * select(e == V(1), rest, sum - e)));
        }
      });
      if constexpr ((wanted & kGrad) != 0) {
        const double against = complement(x_label, peak, row.scratch[row.label], others) / total;
        row.grad[0][row.label] = static_cast<T>(-row.factor * weight * against);
      }
    }
    if constexpr ((wanted & kValue) == 0) return 0;
    return product(weight, gap_below(peak, x_label) + log1p(others));
  }

  /// z, for any mixture of options.
  template <class V, class T>
  INLINE static V transform(V x, const Options<T>& options) {
    const V cap(options.softcap), temperature(options.temperature);
    return (options.capped() ? cap * tanh(x / cap) : x) / temperature;
  }

  /// From derivatives with respect to z to those with respect to x.
  template <class V, class T>
  INLINE static void chain(V x, const Options<T>& options, V& grad, V& hess) {
    const V temperature(options.temperature);
    V slope = V(1) / temperature;
    if (options.capped()) {
      const V cap(options.softcap);
      const V u = x / cap;
      const V e = exp_nonpositive(V(-2) * abs(u));
      const V sech_squared = V(4) * e / ((V(1) + e) * (V(1) + e));
      slope = sech_squared / temperature;
      hess = hess * slope * slope - grad * (V(2) * tanh(u) * slope / cap);
    } else {
      hess = hess * slope * slope;
    }
    grad = grad * slope;
  }

  /// A row of probabilities, or a label with options.
  template <class T, unsigned wanted>
  static double of_distribution(const Row<T>& row, const Options<T>& options) {
    using V = Vec<T>;
    constexpr bool differentiate = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T* z = x;
    if (options.transformed()) {
      for_each_vector<T>(row.classes, [&](auto span, int) {
        span.store(row.scratch, transform(span.load(x, V(0)), options));
      });
      z = row.scratch;
    }
    const T peak = row_max(z, row.classes);

    // cₖ, without the label's own part 1 − ε: that one must not cancel in the gradient.
    const double uniform = options.label_smoothing / static_cast<double>(row.classes);
    const V share(uniform), kept(1 - options.label_smoothing);
    const auto coefficient = [&](auto span) {
      V c = share;
      if (!row.labelled) c = fma(kept, span.load(row.arguments[1], V(0)), share);
      if (row.class_weight != nullptr) c = c * span.load(row.class_weight, V(0));
      return span.zero_beyond(c);
    };
    const double weight = row.labelled ? weight_of_label(row) : 0;
    const double own = weight * (1 - options.label_smoothing);
    const T x_label = row.labelled ? x[row.label] : T(0);
    const T z_label = row.labelled ? z[row.label] : T(0);

    Sum mass = {uniform * row.class_weight_sum, 0};  // Σ cₖ
    double linear = 0;                               // Σ cₖ(m − zₖ)
    if (!row.labelled || uniform != 0) {
      InnerSum<T> mass_sum, linear_sum;
      const V top(peak);
      for_each_vector<T>(row.classes, [&](auto span, int position) {
        const V c = coefficient(span);
        const V score = span.load(z, V(0));
        const V gap = select(score == top, V(0), top - score);
        mass_sum.add(c, position);
        linear_sum.add(select(c == V(0), V(0), c * gap), position);
      });
      linear = total_of(linear_sum);
      if (!row.labelled) mass = mass_sum.total();
    }
    if (row.labelled) linear += product(own, gap_below(peak, z_label));
    const double all = mass.high + own;

    const double others = sum_of_others<differentiate>(z, row.classes, peak, row.scratch, row.next);
    const double excess = log1p(others);
    const double lse = static_cast<double>(peak) + excess;
    if constexpr (differentiate) {
      const double total = 1 + others;
      const double double_z_loss = 2 * options.z_loss;
      const double pull = options.z_loss == 0 ? 0 : double_z_loss * lse;
      // (mass + pull)·p − c = (mass − c + pull)·p − c(1 − p): two parts that do not cancel where
      // one class has nearly all of p and c, given what the others have of the mass to full
      // precision, which takes a second number.
      const V mass_high(all), mass_low((all - static_cast<double>(static_cast<T>(all))) + mass.low);
      const double e_label = row.labelled ? static_cast<double>(row.scratch[row.label]) : 0;
      const V inverse(1 / total), rest(others / total), pull_all(pull), push(all + pull);
      const V square(double_z_loss), factor(row.factor);
      for_each_vector<T>(row.classes, [&](auto span, int) {
        const V e = span.load(row.scratch, V(0));
        const V p = inverse * e;
        const V against = select(e == V(1), rest, V(1) - p);
        const V c = coefficient(span);
        const V of_others = (mass_high - c) + mass_low;
        const auto impossible = p == V(0);  // then also where the pull is infinite
        V grad = select(impossible, V(0), (of_others + pull_all) * p) - c * against;
        V hess = select(impossible, V(0), p * fma(push, against, square * p));
        if (options.transformed()) chain(span.load(x, V(0)), options, grad, hess);
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * grad);
        if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], factor * hess);
      });
      if (row.labelled) {
        const double p = e_label / total;
        const double against = complement(z_label, peak, e_label, others) / total;
        double grad = product(p, mass.high + pull) - weight * uniform - own * against;
        double hess = product(p, (all + pull) * against + double_z_loss * p);
        if (options.transformed()) chain(static_cast<double>(x_label), options, grad, hess);
        if constexpr ((wanted & kGrad) != 0) {
          row.grad[0][row.label] = static_cast<T>(row.factor * grad);
        }
        if constexpr ((wanted & kHess) != 0) {
          row.hess[0][row.label] = static_cast<T>(row.factor * hess);
        }
      }
    }
    if constexpr ((wanted & kValue) == 0) return 0;
    return linear + product(all, excess) + product(options.z_loss, lse * lse);
  }
};

/// The row-wise losses that there are.
using Rowwise = LossList<CrossEntropy>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
