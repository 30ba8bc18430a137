// SPDX-License-Identifier: BSD-3-Clause
// Formulas of pointwise losses of times to an event, of which no more than bounds may be known.
#pragma once

#include "../error_function.hpp"
#include "../exact_arithmetic.hpp"
#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// ---- what is known of a time --------------------------------------------------------------------

/// log t for t >= 0, to 2⁻⁶⁶ of it.
template <class T>
INLINE ExactSum<T> log_of_time(T t) {
  using C = Constants<ElementOf<T>>;
  const auto [n, f] = log_parts(t);
  const ExactSum<T> log = log_sum(n, f);
  return {log_with_edges(t, {log.high, T(0)}),
          select((t > T(0)) & (t < T(C::infinity)), log.low, T(0))};
}

/// (log_time − pred) / scale.
template <class T>
INLINE ExactSum<T> standardized(ExactSum<T> log_time, T pred, T scale) {
  const auto [difference, lost] = exact_sum(log_time.high, -pred);
  const auto [d, d_low] = exact_sum(difference, lost + log_time.low);
  const T high = select(d_low - d_low == T(0), d, difference) / scale;
  const T low = (remainder(d, high, scale) + d_low) / scale;
  return {high, select(low - low == T(0), low, T(0))};
}

/// The bounds of what a standardized error is: −inf and inf where a side is open.
template <class T>
struct Interval {
  ExactSum<T> from, to;
  T middle, width;  // (from + to) / 2 and to − from, to all digits
  T is_exact;       // 1 where both bounds are the same, and 0 elsewhere
  T log_unit;       // log(scale·t), where t is known exactly
};

template <class T>
INLINE Interval<T> interval_of(T pred, T lower, T upper, T scale) {
  using C = Constants<ElementOf<T>>;
  const T infinity(C::infinity), half(0.5);
  const auto swapped = lower > upper;
  const T given = select(swapped, upper, lower), last = select(swapped, lower, upper);
  const T first = select(given < T(0), T(0), given);
  const auto open_from = (first == T(0)) & (pred == pred);
  const auto open_to = (last == infinity) & (pred == pred);
  const ExactSum<T> log_first = log_of_time(first), log_last = log_of_time(last);

  Interval<T> interval;
  interval.is_exact = select(first == last, T(1), T(0));
  interval.from = standardized(log_first, pred, scale);
  interval.to = standardized(log_last, pred, scale);
  const auto [middle, lost] = exact_sum(half * interval.from.high, half * interval.to.high);
  const T low = fma(half, interval.from.low + interval.to.low, lost);
  interval.middle =
      select(first == last, interval.from.high, select(low - low == T(0), middle + low, middle));
  interval.middle = select(open_from, select(open_to, T(0), -infinity),
                           select(open_to, infinity, interval.middle));
  interval.from = {select(open_from, -infinity, interval.from.high),
                   select(open_from, T(0), interval.from.low)};
  interval.to = {select(open_to, infinity, interval.to.high),
                 select(open_to, T(0), interval.to.low)};
  const T ratio = select(last <= T(2) * first, log1p((last - first) / first),
                         (log_last.high - log_first.high) + (log_last.low - log_first.low));
  interval.width = ratio / scale;
  interval.log_unit = log(scale) + log_first.high;
  return interval;
}

/// −log of a likelihood, and its first and second derivative with respect to a standardized
/// prediction, which are over a unit where they would overflow or underflow.
template <class T>
struct Likelihood {
  T value, grad, hess;
  T unit = T(1);
};

/// log(1 − e⁻ˣ) for x >= 0.
template <class T>
INLINE T log_of_complement(T x) {
  const T far = log1p(-exp(-x)), near = log(-expm1(-x));
  return select(x > T(0.7), far, near);
}

/// eˣ·2ᵏ for −600 <= k <= 0.
template <class T>
INLINE T exp(ExactSum<T> x, T k = T(0)) {
  const T high = max(T(Constants<ElementOf<T>>::exp_zero), min(T(1400), x.high));
  const T n = nearest_power(high);
  const T low = select(high == x.high, x.low, T(0));
  return times_power_of_two(exp_reduced(ExactSum<T>{high, low}, n).high, n + k);
}

// ---- logistic -----------------------------------------------------------------------------------

