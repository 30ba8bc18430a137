// SPDX-License-Identifier: BSD-3-Clause
// Losses of pairs and triplets of embeddings. What is made of elements is of double precision.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../math.hpp"
#include "../rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The power of two in which the squares of a row's elements are normal numbers, from their sum in
/// the unit 1. Squares of floats are normal doubles.
template <class T, class Number>
INLINE Number unit_for(Number squares) {
  if constexpr (is_single<T>) return Number(1);
  return select(squares < Number(0x1p-800), Number(0x1p600),
                select(squares > Number(0x1p800), Number(0x1p-600), Number(1)));
}
template <class T, class W>
INLINE W in_unit(W x, W unit) {
  if constexpr (is_single<T>) return x;
  return x * unit;
}

/// 0 where the condition holds, also in the place of NaN.
template <class N>
INLINE N zero_where(auto condition, N x) {
  return select(condition, N(0), x);
}

/// 1/√x, rounded once but for a little.
template <class N>
INLINE N inverse_root(ExactSum<N> x) {
  const N root = N(1) / sqrt(x.high);
  const ExactSum<N> square = exact_product(root, root);
  const N rest = fma(-x.high, square.high, N(1)) - fma(x.high, square.low, x.low * square.high);
  return fma(N(0.5) * root, rest, root);
}

// ---- angles -------------------------------------------------------------------------------------

/// The cosine of two rows x and y, and its derivatives; for a row of zeros, all are 0.
///
/// With t = x·y / x·x, w = y − t·x is what y has beside x, and 1 − |cos| is |w|² / |y|² / (1 +
/// |cos|): no difference of near-equal numbers. As t is rounded, r = y − t·x is w + s·x, s = r·x /
/// x·x, and |w|² is |r|² − s²·|x|²; where less than the roundings of that is left, the rows are
/// parallel.
template <class T, class Row>
class Angle {
  using V = Vec<T>;
  using W = Wide<T>;
  using Number = typename Row::Number;

 public:
  [[gnu::noinline]] explicit Angle(const Row& row) : row_(row) {
    Products products = add_up();
    unit_x_ = unit_for<T>(products.xx.high);
    unit_y_ = unit_for<T>(products.yy.high);
    if (any((unit_x_ != Number(1)) | (unit_y_ != Number(1)))) products = add_up();
    const Number xx = products.xx.high, yy = products.yy.high, xy = products.xy.high;
    no_x_ = xx == Number(0);
    no_y_ = yy == Number(0);
    t_ = select(no_x_, xy, xy / xx);
    t_of_y_ = select(no_y_, xy, xy / yy);
    const auto [rr, rx] = add_up_rest();
    s_ = zero_where(no_x_, rx / xx);
    const Number ww = fma(-rx, s_, rr);
    sine_squared_ = select(no_y_, xy, zero_where(ww <= Number(0x1p-50) * rr, ww) / yy);
    inverse_x_ = zero_where(no_x_, inverse_root(products.xx));
    inverse_y_ = zero_where(no_y_, inverse_root(products.yy));
    inverse_ = inverse_x_ * inverse_y_;

    const auto no_angle = no_x_ | no_y_;
    const Number quotient = select(no_angle, xy, xy * inverse_);
    lacking_ = sine_squared_ / (Number(1) + abs(quotient));
    cosine_ = select((sine_squared_ > Number(0.5)) | no_angle, quotient,
                     copysign(Number(1) - lacking_, xy));
    is_direct_ = (cosine_ <= Number(0)) | no_angle;
  }

  INLINE Number cosine() const { return cosine_; }
  /// 1 − cosine.
  INLINE Number distance() const { return select(is_direct_, Number(1) - cosine_, lacking_); }

