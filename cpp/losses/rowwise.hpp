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
    INLINE bool plain() const {
      return temperature == 1 && !capped() && label_smoothing == 0 && z_loss == 0;
    }
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

  /// A label with none of the options but class weights.
  template <class T, unsigned wanted>
  INLINE static double of_label(const Row<T>& row) {
    using V = Vec<T>;
    constexpr bool differentiate = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T x_label = x[row.label];
    const double weight = weight_of_label(row);
    const T peak = row_max(x, row.classes);
    const auto softmax =
        Softmax<T>::template of<differentiate>(x, row.classes, peak, T(1), row.scratch, row.next);
    if constexpr (differentiate) {
      const double inverse = softmax.inverse().high;
      const double factor = row.factor * weight * inverse;
      const V scale(factor), to_p(inverse);
      for_each_vector<T>(row.classes, [&](auto span, int) {
        const V e = span.load(row.scratch, V(0));
        const V p = scale * e;
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], p);
        if constexpr ((wanted & kHess) != 0) {
          span.store(row.hess[0], p * (to_p * softmax.complement(e)));
        }
      });
      if constexpr ((wanted & kGrad) != 0) {
        const auto e = static_cast<double>(row.scratch[row.label]);
        row.grad[0][row.label] = static_cast<T>(-factor * softmax.complement(x_label == peak, e));
      }
    }
    if constexpr ((wanted & kValue) == 0) return 0;
    return product(weight, rounded(gap_below(peak, x_label) + softmax.excess()));
  }

  template <class V, class T>
  INLINE static V capped(V x, const Options<T>& options) {
    const V cap(options.softcap);
    return cap * tanh(x / cap);
  }

  /// From derivatives with respect to capped logits to those with respect to x.
  template <class V, class T>
  INLINE static void chain(V x, const Options<T>& options, V& grad, V& hess) {
    const V cap(options.softcap);
    const V u = x / cap;
    const V e = exp(V(-2) * abs(u));
    const V slope = V(4) * e / ((V(1) + e) * (V(1) + e));  // 1 − tanh²
    hess = hess * slope * slope - grad * (V(2) * tanh(u) * slope / cap);
    grad = grad * slope;
  }

  /// A row of probabilities, or a label with options.
  template <class T, unsigned wanted>
  static double of_distribution(const Row<T>& row, const Options<T>& options) {
    using V = Vec<T>;
    constexpr bool differentiate = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T* y = x;  // the temperature is the softmax's
    if (options.capped()) {
      for_each_vector<T>(row.classes, [&](auto span, int) {
        span.store(row.scratch, capped(span.load(x, V(0)), options));
      });
      y = row.scratch;
    }
    const T peak = row_max(y, row.classes);

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
    const T y_label = row.labelled ? y[row.label] : T(0);

    ExactSum<double> mass = {uniform * row.class_weight_sum, 0};  // Σ cₖ
    double linear = 0;                                            // Σ cₖ(m − yₖ)
    if (!row.labelled || uniform != 0) {
      InnerSum<T> mass_sum, linear_sum;
      const V top(peak);
      for_each_vector<T>(row.classes, [&](auto span, int position) {
        const V c = coefficient(span);
        const V score = span.load(y, V(0));
        const V gap = select(score == top, V(0), top - score);
        mass_sum.add(c, position);
        linear_sum.add(select(c == V(0), V(0), c * gap), position);
      });
      linear = total_of(linear_sum);
      if (!row.labelled) mass = exact(mass_sum.total());
    }
    if (row.labelled) linear += product(own, rounded(gap_below(peak, y_label)));
    const ExactSum<double> all = mass + ExactSum<double>{own, 0};

    const auto softmax = Softmax<T>::template of<differentiate>(
        y, row.classes, peak, static_cast<T>(options.temperature), row.scratch, row.next);
    const ExactSum<double> excess = softmax.excess();
    const double temperature = options.temperature;
    const ExactSum<double> lse = quotient(static_cast<double>(peak), temperature) + excess;
    if constexpr (differentiate) {
      const ExactSum<double> inverse = softmax.inverse();
      const double slope = 1 / temperature;
      const double pull = options.z_loss == 0 ? 0 : 2 * options.z_loss * rounded(lse);
      // grad = (Σc + pull)·p − c. At the peak, where p and c may have nearly all there is, it is
      // (Σc − c + pull)·p − c(1 − p): two parts that do not cancel, given what the other classes
      // have of Σc to full precision, which takes a second number.
      const double drawn = all.high + pull;
      const double draw =
          slope * (drawn - drawn == 0
                       ? fma(drawn, inverse.high, drawn * inverse.low + all.low * inverse.high)
                       : drawn);
      const double no_draw = draw == draw ? 0 : draw;
      const double peak_p = slope * (softmax.peak() * inverse.high);
      const double peak_against = (slope * inverse.high) * softmax.others();
      // hess = p·((Σc + pull)·(1 − p) + 2·z_loss·p), p and 1 − p in units whose product is one.
      constexpr double unit = Constants<T>::unit;
      // A huge pull is lowered first, lest it overflow.
      const double guard = drawn > 1 / unit && drawn - drawn == 0 ? unit * unit : 1;
      const double to_hess = slope * slope * (inverse.high / unit) * (inverse.high / unit) / guard;
      const double push = guard * drawn;
      const double square = guard * 2 * options.z_loss;
      const V half_unit(unit), push_all(push), square_all(square);
      const V all_high(all.high);
      const V all_low((all.high - static_cast<double>(static_cast<T>(all.high))) + all.low);
      const V pull_all(pull), gain(draw), no_gain(no_draw), loss(slope), factor(row.factor),
          top_p(peak_p), top_against(peak_against);
      const V hess_factor(to_hess);
      const double e_label = row.labelled ? static_cast<double>(row.scratch[row.label]) : 0;
      for_each_vector<T>(row.classes, [&](auto span, int) {
        const V e = span.load(row.scratch, V(0));
        const V c = coefficient(span);
        const auto impossible = e == V(0);  // it is not drawn, even where the pull is infinite
        const auto top = e == V(softmax.at_peak());
        const V of_others = ((all_high - c) + all_low) + pull_all;
        V grad = select(top, fma(of_others, top_p, -(c * top_against)),
                        fma(select(impossible, no_gain, gain), e, -(c * loss)));
        const V p = half_unit * e;
        const V against = half_unit * softmax.complement(e);
        V hess = select(impossible, V(0), p * fma(push_all, against, square_all * p)) * hess_factor;
        if (options.capped()) chain(span.load(x, V(0)), options, grad, hess);
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * grad);
        if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], factor * hess);
      });
      if (row.labelled) {
        const bool top = y_label == peak;
        const double c = own + weight * uniform;
        const double of_others = mass.high - weight * uniform + pull;
        double grad = top ? fma(of_others, peak_p, -(c * peak_against))
                          : fma(e_label == 0 ? no_draw : draw, e_label, -(c * slope));
        const double p = unit * e_label;
        const double against = unit * softmax.complement(top, e_label);
        double hess = product(p, fma(push, against, square * p)) * to_hess;
        if (options.capped()) chain(static_cast<double>(x_label), options, grad, hess);
        if constexpr ((wanted & kGrad) != 0)
          row.grad[0][row.label] = static_cast<T>(row.factor * grad);
        if constexpr ((wanted & kHess) != 0)
          row.hess[0][row.label] = static_cast<T>(row.factor * hess);
      }
    }
    if constexpr ((wanted & kValue) == 0) return 0;
    const double correction = lse.low == 0 ? 0 : 2 * lse.high * lse.low;
    const double lse_squared = fma(lse.high, lse.high, correction);
    return linear / temperature + product(all.high, rounded(excess)) +
           product(options.z_loss, lse_squared);
  }

  /// a / b, and what rounding takes from it.
  INLINE static ExactSum<double> quotient(double a, double b) {
    const double high = a / b;
    return {high, fma(-high, b, a) / b};
  }
};

/// The row-wise losses that there are.
using Rowwise = LossList<CrossEntropy>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
