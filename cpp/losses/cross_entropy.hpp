// SPDX-License-Identifier: BSD-3-Clause
// The cross-entropy of a softmax with labels or probabilities, and its options.
#pragma once

#include "../math.hpp"
#include "../rows.hpp"
#include "../softmax.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

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

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    const Options<T> options(row.parameters);
    if (!row.labelled) return of_distribution<T, wanted, false>(row, options);
    if (options.plain()) return of_label<T, wanted>(row);
    return of_distribution<T, wanted, true>(row, options);
  }

 private:
  template <class Row>
  INLINE static typename Row::Number weight_of_label(const Row& row) {
    using Number = typename Row::Number;
    return row.class_weight != nullptr ? convert<Number>(row.of_label(row.class_weight))
                                       : Number(1);
  }

  /// A label with none of the options but class weights.
  template <class T, unsigned wanted, class Row>
  static typename Row::Number of_label(const Row& row) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    constexpr bool derivatives = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const Number x_label = convert<Number>(row.at_label(x));
    const Number weight = weight_of_label(row);
    const auto top = largest(row, x);
    const Number peak = convert<Number>(top);
    T* exponentials = row.scratch[0];
    const auto softmax = Softmax<Row, T>::template of<derivatives>(row, x, top, T(1), exponentials);
    if constexpr (derivatives) {
      const Number inverse = softmax.inverse().high;
      const Number factor = row.factor * weight * inverse;
      const V scale = convert<V>(factor), to_p = convert<V>(inverse);
      row.for_each_vector([&](auto span, int) {
        const V e = span.load(exponentials, V(0));
        const V p = scale * e;
        if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], p);
        if constexpr ((wanted & kHess) != 0) {
          span.store(row.hess[0], p * (to_p * softmax.complement(e)));
        }
      });
      if constexpr ((wanted & kGrad) != 0) {
        const Number e = convert<Number>(row.at_label(exponentials));
        row.put_at_label(row.grad[0], -factor * softmax.complement(x_label == peak, e));
      }
    }
    if constexpr ((wanted & kValue) == 0) return Number(0);
    return masked_product(weight, rounded(gap_below(peak, x_label) + softmax.excess()));
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
  template <class Row, class T, bool labelled>
  class Coefficients {
    using V = Vec<T>;
    using Element = typename Row::Element;
    using Number = typename Row::Number;

   public:
    double uniform;            // ε/K
    Number label_weight, own;  // the label's class weight and own part, or 0

    INLINE Coefficients(const Row& row, double label_smoothing)
        : uniform(label_smoothing / static_cast<double>(row.classes)),
          label_weight(labelled ? weight_of_label(row) : Number(0)),
          own(label_weight * Number(1 - label_smoothing)),
          row_(row),
          target_(labelled ? nullptr : row.arguments[1]),
          class_weight_(row.class_weight),
          share_(uniform),
          kept_(1 - label_smoothing) {}

    /// Those of a vector of classes without the own part; 0 beyond the end of the row.
    INLINE V of(auto span) const {
      V c = share_;
      if constexpr (!labelled) c = fma(kept_, span.load(target_, V(0)), share_);
      if (class_weight_ != nullptr) c = c * span.of_classes(class_weight_);
      return span.zero_beyond(c);
    }

    struct Totals {
      ExactSum<Number> mass;  // Σ cₖ without the own part
      Number linear;          // Σ cₖ(peak − scoreₖ)
    };
    INLINE Totals totals(const T* scores, Element peak) const {
      Totals totals = {{Number(uniform * row_.class_weight_sum), Number(0)}, Number(0)};
      if (!labelled || uniform != 0) {
        typename Row::Sum mass, linear;
        const V top(peak);
        const bool is_infinite = any(peak - peak != Element(0));
        const auto gap = [&](auto span, V c) {
          const V score = span.load(scores, top);
          V distance = top - score;
          if (is_infinite) distance = select(score == top, V(0), distance);
          return select(c == V(0), V(0), c * distance);
        };
        row_.template for_each_pair<Fetch::next_target>([&](auto first, auto second, int position) {
          const V a = of(first), b = of(second);
          if constexpr (!labelled) {
            mass.add(a, position);
            mass.add(b, position);
          }
          linear.add_pair(gap(first, a), gap(second, b), position);
        });
        totals.linear = rounded(linear.total());
        if constexpr (!labelled) totals.mass = mass.total();
      }
      if constexpr (labelled) {
        const auto label = convert<Number>(row_.at_label(scores));
        const Number gap = rounded(gap_below(convert<Number>(peak), label));
        totals.linear = totals.linear + masked_product(own, gap);
      }
      return totals;
    }

   private:
    const Row& row_;
    const T *target_, *class_weight_;
    V share_, kept_;
  };

  /// A row of probabilities, or a label with options.
  template <class T, unsigned wanted, bool labelled, class Row>
  static typename Row::Number of_distribution(const Row& row, const Options<T>& options) {
    using Number = typename Row::Number;
    constexpr bool derivatives = (wanted & (kGrad | kHess)) != 0;
    const T* x = row.arguments[0];
    const T* scores = x;  // the temperature is the softmax's
    if (options.capped()) {
      row.for_each_vector([&](auto span, int) {
        span.store(row.scratch[1], capped(span.load(x, Vec<T>(0)), options));
      });
      scores = row.scratch[1];
    }
    const auto top = largest(row, scores);
    const Number peak = convert<Number>(top), temperature(options.temperature);
    const Coefficients<Row, T, labelled> coefficients(row, options.label_smoothing);
    const auto [mass, linear] = coefficients.totals(scores, top);

    const auto softmax = Softmax<Row, T>::template of<derivatives>(
        row, scores, top, static_cast<T>(options.temperature), row.scratch[0]);
    const ExactSum<Number> excess = softmax.excess();
    const ExactSum<Number> lse = exact_quotient(peak, temperature) + excess;
    if constexpr (derivatives) {
      const Number score = labelled ? convert<Number>(row.at_label(scores)) : Number(0);
      differentiate<T, wanted>(row, options, coefficients, mass, softmax, rounded(lse),
                               score == peak);
    }
    if constexpr ((wanted & kValue) == 0) return Number(0);
    const Number correction =
        select(lse.low == Number(0), Number(0), Number(2) * lse.high * lse.low);
    const Number lse_squared = fma(lse.high, lse.high, correction);
    return linear / temperature + masked_product(mass.high + coefficients.own, rounded(excess)) +
           masked_product(Number(options.z_loss), lse_squared);
  }

  /// The derivatives of a class, from its exponential e and coefficient c.
  ///
  /// With Σ the sum of all c and pull = 2·z_loss·lse, grad = (Σ + pull)·p − c. At the peak, where p
  /// and c may have nearly all there is, it is (Σ − c + pull)·p − c(1 − p): two parts that do not
  /// cancel, given what the other classes have of Σ to full precision. hess is
  /// p·((Σ + pull)·(1 − p) + 2·z_loss·p), p and 1 − p in units whose product is one.
  template <class Row, class T>
  class Derivatives {
    using Number = typename Row::Number;

   public:
    Number pull;

    INLINE Derivatives(const Options<T>& options, ExactSum<Number> mass,
                       const Softmax<Row, T>& softmax, Number lse)
        : pull(options.z_loss == 0 ? Number(0) : Number(2 * options.z_loss) * lse) {
      const Number temperature(options.temperature);
      const ExactSum<Number> inverse = softmax.inverse();
      const ExactSum<Number> slope = exact_quotient(Number(1), temperature);
      const ExactSum<Number> drawn = mass + ExactSum<Number>{pull, Number(0)};
      const ExactSum<Number> p_slope = slope * inverse;  // first, lest a tiny p be lost
      slope_ = slope.high;
      draw_ = slope * (drawn * inverse);
      draw_is_infinite_ = any(abs(draw_.high) == Number(infinity));
      peak_p_ = rounded(p_slope * softmax.peak());
      peak_against_ = rounded(p_slope * softmax.others());
      // A huge pull is lowered first, lest it overflow.
      const auto is_huge = (drawn.high > Number(1 / unit)) & (drawn.high - drawn.high == Number(0));
      const Number guard = select(is_huge, Number(unit * unit), Number(1));
      const ExactSum<Number> unit_slope = p_slope * ExactSum<Number>{Number(1 / unit), Number(0)};
      push_ = guard * drawn.high;
      square_ = guard * Number(2 * options.z_loss);
      to_hess_ = rounded(unit_slope * unit_slope) / guard;
    }

    /// Away from the peak.
    template <class N>
    INLINE N grad(N e, N c) const {
      auto [draw, draw_low] = split<N>(draw_);
      N away = -(c * convert<N>(slope_));
      if constexpr (!is_single<N>) away = fma(draw_low, e, away);  // floats keep 3 ULP without
      if (draw_is_infinite_) {  // an impossible class is not drawn even so
        draw = select((e == N(0)) & (abs(draw) == N(infinity)), N(0), draw);
      }
      return fma(draw, e, away);
    }
    /// At the peak; `others` is Σ − c + pull.
    template <class N>
    INLINE N grad_at_peak(N c, N others) const {
      return fma(others, convert<N>(peak_p_), -(c * convert<N>(peak_against_)));
    }
    /// `complement` is the sum of the exponentials less e.
    template <class N>
    INLINE N hess(N e, N complement) const {
      const N p = N(unit) * e;
      const N push = fma(convert<N>(push_), N(unit) * complement, convert<N>(square_) * p);
      return select(e == N(0), N(0), p * push) * convert<N>(to_hess_);
    }

    /// In two numbers of another type.
    template <class N>
    INLINE static ExactSum<N> split(ExactSum<Number> x) {
      const auto element = convert<typename Row::Element>(x.high);
      const Number high = convert<Number>(element);
      const Number low = select(high - high == Number(0), (x.high - high) + x.low, Number(0));
      return {convert<N>(high), convert<N>(low)};
    }

   private:
    static constexpr double unit = Constants<T>::unit, infinity = Constants<T>::infinity;
    ExactSum<Number> draw_;
    bool draw_is_infinite_;  // of any row
    Number slope_, peak_p_, peak_against_, push_, square_, to_hess_;
  };

  template <class T, unsigned wanted, bool labelled, class Row>
  INLINE static void differentiate(const Row& row, const Options<T>& options,
                                   const Coefficients<Row, T, labelled>& coefficients,
                                   ExactSum<typename Row::Number> mass,
                                   const Softmax<Row, T>& softmax, typename Row::Number lse,
                                   auto label_leads) {
    using V = Vec<T>;
    using Number = typename Row::Number;
    const T* x = row.arguments[0];
    const T* exponentials = row.scratch[0];
    const ExactSum<Number> all = mass + ExactSum<Number>{coefficients.own, Number(0)};
    const Derivatives<Row, T> of_class(options, all, softmax, lse);
    const ExactSum<V> all_of_row = Derivatives<Row, T>::template split<V>(all);
    const V pull = convert<V>(of_class.pull), factor = convert<V>(row.factor);
    const V top(softmax.at_peak());
    const bool capped = options.capped();
    const Number x_label = labelled ? convert<Number>(row.at_label(x)) : Number(0);
    row.for_each_vector([&](auto span, int) {
      const V e = span.load(exponentials, V(0));
      const V c = coefficients.of(span);
      V grad = of_class.grad(e, c);
      if (const auto at_peak = e == top; any(at_peak)) {
        const V others = ((all_of_row.high - c) + all_of_row.low) + pull;
        grad = select(at_peak, of_class.grad_at_peak(c, others), grad);
      }
      V hess = of_class.hess(e, softmax.complement(e));
      if (capped) chain(span.load(x, V(0)), options, grad, hess);
      if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], factor * grad);
      if constexpr ((wanted & kHess) != 0) span.store(row.hess[0], factor * hess);
    });
    if constexpr (!labelled) return;
    const Number e = convert<Number>(row.at_label(exponentials));
    const Number shared = coefficients.label_weight * Number(coefficients.uniform);
    const Number c = coefficients.own + shared;
    Number grad = select(label_leads, of_class.grad_at_peak(c, mass.high - shared + of_class.pull),
                         of_class.grad(e, c));
    Number hess = of_class.hess(e, softmax.complement(label_leads, e));
    if (capped) chain(x_label, options, grad, hess);
    if constexpr ((wanted & kGrad) != 0) row.put_at_label(row.grad[0], row.factor * grad);
    if constexpr ((wanted & kHess) != 0) row.put_at_label(row.hess[0], row.factor * hess);
  }
};

using CrossEntropies = LossList<CrossEntropy>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