  /// Writes the derivatives of factor·(1 − cosine), for a factor that does not depend on it.
  template <unsigned wanted>
  INLINE void differentiate(Number factor) const {
    const Angle angle = *this;  // in registers
    const auto none = factor == Number(0);
    const Number scale = row_.factor * select(cosine_ == cosine_, factor, cosine_);
    const W to_grad = convert<W>(-scale * inverse_);
    const W unit_x = convert<W>(unit_x_), unit_y = convert<W>(unit_y_);
    const W to_hess = convert<W>(scale), cosine = convert<W>(cosine_);
    const W sine_squared = convert<W>(sine_squared_);
    const W inverse_x = convert<W>(inverse_x_), inverse_y = convert<W>(inverse_y_);
    const W t_of_y = convert<W>(t_of_y_), s = convert<W>(s_);
    const auto grad = [&](W beside, W unit) {
      return convert<V>(zero_where(none, in_unit<T>(to_grad * beside, unit)));
    };
    const auto hess = [&](W u, W beside, W inverse, W unit) {
      const W bend = fma(W(2) * u, beside, fma(-(cosine * u), u, cosine));
      const W steep = in_unit<T>(bend * inverse, unit) * inverse;
      return convert<V>(zero_where(none, in_unit<T>(to_hess * steep, unit)));
    };
    row_.for_each_vector([&](auto span, int) {
      const auto [x, y] = angle.pair(span);
      const W w = fma(-s, x, angle.rest(x, y));
      // What x has beside y is x − (t·x + w)·(x·y / y·y).
      const W w_of_x = fma(sine_squared, x, -(t_of_y * w));
      if constexpr ((wanted & kGrad) != 0) {
        span.store(row_.grad[0], grad(w, unit_x));
        span.store(row_.grad[1], grad(w_of_x, unit_y));
      }
      if constexpr ((wanted & kHess) != 0) {
        span.store(row_.hess[0], hess(x * inverse_x, w * inverse_y, inverse_x, unit_x));
        span.store(row_.hess[1], hess(y * inverse_y, w_of_x * inverse_x, inverse_y, unit_y));
      }
    });
  }

 private:
  struct Pair {
    W x, y;
  };
  INLINE Pair pair(auto span) const {
    const W x = convert<W>(span.load(row_.arguments[0], V(0)));
    const W y = convert<W>(span.load(row_.arguments[1], V(0)));
    return {in_unit<T>(x, convert<W>(unit_x_)), in_unit<T>(y, convert<W>(unit_y_))};
  }
  INLINE W rest(W x, W y) const { return fma(-convert<W>(t_), x, y); }

  struct Products {
    ExactSum<Number> xx, yy, xy;
  };
  INLINE Products add_up() const {
    const Angle angle = *this;
    typename Row::Sum xx, yy, xy;
    row_.for_each_vector([&](auto span, int position) {
      const auto [x, y] = angle.pair(span);
      xx.add_product(x, x, position);
      yy.add_product(y, y, position);
      xy.add_product(x, y, position);
    });
    return {xx.total(), yy.total(), xy.total()};
  }
  struct Rest {
    Number rr, rx;
  };
  INLINE Rest add_up_rest() const {
    const Angle angle = *this;
    typename Row::Sum rr, rx;
    row_.for_each_vector([&](auto span, int position) {
      const auto [x, y] = angle.pair(span);
      const W r = angle.rest(x, y);
      rr.add_product(r, r, position);
      rx.add_product(r, x, position);
    });
    return {rounded(rr.total()), rounded(rx.total())};
  }

  using Condition = decltype(Number(0) == Number(0));
  const Row& row_;
  Number unit_x_ = Number(1), unit_y_ = Number(1);
  Number t_, t_of_y_, s_, sine_squared_, inverse_x_, inverse_y_, inverse_;
  Number lacking_, cosine_;
  Condition no_x_, no_y_, is_direct_;
};

/// 1 − cos(x, y).
struct CosineDistance {
  static constexpr auto name = "cosine_distance";
  static constexpr int inputs = 2;
  static constexpr int targets = 0;
  static constexpr int parameters = 0;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    const Angle<T, Row> angle(row);
    angle.template differentiate<wanted>(typename Row::Number(1));
    return angle.distance();
  }
};

