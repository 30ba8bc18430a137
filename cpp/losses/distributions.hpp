// SPDX-License-Identifier: BSD-3-Clause
// Losses that compare a row of scores, as a distribution over its classes, with another row.
#pragma once

#include "../math.hpp"
#include "../rows.hpp"
#include "../softmax.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// ---- the two distributions --------------------------------------------------------------------

/// The softmax of scores/temperature, class by class. Its exponentials are written to scratch.
template <class Row, class T>
class SoftmaxOfClasses {
  using V = Vec<T>;

 public:
  Softmax<Row, T> of_row;

  SoftmaxOfClasses() = default;
  [[gnu::noinline]] SoftmaxOfClasses(const Row& row, const T* scores, T temperature, T* scratch)
      : scores_(scores), exponentials_(scratch) {
    const auto top = largest(row, scores);
    of_row = Softmax<Row, T>::template of<true>(row, scores, top, temperature, scratch);
    top_ = V(top);
    at_peak_ = V(of_row.at_peak());
    sum_ = convert<V>(of_row.sum());
    others_ = convert<V>(of_row.others().high);
    inverse_ = convert<V>(of_row.inverse().high);
  }

  /// How far a score lies below the largest one.
  INLINE ExactSum<V> gap(auto span) const {
    return gap_below(top_, span.load(scores_, V(-__builtin_inf())));
  }
  /// The probability p and 1 − p of a class in units whose product with 1/Σ is one, Σ the sum of
  /// exponentials.
  struct Shares {
    V own, others;
  };
  INLINE V exponential(auto span) const { return span.load(exponentials_, V(0)); }
  INLINE Shares shares(auto span) const {
    const V e = exponential(span);
    return {e, select(e == at_peak_, others_, sum_ - e)};
  }
  /// factor·share/Σ. What is small is not divided first, lest it be lost.
  INLINE V times(V factor, V share) const {
    const auto large = abs(factor) > V(1);
    const V first = select(large, factor, share), second = select(large, share, factor);
    return (first * inverse_) * second;
  }
  /// factor·(1 − p), with all digits of the smaller one of p and 1 − p.
  INLINE V times_rest(V factor, Shares shares) const {
    return select(shares.own > shares.others, times(factor, shares.others),
                  factor - times(factor, shares.own));
  }

 private:
  const T *scores_, *exponentials_;
  V top_, at_peak_, sum_, others_, inverse_;
};

/// The distribution q that a row of scores stands for: its softmax, or its exponentials if the
/// scores are logarithms of probabilities already.
template <class Row, class T>
class Prediction {
  using V = Vec<T>;
  using Number = typename Row::Number;

 public:
  const bool of_logits;
  SoftmaxOfClasses<Row, T> softmax;

  /// Surprisals have what is tiny of them, at the peak, left out if that is to be `apart`: it would
  /// be subnormal, and meets its factor in `times_tiny`.
  INLINE Prediction(const Row& row, bool logits, bool apart)
      : of_logits(logits), scores_(row.arguments[0]) {
    if (!logits) return;
    softmax = SoftmaxOfClasses<Row, T>(row, scores_, T(1), row.scratch[0]);
    const ExactSum<Number> excess = softmax.of_row.excess();
    const auto is_apart = excess.high < Number(apart ? 0x1p-64 : 0.0);
    tiny_ = select(is_apart, softmax.of_row.others().high, Number(0));
    excess_ = in_two<Row, V>(
        {select(is_apart, Number(0), excess.high), select(is_apart, Number(0), excess.low)});
  }

  /// A factor times what surprisals lack: log1p(others/peak), which is the ratio itself.
  INLINE Number times_tiny(Number factor) const {
    const Number peak = softmax.of_row.peak().high;
    const Number product =
        select(abs(factor) > Number(1), (factor / peak) * tiny_, factor * (tiny_ / peak));
    return select(tiny_ == Number(0), Number(0), product);
  }

