// SPDX-License-Identifier: BSD-3-Clause
// Losses of a predicted bounding box and its target: of floats in double precision, of doubles to
// twice the digits, for there are few numbers and many roundings.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../math.hpp"
#include "../rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// A number of twice the digits. They are compared by the high part, which is the number rounded.
template <class N>
class Twice {
 public:
  Twice() = default;
  INLINE explicit Twice(double x) : high_(x), low_(0) {}
  INLINE explicit Twice(N x) : high_(x), low_(0) {}
  INLINE explicit Twice(ExactSum<N> x) {
    const auto [high, low] = ordered_sum(x.high, x.low);
    const auto is_finite = x.high - x.high == N(0);
    high_ = select(is_finite, high, x.high);
    low_ = select(is_finite, low, N(0));
  }
  INLINE N high() const { return high_; }
  INLINE ExactSum<N> sum() const { return {high_, low_}; }

  INLINE friend Twice operator-(Twice a) { return Twice(ExactSum<N>{-a.high_, -a.low_}); }
  INLINE friend Twice operator+(Twice a, Twice b) { return Twice(a.sum() + b.sum()); }
  INLINE friend Twice operator-(Twice a, Twice b) { return a + -b; }
  INLINE friend Twice operator*(Twice a, Twice b) { return Twice(a.sum() * b.sum()); }
  INLINE friend Twice operator/(Twice a, Twice b) {
    const N quotient = a.high_ / b.high_;
    return Twice(ExactSum<N>{quotient, (a - b * Twice(quotient)).high_ / b.high_});
  }
  INLINE friend Twice fma(Twice a, Twice b, Twice c) { return a * b + c; }
  INLINE friend auto operator==(Twice a, Twice b) { return a.high_ == b.high_; }
  INLINE friend auto operator<(Twice a, Twice b) { return a.high_ < b.high_; }
  INLINE friend auto operator>(Twice a, Twice b) { return a.high_ > b.high_; }
  INLINE friend auto operator<=(Twice a, Twice b) { return a.high_ <= b.high_; }
  INLINE friend Twice select(auto condition, Twice a, Twice b) {
    return Twice(
        ExactSum<N>{select(condition, a.high_, b.high_), select(condition, a.low_, b.low_)});
  }
  INLINE friend Twice max(Twice a, Twice b) { return select(a > b, a, b); }
  INLINE friend Twice min(Twice a, Twice b) { return select(a < b, a, b); }

 private:
  N high_, low_;
};
template <class N>
INLINE N rounded(Twice<N> x) {
  return x.high();
}
INLINE Widened rounded(Widened x) { return x; }

/// What boxes of T are computed in.
template <class T, class Number>
struct Digits {
  using type = Twice<Number>;
};
template <class Number>
struct Digits<float, Number> {
  using type = Number;
};

/// A first and a second derivative.
template <class N>
struct Slope {
  N first, second;
};
template <class N>
INLINE Slope<N> operator+(Slope<N> a, Slope<N> b) {
  return {a.first + b.first, a.second + b.second};
}
/// Those of a quotient, from those of both parts.
template <class N>
INLINE Slope<N> slope_of_quotient(N quotient, N divisor, Slope<N> numerator, Slope<N> denominator) {
  const N first = fma(-quotient, denominator.first, numerator.first) / divisor;
  const N second =
      fma(N(-2) * first, denominator.first, fma(-quotient, denominator.second, numerator.second));
  return {first, second / divisor};
}

/// Both boxes on one axis. An interval that ends where it begins, or before, is empty.
template <class N>
struct Axis {
  using Condition = decltype(N(0) == N(0));

  N pred, target;            // lengths
  N overlap, hull;           // a negative overlap is a gap
  N pred_rest, target_rest;  // what the overlap leaves of each
  N centre;                  // that of pred less that of target
  Condition is_empty;        // pred
  Condition is_inside[2];    // whether the beginning and the end of pred are inside of target,
  Condition is_together[2];  // or just at its beginning and end