/// 1 / (1 + e⁻ˣ) and log(1 + eˣ) of x and of −x.
template <class T>
struct LogisticSides {
  T cdf, survival, softplus, softplus_of_minus;
};
template <class T>
INLINE LogisticSides<T> logistic_sides(ExactSum<T> x) {
  const auto below = x.high < T(0);
  const T size = abs(x.high), low = select(below, -x.low, x.low);
  const T e = exp(ExactSum<T>{-size, -low});
  const T large = T(1) / (T(1) + e), small = e * large, log = log1p_unit(e);
  return {select(below, small, large), select(below, large, small), select(below, log, size + log),
          select(below, size + log, log)};
}

/// The mass between a and b is σ(b)·σ(−a)·(1 − e^(a − b)), and the density is as much without the
/// last factor.
template <class T>
[[gnu::noinline]] Likelihood<T> logistic_likelihood(const Interval<T>& interval) {
  const LogisticSides<T> from = logistic_sides(interval.from), to = logistic_sides(interval.to);
  const auto is_exact = interval.is_exact == T(1);
  const T unit = select(is_exact, interval.log_unit, -log_of_complement(interval.width));
  // σ(−b) − σ(a), a product without a difference.
  const T change = expm1(T(-2) * abs(interval.middle));
  const auto above = interval.middle > T(0);
  const T grad = select(above, from.cdf * to.cdf * change, -from.survival * to.survival * change);
  return {(to.softplus_of_minus + from.softplus) + unit, grad,
          from.cdf * from.survival + to.cdf * to.survival};
}

// ---- extreme ------------------------------------------------------------------------------------

/// (y coth y − 1) / y² for x = y² <= 1.
template <class T>
INLINE T coth_polynomial(T x) {
  // tools/polynomials.py: within 2^-53.4 of the result
  return polynomial(x, 0.3333333333333333, -0.022222222222217376, 0.002116402116233675,
                    -0.00021164020942640357, 2.1377784473129304e-05, -2.1643483666155834e-06,
                    2.1912937281368775e-07, -2.202558562574286e-08, 2.081622941624921e-09,
                    -1.4010857498311921e-10);
}

/// eˣ for −1 <= x <= 8, to 2⁻⁶⁴ of it.
template <class T>
INLINE ExactSum<T> exp_to_more_digits(ExactSum<T> x) {
  constexpr ElementOf<T> rounder =
      Constants<ElementOf<T>>::rounder + Float<ElementOf<T>>::exponent_bias;
  const T n = nearest_power(x.high);
  const auto parts = exp_parts(x, n);
  const ExactSum<T> r = ordered_sum(parts.head, parts.low);
  const ExactSum<T> square = r * r;
  const ExactSum<T> sixth = {T(0x1.5555555555555p-3), T(0x1.5555555555555p-57)};
  const ExactSum<T> cubic = square * r * sixth;
  // The later terms of Taylor's series.
  const T rest = square.high * square.high *
                 polynomial(r.high, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                            1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600,
                            1.0 / 6227020800, 1.0 / 87178291200, 1.0 / 1307674368000);
  const ExactSum<T> half = {T(0.5) * square.high, T(0.5) * square.low};
  const ExactSum<T> sum = r + (half + (cubic + ExactSum<T>{rest, T(0)}));
  const ExactSum<T> result = ExactSum<T>{T(1), T(0)} + sum;
  const T power = power_of_two<T>(to_bits(n + T(rounder)));
  return {result.high * power, result.low * power};
}