  /// −log q.
  INLINE ExactSum<V> surprisal(auto span) const {
    if (of_logits) return softmax.gap(span) + excess_;
    return {-span.load(scores_, V(-__builtin_inf())), V(0)};
  }
  /// q of a class, as a factor: q itself may be too large or too small for a number. It is a count
  /// times two powers of two, of which only the last may be the least or the largest there is: what
  /// is subnormal before it is 0 in the end.
  struct Likelihood {
    const Prediction& prediction;
    V count, power, last;

    INLINE V times(V factor) const {
      if (prediction.of_logits) return prediction.softmax.times(factor, count);
      return ((factor * count) * power) * last;
    }
  };
  INLINE Likelihood likelihood(auto span) const {
    if (of_logits) return {*this, softmax.exponential(span), V(1), V(1)};
    constexpr int bias = Float<T>::exponent_bias;
    constexpr T edge = T(0.69314718055994530942) * (2 * bias - 4);
    const V score = span.load(scores_, V(-__builtin_inf()));
    const V x = max(V(-edge), min(V(edge), score));
    const V n = nearest_power(x);
    const V last = max(V(1 - bias), min(V(bias), n));
    const auto power_of = [](V exponent) {
      return power_of_two<V>(to_bits(exponent + V(Constants<T>::rounder + bias)));
    };
    const V count = select(score < V(-edge), V(0), exp_reduced(x, n).high);
    return {*this, count, power_of(n - last), power_of(last)};
  }

 private:
  const T* scores_;
  Number tiny_;
  ExactSum<V> excess_;
};

/// A probability of the target and its logarithm, which counts as 0 where the probability is 0.
template <class V>
struct Probability {
  V p;
  ExactSum<V> log;
};
template <class V>
INLINE Probability<V> from_probability(V p) {
  const auto [n, f] = log_parts(p);
  const auto [high, low] = log_sum_of_parts(n, f);
  const auto is_ordinary = (p > V(0)) & (p < V(Constants<ElementOf<V>>::infinity));
  const V edge = select(p < V(0), V(Constants<ElementOf<V>>::nan), p);
  return {p, {select(is_ordinary, high, edge), select(is_ordinary, low, V(0))}};
}
template <class V>
INLINE Probability<V> from_log(V log) {
  const V p = exp(log);
  return {p, {select(p == V(0), V(0), log), V(0)}};
}

/// A class of the second argument: its probability, or with the parameter log_target its logarithm.
template <class T>
INLINE Probability<Vec<T>> target_of(const auto& row, auto span) {
  const bool is_log = row.parameters[1] != 0;
  const Vec<T> x = span.load(row.arguments[1], Vec<T>(is_log ? -__builtin_inf() : 0.0));
  return is_log ? from_log(x) : from_probability(x);
}

// ---- sums over classes ------------------------------------------------------------------------

/// What a class adds to the loss, a multiple of the surprisal by −slope if it is not curved, and
/// the first and second derivative of that with respect to its score, or to log q where q is a
/// softmax. Both have a part in common that is a multiple of q: the level, if there is one; the
/// multiple is the same for all classes that have one, and `unlevel` is what it would be in the
/// others. Through a softmax a level that all classes have is nothing.
template <class V>
struct Share {
  V value, slope;
  V curvature = V(0), level = V(0), unlevel = V(0);
};

/// From derivatives with respect to log q to those with respect to logits.
///
/// With G and H the sums of slopes g and curvatures h, both without the levels, they are
/// g·(1 − q) − q·(G − g) and h·(1 − q)² + q²·(H − h) − G·q·(1 − q). A level adds q·D and
/// q·D·(1 − 2q): D is Σ unlevel in a class that has it, else −Σ level.
template <class T, unsigned wanted, bool curved>
struct ThroughSoftmax {
  template <class Number>
  struct Totals {
    ExactSum<Number> slopes, curvatures;
    Number level, unlevel;
  };