/// 1 − cos(x, y) for y > 0, max(0, cos(x, y) − margin) beyond; the slope at the margin is 0.
struct CosineEmbedding {
  static constexpr auto name = "cosine_embedding";
  static constexpr int inputs = 2;
  static constexpr int targets = 0;
  static constexpr int numbers = 1;
  static constexpr int parameters = 1;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using Number = typename Row::Number;
    const Angle<T, Row> angle(row);
    const Number target = convert<Number>(row.numbers[0]);
    const Number margin(row.parameters[0]);
    const auto alike = target > Number(0);
    const auto far = angle.cosine() <= margin;
    const Number factor = select(alike, Number(1), zero_where(far, Number(-1)));
    angle.template differentiate<wanted>(select(target == target, factor, target));
    const Number excess = zero_where(far, angle.cosine() - margin);
    return select(target == target, select(alike, angle.distance(), excess), target);
  }
};

// ---- distances ----------------------------------------------------------------------------------

/// The Euclidean norm of a row of differences, and its derivatives; those of the norm 0 are 0.
/// `difference` is a function of a span and a unit, whose result is 0 beyond the end of the row;
/// its low part may be NaN.
template <class T, class Row>
class EuclideanNorm {
  using W = Wide<T>;
  using Number = typename Row::Number;

 public:
  INLINE EuclideanNorm(const Row& row, auto difference, Number) {
    Number squares = add_up(row, difference);
    unit_ = unit_for<T>(squares);
    if (any(unit_ != Number(1))) squares = add_up(row, difference);
    const Number norm = sqrt(squares);
    value_ = norm / unit_;
    inverse_ = zero_where(norm == Number(0), Number(1) / norm);
  }
  INLINE static EuclideanNorm either(auto condition, EuclideanNorm a, const EuclideanNorm& b) {
    a.unit_ = select(condition, a.unit_, b.unit_);
    a.value_ = select(condition, a.value_, b.value_);
    a.inverse_ = select(condition, a.inverse_, b.inverse_);
    return a;
  }
  INLINE Number value() const { return value_; }
  /// What differences are a multiple of.
  INLINE Number unit() const { return unit_; }

  /// The derivatives with respect to a difference.
  INLINE W grad(ExactSum<W> difference) const { return difference.high * convert<W>(inverse_); }
  INLINE W hess(ExactSum<W> difference) const {
    const W q = grad(difference);
    return fma(-q, q, W(1)) * convert<W>(inverse_) * convert<W>(unit_);
  }

 private:
  INLINE Number add_up(const Row& row, auto difference) const {
    const W unit = convert<W>(unit_);
    typename Row::Sum sum;
    row.for_each_vector([&](auto span, int position) {
      const W r = difference(span, unit).high;
      sum.add_product(r, r, position);
    });
    return rounded(sum.total());
  }
  Number unit_ = Number(1), value_, inverse_;
};

/// The norm with exponent p likewise: m·S^(1/p) with S = Σ qᵖ, where q is |difference| / m and m
/// the largest. What q loses in rounding counts p times in qᵖ: it is given back.
template <class T, class Row>
class PowerNorm {
  using W = Wide<T>;
  using Number = typename Row::Number;

 public:
  INLINE PowerNorm(const Row& row, auto difference, Number p)
      : p_(p), unit_(EuclideanNorm<T, Row>(row, difference, p).unit()) {
    const W unit = convert<W>(unit_);
    W top(0);
    row.for_each_vector([&](auto span, int) { top = max(abs(difference(span, unit).high), top); });
    const Number largest = row.fold(top, [](auto a, auto b) { return a > b ? a : b; });
    m_ = min(Number(Constants<double>::largest), select(largest == Number(0), Number(1), largest));
    const PowerNorm norm = *this;
    typename Row::Sum sum;
    row.for_each_vector([&](auto span, int position) {
      sum.add_product(norm.power(difference(span, unit), norm.p_), W(1), position);
    });
    sum_ = rounded(sum.total());
    value_ = m_ * sum_to_the(Number(1) / p_) / unit_;
    slope_ = zero_where(sum_ == Number(0), sum_to_the((Number(1) - p_) / p_));
  }
  INLINE static PowerNorm either(auto condition, PowerNorm a, const PowerNorm& b) {
    a.unit_ = select(condition, a.unit_, b.unit_);
    a.m_ = select(condition, a.m_, b.m_);
    a.sum_ = select(condition, a.sum_, b.sum_);
    a.value_ = select(condition, a.value_, b.value_);
    a.slope_ = select(condition, a.slope_, b.slope_);
    return a;
  }
  INLINE Number value() const { return value_; }
  INLINE Number unit() const { return unit_; }
  INLINE W grad(ExactSum<W> difference) const {
    return sign(difference.high) * (power(difference, p_ - Number(1)) * convert<W>(slope_));
  }
  INLINE W hess(ExactSum<W> difference) const {
    const W others = W(1) - power(difference, p_) / convert<W>(sum_);
    const W scale = convert<W>(slope_ / m_ * unit_);
    const W steep = masked_product(scale, power(difference, p_ - Number(2)));
    const auto flat = (sum_ == Number(0)) | (p_ == Number(1));
    return zero_where(flat, convert<W>(p_ - Number(1)) * others * steep);
  }