/// With A = eᵃ and B = eᵇ, the mass between a and b is e⁻ᴬ − e⁻ᴮ = e⁻ᴬ·(1 − e⁻ᴰ), D = B − A, and
/// the density is A·e⁻ᴬ.
template <class T>
[[gnu::noinline]] Likelihood<T> extreme_likelihood(const Interval<T>& interval) {
  using C = Constants<ElementOf<T>>;
  const auto [from, to, middle, width, exact, log_unit] = interval;
  const auto is_exact = exact == T(1);
  const T a = exp(from), b = exp(to);
  const auto is_large = from.high > T(700);  // a may be infinite where its part of unit is not
  // D; where e⁻ᴰ may be large beside A, to more digits.
  ExactSum<T> d = {select(is_exact, T(0), b * -expm1(-width)), T(0)};
  const auto is_tail = (to.high > T(0)) & (to.high < T(7)) & (width > T(1));
  if (any(is_tail)) {
    const ExactSum<T> precise = exp_to_more_digits<T>({max(T(-1), min(T(8), to.high)), to.low});
    const ExactSum<T> difference = precise + ExactSum<T>{-a, T(0)};
    d = {select(is_tail, difference.high, d.high), select(is_tail, difference.low, d.low)};
  }
  const auto [e_of_high, unit] = exp_multiple(-d.high);
  const T e = fma(-d.low, e_of_high, e_of_high);  // e⁻ᴰ, over its unit
  const T lost = -expm1(-d.high);
  const auto is_small = d.high < T(1);
  const T ratio = select(d.high > T(0), lost / d.high, T(1));
  const T log_d = to.high + (to.low + log_of_complement(width));
  const T small_value = T(0) - log(ratio) - log_d;
  const T large_value = select(unit == T(1), T(0) - log1p(-e), e * unit);
  const T mass_value = select(is_small, small_value, large_value);
  const T value = a + select(is_exact, log_unit - from.high, mass_value);

  // D / (eᴰ − 1) and its part in the second derivative.
  const T share = select(is_small, e / ratio, masked_product(e, d.high) / lost);
  const T y = T(0.5) * d.high, square = y * y;
  const T bend = select(d.high < T(2), fma(square, coth_polynomial(square), y),
                        fma(share, unit, d.high - T(1)));
  const T e_to_z = expm1(from.high);
  const T at_exact = fma(-(e_to_z + T(1)), from.low, -e_to_z);
  const T large = exp(from, select(is_large, T(-512), T(0)));
  return {select(a < T(C::infinity), value, a),
          select(is_large, -large, select(is_exact, at_exact, fma(share, unit, -a))),
          select(is_large, large, a + masked_product(share, bend) * unit),
          select(is_large, T(0x1p512), T(1))};
}

// ---- normal -------------------------------------------------------------------------------------

/// Mills's ratio R(x) = P(Y > x) / φ(x) of a normal Y for 0 <= x <= 0.5.
template <class T>
INLINE T mills_polynomial(T x) {
  // tools/polynomials.py: within 2^-53.6 of the result
  return polynomial_constant_last(x, 1.2533141373155003, -1.000000000000048, 0.6266570686619238,
                                  -0.33333333347541494, 0.15666426963918134, -0.06666669157774611,
                                  0.026110863880668893, -0.009524375527196271, 0.003264952999636581,
                                  -0.0010584108534589778, 0.00032181684419106666,
                                  -8.472500416685988e-05, 1.4064028988320409e-05);
}

/// ((y + 4)² (1 − y R(y)) − 64 (1 − 4 R(4))) / x for x = (y − 4) / (y + 4) and y >= 0.5.
template <class T>
INLINE T mills_slope_polynomial(T x) {
  // tools/polynomials.py: within 2^-58.5 of the result
  return polynomial_constant_last(
      x, -4.988360931375141, 4.313851553597913, -2.4757309012435256, 0.8514610658630026,
      -0.06106893350812375, -0.08967105653105267, 0.030028888229194108, 0.008221623641819966,
      -0.005744857617051789, -0.0010216587150753563, 0.0010355756398224573, 0.00021627500274316636,
      -0.0001856401464179572, -6.2104383526896e-05, 3.0006913810453702e-05, 1.8223588151343093e-05,
      -2.984802290377652e-06, -4.754667996069811e-06, -5.712446770607506e-07, 9.932494207768592e-07,
      5.135719228234912e-07, -1.6262811249176184e-07, -2.0873858036051576e-07,
      4.1792368409405056e-08, 4.461997355253761e-08, -1.423703990344158e-08);
}

constexpr double kMillsRest4 = 0x1.b55fed6ed221dp+1, kMillsRest4Low = 0x1.63aa1a36f5ac3p-53;
constexpr double kDensityAtZero = 0x1.9884533d43651p-2;  // 1/√(2π)
constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb5p-1;