  /// The slopes lie in the place of the gradient, curvatures in that of the second derivative,
  /// levels in the row's second scratch.
  template <class Row, class Number = typename Row::Number>
  [[gnu::noinline]] static void differentiate(const Row& row,
                                              const SoftmaxOfClasses<Row, T>& softmax,
                                              const Totals<Number>& totals) {
    using V = Vec<T>;
    const ExactSum<V> slopes = in_two<Row, V>(totals.slopes);
    const ExactSum<V> curvatures = in_two<Row, V>(totals.curvatures);
    const V without_level = convert<V>(totals.unlevel), with_level = convert<V>(totals.level);
    const V factor = convert<V>(row.factor);
    row.for_each_vector([&](auto span, int) {
      const auto shares = softmax.shares(span);
      const auto own = [&](V x) { return softmax.times(x, shares.own); };
      const auto rest = [&](V x) { return softmax.times_rest(x, shares); };
      const auto others = [](ExactSum<V> all, V x) { return (all.high - x) + all.low; };
      const V slope = span.load(row.grad[0], V(0));
      V grad = rest(slope) - own(others(slopes, slope));
      V level(0);
      if constexpr (curved) {
        const auto has_level = span.load(row.scratch[1], V(0)) != V(0);
        level = own(select(has_level, without_level, -with_level));
        grad = grad + level;
      }
      span.store(row.grad[0], factor * grad);
      if constexpr ((wanted & kHess) != 0) {
        V hess = -rest(own(slopes.high));
        if constexpr (curved) {
          const V h = span.load(row.hess[0], V(0));
          hess = hess + (rest(rest(h)) + own(own(others(curvatures, h))));
          hess = hess + (rest(level) - own(level));
        }
        span.store(row.hess[0], factor * hess);
      }
    });
  }
};

/// Σₖ Divergence::share(prediction, span) of a row, and its derivatives.
template <class Divergence, class T, unsigned wanted, class Row>
INLINE typename Row::Number sum_over_classes(const Row& row, bool of_logits) {
  using V = Vec<T>;
  using Number = typename Row::Number;
  constexpr bool curved = Divergence::curved;
  const Prediction<Row, T> prediction(row, of_logits, !curved);
  const V factor = convert<V>(row.factor);
  typename Row::Sum values, slopes, curvatures, levels, unlevels;
  const auto add = [&](auto span, int position) {
    const Share<V> share = Divergence::template share<T>(row, prediction, span);
    if constexpr ((wanted & kValue) != 0) values.add(share.value, position);
    if constexpr (!curved) slopes.add(share.slope, position);
    if constexpr ((wanted & kGrad) == 0) return;
    if (!of_logits) {
      span.store(row.grad[0], factor * (share.slope + share.level));
      if constexpr ((wanted & kHess) != 0) {
        span.store(row.hess[0], factor * (share.curvature + share.level));
      }
      return;
    }
    span.store(row.grad[0], share.slope);
    if constexpr (curved) {
      slopes.add(share.slope, position);
      span.store(row.scratch[1], share.level);
      levels.add(share.level, position);
      unlevels.add(share.unlevel, position);
      if constexpr ((wanted & kHess) != 0) {
        span.store(row.hess[0], share.curvature);
        curvatures.add(share.curvature, position);
      }
    }
  };
  row.template for_each_pair<Fetch::next_target>([&](auto first, auto second, int position) {
    add(first, position);
    add(second, position);
  });
  if constexpr ((wanted & kGrad) != 0) {
    using Through = ThroughSoftmax<T, wanted, curved>;
    if (of_logits) {
      Through::differentiate(
          row, prediction.softmax,
          {slopes.total(), curvatures.total(), levels.total().high, unlevels.total().high});
    }
  }
  if constexpr ((wanted & kValue) == 0) return Number(0);
  const Number value = rounded(values.total());
  if (curved || !of_logits) return value;
  return value + prediction.times_tiny(-rounded(slopes.total()));
}

// ---- the losses -------------------------------------------------------------------------------

/// Σₖ tₖ·(log tₖ − log qₖ).
struct KlDiv {
  static constexpr auto name = "kl_div";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 2;
  static constexpr bool curved = false;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return sum_over_classes<KlDiv, T, wanted>(row, row.parameters[0] != 0);
  }
  template <class T>
  INLINE static Share<Vec<T>> share(const auto& row, const auto& prediction, auto span) {
    using V = Vec<T>;
    const auto [p, log] = target_of<T>(row, span);
    const ExactSum<V> surprisal = prediction.surprisal(span);
    const auto is_number = surprisal.high == surprisal.high;
    return {.value = masked_product(p, rounded(log + surprisal)),
            .slope = select(is_number, -p, surprisal.high)};
  }
};