 private:
  [[gnu::noinline]] Number sum_to_the(Number y) const { return pow(sum_, y); }
  INLINE W power(ExactSum<W> difference, Number y) const {
    return quotient_to_the(difference, convert<W>(m_), convert<W>(y));
  }
  /// q to the power of y.
  [[gnu::noinline]] static W quotient_to_the(ExactSum<W> difference, W m, W y) {
    const ExactSum<W> q = exact_quotient(abs(difference.high), m);
    const W power = pow(q.high, y);
    const W lost = power * (y * (q.low / q.high + difference.low / difference.high));
    return power + select(lost == lost, lost, W(0));
  }
  Number p_, unit_, m_, sum_, value_, slope_;
};

/// target·max(0, d − pos_margin) + (1 − target)·max(0, neg_margin − d), d = |x − y|; slopes at the
/// margins are 0.
struct Contrastive {
  static constexpr auto name = "contrastive";
  static constexpr int inputs = 2;
  static constexpr int targets = 0;
  static constexpr int numbers = 1;
  static constexpr int parameters = 2;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    using V = Vec<T>;
    using W = Wide<T>;
    using Number = typename Row::Number;
    const auto difference = [&](auto span, W unit) {
      const W x = convert<W>(span.load(row.arguments[0], V(0)));
      const W y = convert<W>(span.load(row.arguments[1], V(0)));
      return ExactSum<W>{in_unit<T>(x, unit) - in_unit<T>(y, unit), W(0)};
    };
    const EuclideanNorm<T, Row> norm(row, difference, Number(2));
    const Number d = norm.value();
    const Number near = convert<Number>(row.numbers[0]);
    const Number far = Number(1) - near;
    const Number pos_margin(row.parameters[0]), neg_margin(row.parameters[1]);
    const auto near_enough = d <= pos_margin, far_enough = d >= neg_margin;
    if constexpr ((wanted & (kGrad | kHess)) != 0) {
      const Number difference_of_slopes =
          zero_where(near_enough, near) - zero_where(far_enough, far);
      const Number slope = select(d == d, difference_of_slopes, d);
      const auto flat = slope == Number(0);
      const W scale = convert<W>(row.factor * slope), unit = convert<W>(norm.unit());
      row.for_each_vector([&](auto span, int) {
        const ExactSum<W> r = difference(span, unit);
        if constexpr ((wanted & kGrad) != 0) {
          const V grad = convert<V>(zero_where(flat, scale * norm.grad(r)));
          span.store(row.grad[0], grad);
          span.store(row.grad[1], -grad);
        }
        if constexpr ((wanted & kHess) != 0) {
          const V hess = convert<V>(zero_where(flat, scale * norm.hess(r)));
          span.store(row.hess[0], hess);
          span.store(row.hess[1], hess);
        }
      });
    }
    const Number too_far = zero_where(near_enough, d - pos_margin);
    const Number too_near = zero_where(far_enough, neg_margin - d);
    return masked_product(near, too_far) + masked_product(far, too_near);
  }
};