/// Of a normal Y: Mills's ratio R(y), and the mean of Y − y where Y > y, for y >= 0.
template <class T>
struct NormalTail {
  T ratio, excess;
};
template <class T>
INLINE NormalTail<T> normal_tail(T given) {
  const T y = min(T(1e150), given);  // beyond, both are 1/y as far as anyone can tell
  const T near = mills_polynomial(y);
  // 1 − y R(y) = P(t) u² for u = 1 / (y + 4) and t = 1 − 8u, to more digits than a number has: what
  // rounding u and t has lost is put back by the derivatives, where these are not small.
  const T divisor = y + T(4);
  const T u = T(1) / divisor;
  const T u_error = fma(-u, y - (divisor - T(4)), remainder(T(1), u, divisor));
  const T eight_u = T(8) * u;
  const ExactSum<T> t = exact_sum(T(1), -eight_u);
  const ExactSum<T> product = exact_product(t.high, mills_slope_polynomial(t.high));
  ExactSum<T> p = exact_sum(T(kMillsRest4), product.high);
  p.low = p.low + (product.low + T(kMillsRest4Low));
  ExactSum<T> square = exact_product(u, u);
  square.low = fma(T(2) * square.high, u_error, square.low);
  ExactSum<T> rest = square * p;
  const T slope = fma(y, rest.high, (rest.high - T(1)) / y);
  const T by_t = divisor * fma(T(0.125) * divisor, slope, T(0.25) * rest.high);
  const T t_error = fma(-eight_u, u_error, t.low);
  rest.low = rest.low + select(y < T(4), t_error * by_t, T(0));
  const ExactSum<T> covered = ordered_sum(T(1), -rest.high);
  const T rounded_covered = covered.high + (covered.low - rest.low);
  const auto is_near = y < T(0.5);
  return {select(is_near, near, rounded_covered / y),
          select(is_near, fma(-y, near, T(1)) / near, rounded(rest) * y / rounded_covered)};
}

/// Where an interval is short, or its density does not change much: Gauss and Legendre's quadrature
/// with 12 points, of ∫ φ from c − h to c + h for h <= 1, ch <= 1 and c >= 0.
template <class T>
INLINE Likelihood<T> normal_near(T c, T h, T log_measure) {
  constexpr double points[] = {0.1252334085114689, 0.3678314989981802, 0.5873179542866175,
                               0.7699026741943047, 0.9041172563704749, 0.9815606342467192};
  constexpr double weights[] = {0.24914704581340277, 0.2334925365383548,  0.20316742672306592,
                                0.16007832854334622, 0.10693932599531843, 0.04717533638651183};
  T mass(1), slope(1), variance(0);
  if (any(h > T(0))) {
    const T p = select(h > T(0), c * h, T(0)), q = h * h;
    mass = T(0);
    T first(0), second(0);
    for (int i = 0; i < 6; ++i) {
      const T u(points[i]);
      const T rising = exp(p * u), falling = T(1) / rising;
      const T factor = T(0.5 * weights[i]) * exp(T(-0.5) * q * (u * u));
      const T sum = factor * (rising + falling);
      mass = mass + sum;
      first = fma(u * factor, rising - falling, first);
      second = fma(u * u, sum, second);
    }
    // The mean is c·sinh(p) / p·exp(−q/2) over the mass.
    const T square = p * p;
    const T sinh_ratio =
        polynomial(square, 1.0, 1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800,
                   1.0 / 6227020800, 1.0 / 1307674368000, 1.0 / 355687428096000);
    slope = sinh_ratio * exp(T(-0.5) * q) / mass;
    const T mean = first / mass;
    variance = q * (second / mass - mean * mean);
  }
  return {fma(T(0.5) * c, c, (T(kHalfLogTwoPi) - log(mass)) + log_measure), c * slope,
          T(1) - variance};
}