  Axis() = default;
  INLINE Axis(N p1, N p2, N t1, N t2) {
    const auto positive = [](N x) { return select(x <= N(0), N(0), x); };
    const N beginning = max(p1, t1), end = min(p2, t2);
    pred = positive(p2 - p1);
    target = positive(t2 - t1);
    overlap = end - beginning;
    hull = positive(max(p2, t2) - min(p1, t1));
    pred_rest = (beginning - p1) + (p2 - end);
    target_rest = (beginning - t1) + (t2 - end);
    centre = N(0.5) * ((p1 - t1) + (p2 - t2));
    is_empty = p2 <= p1;
    is_inside[0] = p1 > t1;
    is_inside[1] = p2 < t2;
    is_together[0] = p1 == t1;
    is_together[1] = p2 == t2;
  }
};

/// Areas and 1 − IoU, in which ε is added to the divisor. It is made of what the intersection
/// leaves of each box, so that nothing cancels where they are nearly the same.
template <class N>
struct Boxes {
  Axis<N> axes[2];
  N eps;
  decltype(N(0) == N(0)) overlap;
  N intersection, hull;
  N hull_rest;  // what the union leaves of the hull
  N divisor;    // union + ε
  N lacking;    // 1 − IoU

  INLINE Boxes(Axis<N> x, Axis<N> y, N e) : axes{x, y}, eps(e) {
    const auto rest = [&](N width, N height, N width_rest, N height_rest) {
      return select(overlap, fma(width, height_rest, width_rest * y.overlap), width * height);
    };
    overlap = (x.overlap > N(0)) & (y.overlap > N(0));
    intersection = select(overlap, x.overlap * y.overlap, N(0));
    const N pred = x.pred * y.pred, target = x.target * y.target;
    const N pred_rest = rest(x.pred, y.pred, x.pred_rest, y.pred_rest);
    const N target_rest = rest(x.target, y.target, x.target_rest, y.target_rest);
    hull = x.hull * y.hull;
    hull_rest = select(overlap, fma(x.pred_rest, y.target_rest, x.target_rest * y.pred_rest),
                       (hull - pred) - target);
    divisor = (pred_rest + target) + eps;
    lacking = (pred_rest + target_rest) / divisor;
  }

  /// How much pred grows as an end of it moves outwards on an axis.
  INLINE N growth(int axis) const { return select(axes[axis].is_empty, N(0), axes[1 - axis].pred); }
  /// How much the union grows if that end is inside of target.
  INLINE N growth_beside_target(int axis) const {
    return select(overlap, axes[1 - axis].pred_rest, growth(axis));
  }

  /// The derivatives of 1 − IoU as an end of pred moves outwards, inside of target or beyond.
  INLINE Slope<N> slope(int axis, bool inside) const {
    const Axis<N>&along = axes[axis], &across = axes[1 - axis];
    N union_growth = growth(axis);
    N first = union_growth * ((intersection + eps) / divisor);
    if (inside) {
      const N others = fma(along.pred_rest, across.pred, along.target * across.target);
      const N shrinking = fma(eps, across.pred - N(2) * across.overlap, -(across.overlap * others));
      first = select(overlap, shrinking / divisor, first);
      union_growth = growth_beside_target(axis);
    }
    first = first / divisor;
    return {first, N(-2) * (union_growth / divisor) * first};
  }
};

/// (hull − union) / (hull + ε).
template <class N>
class HullPenalty {
 public:
  INLINE explicit HullPenalty(const Boxes<N>& boxes)
      : boxes_(boxes), divisor_(boxes.hull + boxes.eps) {}
  INLINE N value() const { return boxes_.hull_rest / divisor_; }
  INLINE Slope<N> slope(int axis, int, bool inside, Slope<N>) const {
    if (inside) return {-(boxes_.growth_beside_target(axis) / divisor_), N(0)};
    const Axis<N>&along = boxes_.axes[axis], &across = boxes_.axes[1 - axis];
    const N growth = select(along.hull == N(0), N(0), across.hull) / divisor_;
    const N first = fma(boxes_.divisor / divisor_, growth, -(boxes_.growth(axis) / divisor_));
    return {first, N(-2) * growth * first};
  }

