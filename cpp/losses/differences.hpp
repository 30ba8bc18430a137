// SPDX-License-Identifier: BSD-3-Clause
// pred − target where one number is not enough to say it.
#pragma once

#include "terms.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// Whether |r + lost| > threshold, for r + lost = pred − target and size = |r|.
template <class T>
INLINE auto is_beyond(ExactSum<T> difference, T size, T threshold) {
  const auto [r, lost] = difference;
  return (size > threshold) | ((size == threshold) & (copysign(T(1), r) * lost > T(0)));
}

/// |pred − target| − ε, and what rounding takes from it; 0 where it is negative.
template <class T>
struct Excess {
  T size, lost;
  T side;       // ±1, or 0 where the size is
  T curvature;  // 1, or 0 where the difference is less than ε
};
template <class T>
INLINE Excess<T> excess_over(T epsilon, T pred, T target) {
  const ExactSum<T> difference = exact_difference(pred, target);
  const T distance = abs(difference.high);
  const T outwards = copysign(T(1), difference.high) * correction(difference.low);
  const auto [high, low] = exact_difference(distance, epsilon);
  const auto at_edge = distance == epsilon;
  const auto beyond = (distance > epsilon) | (at_edge & (outwards > T(0)));
  const auto inside = (distance < epsilon) | (at_edge & (outwards < T(0)));
  const auto counts = beyond | (distance != distance);
  Excess<T> excess = {select(counts, high, T(0)), select(counts, correction(low) + outwards, T(0)),
                      select(counts, sign(difference.high), T(0)), select(inside, T(0), T(1))};
  const auto overflows = distance == T(Constants<ElementOf<T>>::infinity);
  if (any(overflows)) {  // the excess may still be a number
    const T half = abs(half_difference(pred, target)) - T(0.5) * epsilon;
    excess.size = select(overflows, T(2) * half, excess.size);
    excess.lost = select(overflows, T(0), excess.lost);
  }
  return excess;
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