/// (x·tanh x − log cosh x) / x² of a square x² ≤ 1.
template <class T>
INLINE T jensen_shannon_polynomial(T x) {
  if constexpr (is_single<T>) {
    // tools/polynomials.py: within 2^-26.7 of the result
    return polynomial(x, 0.5f, -0.24999963f, 0.111101516f, -0.047137227f, 0.019317485f,
                      -0.0072552073f, 0.0021168538f, -0.00033047074f);
  } else {
    // tools/polynomials.py: within 2^-55.2 of the result
    return polynomial(x, 0.5, -0.249999999999996, 0.11111111111069888, -0.047222222207234814,
                      0.01968253940511075, -0.008124629496837128, 0.003335525192251929,
                      -0.0013647330040846527, 0.0005568458507860481, -0.00022610852483892366,
                      9.041160277748797e-05, -3.453128337882745e-05, 1.1828471502279534e-05,
                      -3.2788565490822125e-06, 6.272307838867623e-07, -6.00182541355812e-08);
  }
}

/// ½·Σₖ(tₖ·log(tₖ/mₖ) + qₖ·log(qₖ/mₖ)), m = (t + q)/2.
///
/// With ρ = |log q − log t|, a class adds m·(y·tanh y − log cosh y), y = ρ/2, which is a series in
/// ρ² where the two are nearly equal. The larger one of t and q is 1 + z times the mean, z = tanh
/// y, and with u = e^−ρ the smaller one u·(1 + z) times. Far apart, the class adds the larger one
/// times ½·((1 + u)·log(1 + z) − u·ρ), log(1 + z) = log 2 − log(1 + u); if q is the larger one, the
/// level is ½·q·log 2.
struct JensenShannon {
  static constexpr auto name = "jensen_shannon";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 2;
  static constexpr double cost = 3;
  static constexpr bool curved = true;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return sum_over_classes<JensenShannon, T, wanted>(row, row.parameters[0] != 0);
  }
  template <class T>
  INLINE static Share<Vec<T>> share(const auto& row, const auto& prediction, auto span) {
    using V = Vec<T>;
    const V half(T(0.5)), quarter(T(0.25));
    const auto [t, log_t] = target_of<T>(row, span);
    const auto q = prediction.likelihood(span);
    const ExactSum<V> surprisal = prediction.surprisal(span);
    const V ratio = rounded(log_t + surprisal);
    const V quarter_t = quarter * t, quarter_q = q.times(quarter);
    const auto q_leads = (t == V(0)) | (ratio <= V(0));  // q and t may round to the same
    const V rho = select(t == V(0), V(Constants<T>::infinity), abs(ratio));
    const auto near = rho < V(2);
    const V y = half * rho, z = tanh(y), u = exp(-rho);
    const V log = log1p(select(near, select(q_leads, z, -z), u));
    const V of_larger = V(log_2) - log;  // far apart, log(1 + z)

    const V falling = select(u == V(0), u, u * rho);
    const V far_apart = max(quarter_t, quarter_q) * fma(u, of_larger, of_larger - falling);
    const V close = (quarter_t + quarter_q) * (y * y * jensen_shannon_polynomial(y * y));
    const V value = select(near, close, far_apart);
    const V log_share = select(near, log, select(q_leads, -log, of_larger - rho));
    const auto is_possible = surprisal.high != V(Constants<T>::infinity);
    const V slope = select(is_possible, q.times(half * log_share), V(0));
    const V lower = min(quarter_t, quarter_q);
    const V whole = q.times(V(0.5 * log_2));
    const V level = select(q_leads, select(near, V(0), whole), V(0));
    return {.value = value + value,
            .slope = slope,
            .curvature = slope + (lower + lower) / (u + V(1)),
            .level = level,
            .unlevel = whole - level};
  }

 private:
  static constexpr double log_2 = 0.69314718055994530942;
};