 private:
  const Boxes<N>& boxes_;
  N divisor_;
};

/// (distance of the centres)² / ((diagonal of the hull)² + ε).
template <class N>
class CentrePenalty {
 public:
  INLINE explicit CentrePenalty(const Boxes<N>& boxes) : boxes_(boxes) {
    const auto square = [](N x, N y) { return fma(x, x, y * y); };
    divisor_ = square(boxes.axes[0].hull, boxes.axes[1].hull) + boxes.eps;
    value_ = square(boxes.axes[0].centre, boxes.axes[1].centre) / divisor_;
  }
  INLINE N value() const { return value_; }
  INLINE Slope<N> slope(int axis, int end, bool inside, Slope<N>) const {
    const Axis<N>& along = boxes_.axes[axis];
    const Slope<N> numerator = {end == 0 ? -along.centre : along.centre, N(0.5)};
    const N curvature = inside ? N(0) : select(along.hull == N(0), N(0), N(2));
    return slope_of_quotient(value_, divisor_, numerator, {curvature * along.hull, curvature});
  }

 private:
  const Boxes<N>& boxes_;
  N divisor_, value_;
};

/// The angle whose tangent is opposite / adjacent, for adjacent >= 0; 0 where both are 0.
template <class N>
INLINE N angle_of(N opposite, N adjacent) {
  const N half_pi = N(1.57079632679489661923) + N(6.123233995736766036e-17);
  const auto is_negative = opposite < N(0);
  const N size = select(is_negative, -opposite, opposite);
  const auto steep = size > adjacent;
  const N longer = select(steep, size, adjacent);
  const N tangent = select(steep, adjacent, size) / select(longer == N(0), N(1), longer);
  const auto square = rounded(tangent * tangent);
  const N angle = tangent * (N(1) + N(square * atan_polynomial(square)));
  const N steep_angle = select(steep, half_pi - angle, angle);
  return select(is_negative, -steep_angle, steep_angle);
}

/// That of the centres, and v²/(1 − IoU + v + ε), where v is (2/π · the angle between the
/// diagonals)².
template <class N>
class AspectPenalty {
 public:
  INLINE explicit AspectPenalty(const Boxes<N>& boxes) : boxes_(boxes), centres_(boxes) {
    const Axis<N>&x = boxes.axes[0], &y = boxes.axes[1];
    angle_ =
        angle_of(x.target * y.pred - x.pred * y.target, fma(y.target, y.pred, x.target * x.pred));
    v_ = scale() * (angle_ * angle_);
    divisor_ = (boxes.lacking + v_) + boxes.eps;
    value_ = v_ * (v_ / divisor_);
    for (int axis = 0; axis < 2; ++axis) {
      of_v_[axis] = slope_of_v(axis);
      const auto [first, second] = of_v_[axis];
      of_square_[axis] = {N(2) * (v_ * first), N(2) * fma(first, first, v_ * second)};
    }
  }
  INLINE N value() const { return centres_.value() + value_; }
  INLINE Slope<N> slope(int axis, int end, bool inside, Slope<N> of_lacking) const {
    return centres_.slope(axis, end, inside, of_lacking) +
           slope_of_quotient(value_, divisor_, of_square_[axis], of_lacking + of_v_[axis]);
  }