/// max(0, d(a, p) − d(a, n) + margin), d(x, y) = |x − y + ε| with exponent p; the slope at 0 is 0.
/// If swap, d(p, n) stands for d(a, n) where it is smaller.
struct TripletMargin {
  static constexpr auto name = "triplet_margin";
  static constexpr int inputs = 3;
  static constexpr int targets = 0;
  static constexpr int parameters = 4;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    if (row.parameters[1] == 2) return with_norm<EuclideanNorm<T, Row>, T, wanted>(row);
    return with_norm<PowerNorm<T, Row>, T, wanted>(row);
  }

 private:
  template <class T>
  INLINE static ExactSum<Wide<T>> difference(Wide<T> x, Wide<T> y, Wide<T> eps, Wide<T> unit) {
    using W = Wide<T>;
    if constexpr (is_single<T>) {
      return {(x - y) + eps, W(0)};
    } else {
      const auto [high, low] = exact_difference(x * unit, y * unit);
      const auto [sum, lost] = exact_sum(high, eps * unit);
      return ordered_sum(sum, correction(low + lost));
    }
  }

  template <class Norm, class T, class Row>
  [[gnu::noinline]] static Norm norm_between(const Row& row, int from, int to) {
    using W = Wide<T>;
    const Vec<T> eps(row.parameters[3]);
    const auto between = [&](auto span, W unit) {
      const W x = convert<W>(span.load(row.arguments[from], Vec<T>(0)));
      const W y = convert<W>(span.load(row.arguments[to], eps));  // 0 − ε + ε beyond the end
      return difference<T>(x, y, convert<W>(eps), unit);
    };
    return Norm(row, between, typename Row::Number(row.parameters[1]));
  }

  template <class Norm, class T, unsigned wanted, class Row>
  static typename Row::Number with_norm(const Row& row) {
    using V = Vec<T>;
    using W = Wide<T>;
    using Number = typename Row::Number;
    const Number margin(row.parameters[0]);
    const bool swap = row.parameters[2] != 0;
    const V eps(row.parameters[3]);
    const Norm near = norm_between<Norm, T>(row, 0, 1);
    Norm far = norm_between<Norm, T>(row, 0, 2);
    auto swapped = far.value() < Number(0);
    if (swap) {
      const Norm other = norm_between<Norm, T>(row, 1, 2);
      swapped = other.value() < far.value();
      far = Norm::either(swapped, other, far);
    }
    const Number excess = near.value() - far.value() + margin;
    const auto far_enough = excess <= Number(0);
    if constexpr ((wanted & (kGrad | kHess)) != 0) {
      const Number factor = row.factor * select(excess == excess, Number(1), excess);
      const W scale = convert<W>(factor);
      const W near_unit = convert<W>(near.unit()), far_unit = convert<W>(far.unit());
      row.for_each_vector([&](auto span, int) {
        const W anchor = convert<W>(span.load(row.arguments[0], V(0)));
        const W positive = convert<W>(span.load(row.arguments[1], V(0)));
        const W negative = convert<W>(span.load(row.arguments[2], V(0)));
        const W from = select(swapped, positive, anchor);
        const ExactSum<W> r_near = difference<T>(anchor, positive, convert<W>(eps), near_unit);
        const ExactSum<W> r_far = difference<T>(from, negative, convert<W>(eps), far_unit);
        const auto store = [&](T* const* to, W of_anchor, W of_positive, W of_negative) {
          const auto put = [&](int k, W x) {
            span.store(to[k], convert<V>(zero_where(far_enough, scale * x)));
          };
          put(0, of_anchor);
          put(1, of_positive);
          put(2, of_negative);
        };
        if constexpr ((wanted & kGrad) != 0) {
          const W g = near.grad(r_near), h = far.grad(r_far);
          store(row.grad, g - zero_where(swapped, h), -g - select(swapped, h, W(0)), h);
        }
        if constexpr ((wanted & kHess) != 0) {
          const W g = near.hess(r_near), h = far.hess(r_far);
          store(row.hess, g - zero_where(swapped, h), g - select(swapped, h, W(0)), -h);
        }
      });
    }
    return zero_where(far_enough, excess);
  }
};

using Embeddings = LossList<CosineDistance, CosineEmbedding, Contrastive, TripletMargin>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