/// ½·Σₖ|qₖ − tₖ| of probabilities.
struct TotalVariation {
  static constexpr auto name = "total_variation";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr bool curved = false;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return sum_over_classes<TotalVariation, T, wanted>(row, false);
  }
  template <class T>
  INLINE static Share<Vec<T>> share(const auto& row, const auto&, auto span) {
    using V = Vec<T>;
    const V half(T(0.5));
    const V difference = span.load(row.arguments[0], V(0)) - span.load(row.arguments[1], V(0));
    return {.value = half * abs(difference), .slope = half * sign(difference)};
  }
};

/// −Σₖ tₖ·log softmax(x)ₖ.
struct RankingSoftmax {
  static constexpr auto name = "ranking_softmax";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 0;
  static constexpr bool curved = false;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return sum_over_classes<RankingSoftmax, T, wanted>(row, true);
  }
  template <class T>
  INLINE static Share<Vec<T>> share(const auto& row, const auto& prediction, auto span) {
    using V = Vec<T>;
    const V target = span.load(row.arguments[1], V(0));
    const V value = masked_product(target, rounded(prediction.surprisal(span)));
    return {.value = value, .slope = -target};
  }
};

/// The classes of a teacher's softmax p, and of a student's q.
///
/// The divergence of p from q is Σ p·ψ(r), ψ(r) = e^r − 1 − r: nothing cancels. r = log(q/p) is the
/// difference of logits less what all classes have in common, the shift. A shift that is too small
/// leaves a balance b = Σ p·(e^r − 1) instead of 0: it lacks log(1 + b), and the divergence is too
/// large by b − log(1 + b). From the sums of exponentials the shift is known to a rounding of
/// these, and b is tiny. Where Σ p·|e^r − 1| is hardly more, it is told by what no shift leaves.
template <class Row, class T>
class Comparison {
  using V = Vec<T>;
  using C = Constants<T>;
  using Number = typename Row::Number;

 public:
  Number divergence;

  [[gnu::noinline]] explicit Comparison(const Row& row)
      : temperature_(row.parameters[0]),
        student_(row, row.arguments[0], row.parameters[0], row.scratch[0]),
        teacher_(row, row.arguments[1], row.parameters[0], row.scratch[1]) {
    const Number temperature(static_cast<double>(row.parameters[0]));
    const Number inverse = teacher_.of_row.inverse().high;
    student_in_teachers_unit_ = convert<V>(student_.of_row.inverse().high / inverse);
    const ExactSum<Number> tau = {temperature, Number(0)};
    const auto [high, low] = teacher_.of_row.excess();
    ExactSum<Number> shift = tau * (student_.of_row.excess() + ExactSum<Number>{-high, -low});
    Totals totals = sums(row, inverse, shift);
    const auto nearly_equal = Number(16) * abs(totals.balance) > totals.change;
    if (any(nearly_equal)) {
      const auto where_near = [&](ExactSum<Number> near) -> ExactSum<Number> {
        return {select(nearly_equal, near.high, shift.high),
                select(nearly_equal, near.low, shift.low)};
      };
      totals = sums(row, inverse, where_near({Number(0), Number(0)}));
      shift = where_near(tau * log1p_sum(totals.balance));
      totals = sums(row, inverse, shift);
    }
    const auto is_infinite = totals.excess == Number(C::infinity);
    if (any(is_infinite)) {  // perhaps only in the unit of the exponentials
      const Number power = select(is_infinite, Number(-C::exp_lift), Number(0));
      totals = sums(row, inverse, shift, times_power_of_two(Number(1), power));
    }
    divergence = fma(Number(-0.5) * totals.balance, totals.balance, totals.excess);
    shift_ = in_two<Row, V>(shift + ExactSum<Number>{temperature * totals.balance, Number(0)});
  }

