// SPDX-License-Identifier: BSD-3-Clause
// Losses of an anchor's similarities. What is made of elements is of double precision.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../math.hpp"
#include "../rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// eˣ for x <= 0, as exp_multiple has it for numbers.
template <class N>
INLINE Multiple<N> exp_multiple_of_sum(ExactSum<N> x) {
  using C = Constants<double>;
  constexpr double rounder = C::rounder + Float<double>::exponent_bias;
  constexpr double zero = exp_scaled_zero<double>(C::exp_lift);
  const ExactSum<N> y = {max(N(zero), x.high), select(x.high < N(zero), N(0), x.low)};
  const auto small = y.high < N(C::exp_small);
  const N lifted = select(small, N(rounder + C::exp_lift), N(rounder));
  const N shifted = fma(y.high, N(C::log2_e), lifted);
  const N e = exp_reduced(y, shifted - lifted).high * power_of_two<N>(to_bits(shifted));
  return {e, select(small, N(C::exp_unit), N(1))};
}
template <>
INLINE Multiple<Widened> exp_multiple_of_sum(ExactSum<Widened> x) {
  const auto low = exp_multiple_of_sum<Vec<double>>({x.high.low, x.low.low});
  const auto high = exp_multiple_of_sum<Vec<double>>({x.high.high, x.low.high});
  return {{low.count, high.count}, {low.unit, high.unit}};
}

/// An anchor's similarities s with what belongs to it (side 0) and what does not (side 1).
///
/// With w = max(1 − s, −m) or max(s, −m) and W the largest |w| of a side, the sum of its
/// exponentials is exp(γ(W² − m²))·S, where S = Σ exp(γ(w² − W²)) is 1 at the largest. So that the
/// loss is softplus(x + log(S₀S₁)) with x = γ(W₀² + W₁² − 2m²), and it is 0 where a side is empty.
template <class T, class Row>
class Similarities {
  using V = Vec<T>;
  using W = Wide<T>;
  using Number = typename Row::Number;

 public:
  [[gnu::noinline]] explicit Similarities(const Row& row)
      : row_(row), gamma_(row.parameters[0]), margin_(row.parameters[1]) {
    find_largest();
    add_up();
    const ExactSum<Number> gamma = {gamma_, Number(0)}, m = {margin_, Number(0)};
    const ExactSum<Number> flat = m * m * ExactSum<Number>{Number(-2), Number(0)};
    exponent_ = gamma * (largest_[0] * largest_[0] + largest_[1] * largest_[1] + flat);
    both_ = sums_[0].high * sums_[1].high;
    const auto is_positive = exponent_.high > Number(0);
    is_above_ = is_positive & (both_ > Number(0));
    minus_size_ = {select(is_positive, -exponent_.high, exponent_.high),
                   select(is_positive, -exponent_.low, exponent_.low)};
    decay_ = exp_multiple_of_sum(minus_size_);
    const Number decay = decay_.count * decay_.unit;
    odds_ = select(is_above_, decay / both_, decay * both_);
    larger_ = Number(1) / (Number(1) + odds_);
  }

  INLINE Number value() const {
    const Number decay = decay_.count * decay_.unit;
    const Number above = rounded(exponent_ + log1p_sum((both_ - Number(1)) + decay));
    const Number below =
        select(decay_.unit < Number(1), decay_.count * both_, rounded(log1p_sum(odds_))) *
        decay_.unit;
    return select(both_ == both_, select(is_above_, above, below), both_);
  }

  /// With σ the slope of softplus and p an exponential's share of its side, the gradient is
  /// ±σp·2γw and the second derivative σp·2γ(1 + 2γw²(1 − σp)).
  template <unsigned wanted>
  INLINE void differentiate() const {
    const Similarities similarities = *this;  // in registers
    const Number smaller = odds_ * larger_;
    const Number sigma = select(is_above_, larger_, smaller);
    const Number against_sigma = select(is_above_, smaller, larger_);
    W to_share[2], to_slope[2], against_largest[2];
    for (int side = 0; side < 2; ++side) {
      const auto [own, lost] = sums_[side];
      const Number factor = select(is_above_, larger_ / own, larger_ * sums_[1 - side].high);
      const Number others = ((own - Number(1)) + lost) / own;
      to_share[side] = convert<W>(factor);
      to_slope[side] = convert<W>(row_.factor * (Number(2) * gamma_) * factor);
      against_largest[side] = convert<W>(fma(sigma, others, against_sigma));
    }
    const ExactSum<W> shift = {convert<W>(select(is_above_, Number(0), minus_size_.high)),
                               convert<W>(select(is_above_, Number(0), minus_size_.low))};
    const W steepness = convert<W>(Number(2) * gamma_);
    row_.for_each_vector([&](auto span, int) {
      const Pair pair = similarities.pair(span);
      const auto of_side = [&](const W* x) { return select(pair.is_of[0], x[0], x[1]); };
      const ExactSum<W> gap = similarities.below_largest(pair);
      const auto [share, unit] = exp_multiple_of_sum(gap + shift);
      const W scale = of_side(to_slope);
      const auto none = pair.is_left_out | (scale == W(0));
      if constexpr ((wanted & kGrad) != 0) {
        const W slope = (share * select(pair.is_of[0], -pair.w.high, pair.w.high)) * scale * unit;
        span.store(row_.grad[0], convert<V>(select(none | pair.has_no_slope, W(0), slope)));
      }
      if constexpr ((wanted & kHess) != 0) {
        const W against = select(gap.high == W(0), of_side(against_largest),
                                 W(1) - share * unit * of_side(to_share));
        const W bend = W(1) + masked_product(against, steepness * (pair.w.high * pair.w.high));
        const W hess = masked_product(share, bend) * scale * unit;
        span.store(row_.hess[0], convert<V>(select(none | pair.has_no_bend, W(0), hess)));
      }
    });
  }