 private:
  INLINE static N scale() { return N(0.4052847345693511) + N(-1.5865159517757766e-17); }  // 4/π²
  INLINE Slope<N> slope_of_v(int axis) const {
    const N length = boxes_.axes[axis].pred, breadth = boxes_.axes[1 - axis].pred;
    const N longer = max(length, breadth), l = length / longer, b = breadth / longer;
    const N diagonal = fma(l, l, b * b) * longer;  // its square, less a factor of longer
    const auto is_empty = boxes_.axes[axis].is_empty;
    const N turn = select(is_empty, N(0), (axis == 0 ? -b : b) / diagonal);
    const N bend = select(is_empty, N(0), masked_product(turn, N(-2) * l / diagonal));
    return {N(2) * scale() * (angle_ * turn),
            N(2) * scale() * fma(turn, turn, masked_product(angle_, bend))};
  }

  const Boxes<N>& boxes_;
  CentrePenalty<N> centres_;
  N angle_, v_, divisor_, value_;
  Slope<N> of_v_[2], of_square_[2];
};

/// 1 − IoU and a penalty. Where an end of pred lies just at that of target, the derivative of least
/// norm between those on both sides is taken, and the second one inside.
template <template <class> class Penalty, class T, unsigned wanted, class Row>
INLINE typename Row::Number box_term(const Row& row) {
  using Number = typename Row::Number;
  using N = typename Digits<T, Number>::type;
  Number nothing(0);  // NaN where a coordinate is infinite
  const auto axis = [&](int k) {
    const auto coordinate = [&](int argument, int i) {
      const auto x = convert<Number>(ClassSpan<T>{i}.load(row.arguments[argument], Vec<T>(0)));
      nothing = nothing + (x - x);
      return N(x);
    };
    return Axis<N>(coordinate(0, k), coordinate(0, k + 2), coordinate(1, k), coordinate(1, k + 2));
  };
  const Boxes<N> boxes(axis(0), axis(1), N(row.parameters[0]));
  const Penalty<N> penalty(boxes);
  if constexpr ((wanted & (kGrad | kHess)) != 0) {
    for (int k = 0; k < 4; ++k) {
      const int along = k % 2, end = k / 2;
      const auto slope = [&](bool inside) {
        const Slope<N> of_lacking = boxes.slope(along, inside);
        return of_lacking + penalty.slope(along, end, inside, of_lacking);
      };
      const auto store = [&](T* rows, N x) {
        const Number result = rounded(N(row.factor) * x) + nothing;
        ClassSpan<T>{k}.store(rows, convert<Vec<T>>(result));
      };
      const Slope<N> inside = slope(true), beyond = slope(false);
      const auto is_inside = boxes.axes[along].is_inside[end];
      const auto is_together = boxes.axes[along].is_together[end];
      const N least =
          max(min(N(0), max(inside.first, beyond.first)), min(inside.first, beyond.first));
      const N outwards = select(is_inside, inside.first, select(is_together, least, beyond.first));
      const N bend = select(is_inside | is_together, inside.second, beyond.second);
      if constexpr ((wanted & kGrad) != 0) store(row.grad[0], end == 0 ? -outwards : outwards);
      if constexpr ((wanted & kHess) != 0) store(row.hess[0], bend);
    }
  }
  return rounded(boxes.lacking + penalty.value()) + nothing;
}

/// 1 − IoU + (hull − union) / hull.
struct GeneralizedIou {
  static constexpr auto name = "giou";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr int row_length = 4;
  static constexpr double cost = 8;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return box_term<HullPenalty, T, wanted>(row);
  }
};

/// 1 − IoU + (distance of the centres / diagonal of the hull)².
struct DistanceIou {
  static constexpr auto name = "diou";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr int row_length = 4;
  static constexpr double cost = 8;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return box_term<CentrePenalty, T, wanted>(row);
  }
};

/// That and v²/(1 − IoU + v), where v is (2/π · the angle between the diagonals)².
struct CompleteIou {
  static constexpr auto name = "ciou";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 1;
  static constexpr int row_length = 4;
  static constexpr double cost = 8;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    return box_term<AspectPenalty, T, wanted>(row);
  }
};

using BoxLosses = LossList<GeneralizedIou, DistanceIou, CompleteIou>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