  /// The gradient of the divergence, q − p, and its second derivative, q·(1 − q), times factors.
  template <unsigned wanted>
  [[gnu::noinline]] void differentiate(const Row& row, Number to_grad, Number to_hess) const {
    const V scale = convert<V>(to_grad * teacher_.of_row.inverse().high);
    const V hess_scale = convert<V>(to_hess);
    row.for_each_vector([&](auto span, int) {
      if constexpr ((wanted & kGrad) != 0) span.store(row.grad[0], scale * of_class(span).change);
      if constexpr ((wanted & kHess) != 0) {
        const auto shares = student_.shares(span);
        const V q = student_.times(V(1), shares.own);
        span.store(row.hess[0], hess_scale * student_.times_rest(q, shares));
      }
    });
  }

 private:
  /// p·ψ(r), times unit_, and p·(e^r − 1) of a class, in the unit of the teacher's exponentials.
  struct OfClass {
    V excess, change;
  };
  INLINE OfClass of_class(auto span) const {
    const ExactSum<V> below = teacher_.gap(span), own_below = student_.gap(span);
    const V p = teacher_.exponential(span);
    const V q = student_in_teachers_unit_ * student_.exponential(span);
    const auto finite = [](V high, V low) { return select(high - high == V(0), low, V(0)); };
    const auto [apart, low] = exact_difference(below.high, own_below.high);
    const ExactSum<V> difference =
        exact_sum(apart, finite(apart, low + (below.low - own_below.low)));
    const auto [rest, lost] = exact_difference(difference.high, shift_.high);
    const auto [log_ratio, rounding] =
        exact_sum(rest, finite(rest, lost + (difference.low - shift_.low)));
    const V r = log_ratio / temperature_;
    const V lost_of_r = (remainder(log_ratio, r, temperature_) + rounding) / temperature_;
    const V r_low = finite(r, lost_of_r);

    const V far(4);  // from where on q − p hides the rounding of q
    const V y = max(V(C::expm1_minus_one), min(far, r));
    const V n = nearest_power(y);
    const V scale = times_power_of_two(V(1), n);
    const V less_one = scale - V(1);
    const ExactSum<V> e = expm1_sum(y, n, scale, {less_one, scale - (less_one + V(1))});
    const V change = p * (e.high + fma(r_low, e.high + V(1), e.low));
    const V excess = (unit_ * p) * ((e.high - r) + fma(r_low, e.high, e.low));

    const V infinity(C::infinity);
    const auto is_far = (r > far) | (below.high == infinity);
    const auto is_lost = (own_below.high == infinity) & (below.high < infinity);
    const V surplus = q - p;
    const V linear = select(p == V(0), V(0), p * r);
    const V all = select(is_far, unit_ * (surplus - linear), excess);
    return {select(is_lost, infinity, all), select(is_far, surplus, change)};
  }

  struct Totals {
    Number excess, balance, change;
  };
  [[gnu::noinline]] Totals sums(const Row& row, Number inverse, ExactSum<Number> shift,
                                Number unit = Number(1)) {
    shift_ = in_two<Row, V>(shift);
    unit_ = convert<V>(unit);
    typename Row::Sum excess, balance, change;
    row.for_each_vector([&](auto span, int position) {
      const OfClass k = of_class(span);
      excess.add(k.excess, position);
      balance.add(k.change, position);
      change.add(abs(k.change), position);
    });
    return {(inverse / unit) * rounded(excess.total()), inverse * rounded(balance.total()),
            inverse * rounded(change.total())};
  }

  V temperature_, student_in_teachers_unit_, unit_;
  ExactSum<V> shift_;
  SoftmaxOfClasses<Row, T> student_, teacher_;
};

/// τ²·Σₖ pₖ·log(pₖ/qₖ), q and p the softmax of both rows divided by the temperature τ.
struct Distillation {
  static constexpr auto name = "distillation";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr double cost = 4;

  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using Number = typename Row::Number;
    const Comparison<Row, T> comparison(row);
    const Number temperature(static_cast<double>(row.parameters[0]));
    constexpr unsigned derivatives = wanted & (kGrad | kHess);
    if constexpr (derivatives != 0) {
      comparison.template differentiate<derivatives>(row, row.factor * temperature, row.factor);
    }
    return temperature * (temperature * comparison.divergence);
  }
};

using Distributions = LossList<KlDiv, JensenShannon, TotalVariation, RankingSoftmax, Distillation>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
