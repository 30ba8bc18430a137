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
    constexpr bool derivatives = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T x_label = x[row.label];
    const double weight = weight_of_label(row);
    const T peak = row_max(x, row.classes);
    const auto softmax =
        Softmax<T>::template of<derivatives>(x, row.classes, peak, T(1), row.scratch, row.next);
    if constexpr (derivatives) {
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

  /// The coefficients cₖ of a row. A label's own part, class weight·(1 − ε), is kept apart: in the
  /// label's gradient it must not cancel.
  template <class T>
  class Coefficients {
    using V = Vec<T>;

   public:
    double uniform, label_weight, own;  // ε/K; the label's class weight and own part, or 0

    INLINE Coefficients(const Row<T>& row, double label_smoothing)
        : uniform(label_smoothing / static_cast<double>(row.classes)),
          label_weight(row.labelled ? weight_of_label(row) : 0),
          own(label_weight * (1 - label_smoothing)),
          row_(row),
          share_(uniform),
          kept_(1 - label_smoothing) {}

    /// Those of a vector of classes without the own part; 0 beyond the end of the row.
    INLINE V of(auto span) const {
      V c = share_;
      if (!row_.labelled) c = fma(kept_, span.load(row_.arguments[1], V(0)), share_);
      if (row_.class_weight != nullptr) c = c * span.load(row_.class_weight, V(0));
      return span.zero_beyond(c);
    }

    struct Totals {
      ExactSum<double> mass;  // Σ cₖ without the own part
      double linear;          // Σ cₖ(peak − scoreₖ)
    };
    INLINE Totals totals(const T* scores, T peak) const {
      Totals totals = {{uniform * row_.class_weight_sum, 0}, 0};
      if (!row_.labelled || uniform != 0) {
        InnerSum<T> mass, linear;
        const V top(peak);
        for_each_vector<T>(row_.classes, [&](auto span, int position) {
          const V c = of(span);
          const V score = span.load(scores, V(0));
          const V gap = select(score == top, V(0), top - score);
          mass.add(c, position);
          linear.add(select(c == V(0), V(0), c * gap), position);
        });
        totals.linear = rounded(exact(linear.total()));
        if (!row_.labelled) totals.mass = exact(mass.total());
      }
      if (row_.labelled) {
        totals.linear += product(own, rounded(gap_below(peak, scores[row_.label])));
      }
      return totals;
    }

   private:
    const Row<T>& row_;
    V share_, kept_;
  };

  /// A row of probabilities, or a label with options.
  template <class T, unsigned wanted>
  static double of_distribution(const Row<T>& row, const Options<T>& options) {
    constexpr bool derivatives = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T* scores = x;  // the temperature is the softmax's
    if (options.capped()) {
      for_each_vector<T>(row.classes, [&](auto span, int) {
        span.store(row.scratch, capped(span.load(x, Vec<T>(0)), options));
      });
      scores = row.scratch;
    }
    const T peak = row_max(scores, row.classes);
    const bool label_leads = row.labelled && scores[row.label] == peak;
    const Coefficients<T> coefficients(row, options.label_smoothing);
    const auto [mass, linear] = coefficients.totals(scores, peak);

    const auto softmax = Softmax<T>::template of<derivatives>(
        scores, row.classes, peak, static_cast<T>(options.temperature), row.scratch, row.next);
    const ExactSum<double> excess = softmax.excess();
    const ExactSum<double> lse =
        exact_quotient(static_cast<double>(peak), options.temperature) + excess;
    if constexpr (derivatives) {
      differentiate<T, wanted>(row, options, coefficients, mass, softmax, rounded(lse),
                               label_leads);
    }
    if constexpr ((wanted & kValue) == 0) return 0;
    const double correction = lse.low == 0 ? 0 : 2 * lse.high * lse.low;
    const double lse_squared = fma(lse.high, lse.high, correction);
    return linear / options.temperature + product(mass.high + coefficients.own, rounded(excess)) +
           product(options.z_loss, lse_squared);
  }

  /// The derivatives of a class, from its exponential e and coefficient c.
  ///
  /// With Σ the sum of all c and pull = 2·z_loss·lse, grad = (Σ + pull)·p − c. At the peak, where p
  /// and c may have nearly all there is, it is (Σ − c + pull)·p − c(1 − p): two parts that do not
  /// cancel, given what the other classes have of Σ to full precision. hess is
  /// p·((Σ + pull)·(1 − p) + 2·z_loss·p), p and 1 − p in units whose product is one.
  template <class T>
  class Derivatives {
   public:
    double pull;

    INLINE Derivatives(const Options<T>& options, ExactSum<double> mass, const Softmax<T>& softmax,
                       double lse)
        : pull(options.z_loss == 0 ? 0 : 2 * options.z_loss * lse) {
      const ExactSum<double> inverse = softmax.inverse();
      const ExactSum<double> slope = exact_quotient(1.0, options.temperature);
      const ExactSum<double> drawn = mass + ExactSum<double>{pull, 0};
      const ExactSum<double> p_slope = slope * inverse;  // first, lest a tiny p be lost
      slope_ = slope.high;
      draw_ = slope * (drawn * inverse);
      no_draw_ = draw_.high == draw_.high ? 0 : draw_.high;
      peak_p_ = rounded(p_slope * softmax.peak());
      peak_against_ = rounded(p_slope * softmax.others());
      // A huge pull is lowered first, lest it overflow.
      const bool huge = drawn.high > 1 / unit && drawn.high - drawn.high == 0;
      const double guard = huge ? unit * unit : 1;
      const ExactSum<double> unit_slope = p_slope * ExactSum<double>{1 / unit, 0};
      push_ = guard * drawn.high;
      square_ = guard * 2 * options.z_loss;
      to_hess_ = rounded(unit_slope * unit_slope) / guard;
    }

    /// `others` is Σ − c + pull, `complement` the sum of the exponentials less e.
    template <class N>
    INLINE N grad(N e, N c, N others, auto at_peak) const {
      const auto impossible = e == N(0);  // it is not drawn, even where the pull is infinite
      const auto [draw, draw_low] = split<N>(draw_);
      const N away = fma(draw_low, e, -(c * N(slope_)));
      return select(at_peak, fma(others, N(peak_p_), -(c * N(peak_against_))),
                    fma(select(impossible, N(no_draw_), draw), e, away));
    }
    template <class N>
    INLINE N hess(N e, N complement) const {
      const N p = N(unit) * e;
      const N push = fma(N(push_), N(unit) * complement, N(square_) * p);
      return select(e == N(0), N(0), p * push) * N(to_hess_);
    }

    /// In two numbers of another type.
    template <class N>
    INLINE static ExactSum<N> split(ExactSum<double> x) {
      const auto high = static_cast<ElementOf<N>>(x.high);
      return {N(high), N(high - high == 0 ? (x.high - high) + x.low : 0)};
    }

   private:
    static constexpr double unit = Constants<T>::unit;
    ExactSum<double> draw_;
    double no_draw_, slope_, peak_p_, peak_against_, push_, square_, to_hess_;
  };

  template <class T, unsigned wanted>
  INLINE static void differentiate(const Row<T>& row, const Options<T>& options,
                                   const Coefficients<T>& coefficients, ExactSum<double> mass,
                                   const Softmax<T>& softmax, double lse, bool label_leads) {
    using V = Vec<T>;
    const T* x = row.arguments[0];
    const ExactSum<double> all = mass + ExactSum<double>{coefficients.own, 0};
    const Derivatives<T> of_class(options, all, softmax, lse);
    const auto [all_high, all_low] = Derivatives<T>::template split<V>(all);
    const V pull(of_class.pull), factor(row.factor);
    const double x_label = row.labelled ? static_cast<double>(x[row.label]) : 0;
    const double e_label = row.labelled ? static_cast<double>(row.scratch[row.label]) : 0;
    for_each_vector<T>(row.classes, [&](auto span, int) {
      const V e = span.load(row.scratch, V(0));
      const V c = coefficients.of(span);
      const V others = ((all_high - c) + all_low) + pull;
      V grad = of_class.grad(e, c, others, e == V(softmax.at_peak()));
      V hess = of_class.hess(e, softmax.complement(e));
      if (options.capped()) chain(span.load(x, V(0)), options, grad, hess);
      if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * grad);
      if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], factor * hess);
    });
    if (!row.labelled) return;
    const double shared = coefficients.label_weight * coefficients.uniform;
    double grad = of_class.grad(e_label, coefficients.own + shared,
                                mass.high - shared + of_class.pull, label_leads);
    double hess = of_class.hess(e_label, softmax.complement(label_leads, e_label));
    if (options.capped()) chain(x_label, options, grad, hess);
    if constexpr ((wanted & kGrad) != 0) row.grad[0][row.label] = static_cast<T>(row.factor * grad);
    if constexpr ((wanted & kHess) != 0) row.hess[0][row.label] = static_cast<T>(row.factor * hess);
  }
};

/// The row-wise losses that there are.
using Rowwise = LossList<CrossEntropy>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