 private:
  using Condition = decltype(W(0) == W(0));
  struct Pair {
    Condition is_of[2], is_left_out;  // a side, or neither
    Condition has_no_slope, has_no_bend;
    ExactSum<W> w;
  };
  INLINE Pair pair(auto span) const {
    const W s = convert<W>(span.load(row_.arguments[0], V(0)));
    const W target = convert<W>(span.load(row_.arguments[1], V(0.5)));
    const auto belongs = target > W(0.5), is_nan = target != target;
    const ExactSum<W> lack = less_than_one(s);
    const W away = select(is_nan, target, select(belongs, lack.high, s));
    const W least = convert<W>(-margin_);
    const auto has_no_slope = away <= least;
    const ExactSum<W> w = {select(has_no_slope, least, away),
                           select(belongs & (away > least), lack.low, W(0))};
    return {{belongs, (target < W(0.5)) | is_nan}, target == W(0.5), has_no_slope, away < least, w};
  }
  /// 1 − s, of floats to enough digits.
  INLINE static ExactSum<W> less_than_one(W s) {
    if constexpr (is_single<T>) return {W(1) - s, W(0)};
    const auto [high, low] = exact_difference(W(1), s);
    return {high, select(high - high == W(0), low, W(0))};
  }
  INLINE static ExactSum<W> size(ExactSum<W> w) {
    return {abs(w.high), select(w.high < W(0), -w.low, w.low)};
  }
  INLINE ExactSum<W> largest(const Pair& pair) const {
    return {select(pair.is_of[0], convert<W>(largest_[0].high), convert<W>(largest_[1].high)),
            select(pair.is_of[0], convert<W>(largest_[0].low), convert<W>(largest_[1].low))};
  }

  /// The largest |w| of each side, or 0.
  INLINE void find_largest() {
    const Similarities similarities = *this;
    ExactSum<W> found[2] = {{W(0), W(0)}, {W(0), W(0)}};
    row_.for_each_vector([&](auto span, int) {
      const Pair pair = similarities.pair(span);
      const ExactSum<W> x = size(pair.w);
      for (int side = 0; side < 2; ++side) {
        auto& [high, low] = found[side];
        const auto is_larger = (x.high > high) | ((x.high == high) & (x.low > low));
        const auto is_new = pair.is_of[side] & is_larger;
        high = select(is_new, x.high, high);
        low = select(is_new, x.low, low);
      }
    });
    const auto fold = [&](W x) {
      return row_.fold(x, [](auto a, auto b) { return a > b ? a : b; });
    };
    for (int side = 0; side < 2; ++side) {
      const auto [high, low] = found[side];
      const Number top = fold(high);
      const Number rest =
          fold(select(high == convert<W>(top), low, W(-Constants<double>::infinity)));
      largest_[side] = {top, rest};
    }
  }

  /// γ(w² − W²), which is 0 at the largest and just there.
  INLINE ExactSum<W> below_largest(const Pair& pair) const {
    const ExactSum<W> x = size(pair.w), top = largest(pair);
    const W gamma = convert<W>(gamma_);
    const auto is_largest = (x.high == top.high) & (x.low == top.low);
    ExactSum<W> gap = {gamma * ((x.high - top.high) * (x.high + top.high)), W(0)};
    if constexpr (!is_single<T>) {
      const ExactSum<W> minus_top = {-top.high, -top.low};
      gap = ExactSum<W>{gamma, W(0)} * ((x + minus_top) * (x + top));
    }
    return {select(is_largest, W(0), gap.high), select(is_largest, W(0), gap.low)};
  }

  INLINE void add_up() {
    const Similarities similarities = *this;
    typename Row::Sum sums[2];
    row_.for_each_vector([&](auto span, int position) {
      const Pair pair = similarities.pair(span);
      const auto [e, unit] = exp_multiple_of_sum(similarities.below_largest(pair));
      for (int side = 0; side < 2; ++side) {
        sums[side].add_product(select(pair.is_of[side], e, W(0)), unit, position);
      }
    });
    for (int side = 0; side < 2; ++side) sums_[side] = sums[side].total();
  }

  const Row& row_;
  Number gamma_, margin_;
  ExactSum<Number> largest_[2], sums_[2];
  ExactSum<Number> exponent_, minus_size_;     // x and −|x|
  decltype(Number(0) == Number(0)) is_above_;  // x > 0
  Multiple<Number> decay_;                     // exp(−|x|)
  Number both_;                                // S₀S₁
  Number odds_, larger_;  // the smaller of σ/(1 − σ) and its inverse; the larger of σ and 1 − σ
};

/// softplus(log Σ⁺ exp(h(1 − s)) + log Σ⁻ exp(h(s))), h(u) = γ(max(u, −m)² − m²): of the
/// similarities with what belongs to the anchor, whose target is above 1/2, and of those with what
/// does not.
struct Circle {
  static constexpr auto name = "circle";
  static constexpr int inputs = 1;
  static constexpr int targets = 1;
  static constexpr int parameters = 2;
  static constexpr double cost = 8;
  template <class T, unsigned wanted, class Row>
  INLINE static typename Row::Number term(const Row& row) {
    const Similarities<T, Row> similarities(row);
    if constexpr ((wanted & (kGrad | kHess)) != 0) similarities.template differentiate<wanted>();
    return similarities.value();
  }
};

using SimilarityLosses = LossList<Circle>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