/// With the mass between a and b >= |a|, of which k = (b² − a²)/2: where a < 0, by what lies
/// outside, and elsewhere φ(a)·(R(a) − e⁻ᵏ·R(b)), which does not cancel for k >= 2.
template <class T>
INLINE Likelihood<T> normal_far(ExactSum<T> a, T b, T width, T k) {
  const NormalTail<T> at_a = normal_tail(abs(a.high)), at_b = normal_tail(b);
  const T e = exp(-k);
  const T e_width = masked_product(e, width), e_b = masked_product(e, b);

  const T ratio = e * (at_b.ratio / at_a.ratio);
  const T kept = T(1) - ratio;
  const T integral = at_a.ratio * kept;
  const T mean = (T(1) - e) / integral;
  const T excess = (at_a.excess - fma(ratio, at_b.excess, masked_product(ratio, width))) / kept;
  const Likelihood<T> one_side = {fma(T(0.5) * a.high, a.high, -log(T(kDensityAtZero) * integral)),
                                  max(a.high, mean), fma(mean, excess, e_width / integral)};

  // φ(a), over a unit where it is small.
  const auto [square, square_low] = exact_product(a.high, a.high);
  const T low = fma(T(0.5), square_low, a.high * a.low);
  const auto [rounded_count, unit] = exp_multiple(T(-0.5) * square);
  const T count = T(kDensityAtZero) *
                  select(low - low == T(0), fma(-low, rounded_count, rounded_count), rounded_count);
  const T outside = count * fma(e, at_b.ratio, at_a.ratio);
  const T covered = T(0.5) * (erf(T(kSqrtHalf) * abs(a.high)) + erf(T(kSqrtHalf) * b));
  const T density = count / covered;
  const T inner_mean = density * -expm1(-k);
  const T edges = masked_product(density, abs(a.high)) + density * e_b;
  const Likelihood<T> both_sides = {select(unit == T(1), T(0) - log1p(-outside), outside * unit),
                                    inner_mean, fma(inner_mean * unit, inner_mean, edges)};

  const auto is_above = a.high >= T(0);
  return {select(is_above, one_side.value, both_sides.value),
          select(is_above, one_side.grad, both_sides.grad),
          select(is_above, one_side.hess, both_sides.hess), select(is_above, T(1), unit)};
}

/// The derivatives are the mean of a normal number that lies between a and b, and 1 less its
/// variance.
template <class T>
[[gnu::noinline]] Likelihood<T> normal_likelihood(const Interval<T>& interval) {
  using C = Constants<ElementOf<T>>;
  const auto [from, to, middle, width, exact, log_unit] = interval;
  const auto is_exact = exact == T(1);
  const auto mirrored = middle < T(0);
  const ExactSum<T> a = {select(mirrored, -to.high, from.high),
                         select(mirrored, -to.low, from.low)};
  const T b = select(mirrored, -from.high, to.high);
  const T c = abs(middle);
  const T k = select(b == T(C::infinity), b, c * width);

  const auto is_wide = (a.high < T(0)) & (width >= T(1));
  const auto is_near = is_exact | ((k < T(2)) & ((a.high >= T(0)) | (width < T(1))));
  const auto is_far = (k >= T(2)) | is_wide;
  const T nan = T(0) * (middle + width);
  Likelihood<T> result = {nan, nan, nan, T(1)};
  const auto take = [&](auto here, const Likelihood<T>& some) {
    result = {select(here, some.value, result.value), select(here, some.grad, result.grad),
              select(here, some.hess, result.hess), select(here, some.unit, result.unit)};
  };
  if (any(is_far)) take(is_far, normal_far(a, b, width, k));
  if (any(is_near)) {
    const T h = select(is_near, T(0.5) * width, T(0));
    take(is_near, normal_near(c, h, select(is_exact, log_unit, -log(width))));
  }
  return {result.value, select(mirrored, result.grad, -result.grad),
          select(middle == middle, result.hess, middle), result.unit};
}

// ---- the loss -----------------------------------------------------------------------------------

/// −log of the likelihood of what is known of a time: log t = pred + scale·z, with z of a
/// distribution (0 normal, 1 logistic, 2 extreme), lies between the logarithms of two bounds, or is
/// both of them. Computed in double precision.
struct AcceleratedFailureTime {
  static constexpr auto name = "aft";
  static constexpr double cost = 20;
  static constexpr int parameters = 2;

  template <class T>
  INLINE static Terms<T> terms(T pred, T lower, T upper, T distribution, T scale) {
    if constexpr (is_single<T>) {
      return terms_through_double([](auto... x) { return terms(x...); }, pred, lower, upper,
                                  distribution, scale);
    } else {
      const Interval<T> interval = interval_of(pred, lower, upper, scale);
      Likelihood<T> result = {T(0), T(0), T(0)};
      if (any(distribution == T(0))) {
        result = normal_likelihood(interval);
      } else if (any(distribution == T(1))) {
        result = logistic_likelihood(interval);
      } else {
        result = extreme_likelihood(interval);
      }
      return {.value = result.value,
              .grad = {result.grad / scale * result.unit},
              .hess = {result.hess / scale / scale * result.unit}};
    }
  }
};

using Survival = LossList<AcceleratedFailureTime>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
