// SPDX-License-Identifier: BSD-3-Clause
// What formulas of pointwise losses are made of. A formula is a function of inputs, targets and
// parameters, in this order, that runs on vectors and on plain floats. What a caller does not want
// of the result costs nothing: the compiler removes it.
#pragma once

#include "../kernels.hpp"
#include "../math.hpp"
#include "../simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// (pred − target)/2, which is a number where pred − target is too large for one.
template <class T>
INLINE T half_difference(T pred, T target) {
  return T(0.5) * pred - T(0.5) * target;
}

/// A term and its first and second derivative with respect to each differentiable input.
template <class T, int inputs = 1>
struct Terms {
  T value;
  T grad[inputs];
  T hess[inputs];
};

/// A formula in double precision, rounded.
template <class... Numbers>
INLINE Terms<Vec<float>> terms_through_double(auto formula, Vec<float> first, Numbers... more) {
  const auto low = formula(widen(first).low, widen(more).low...);
  const auto high = formula(widen(first).high, widen(more).high...);
  return {.value = narrow({low.value, high.value}),
          .grad = {narrow({low.grad[0], high.grad[0]})},
          .hess = {narrow({low.hess[0], high.hess[0]})}};
}
template <class... Numbers>
INLINE Terms<float> terms_through_double(auto formula, float first, Numbers... more) {
  const auto wide = formula(static_cast<double>(first), static_cast<double>(more)...);
  return {.value = static_cast<float>(wide.value),
          .grad = {static_cast<float>(wide.grad[0])},
          .hess = {static_cast<float>(wide.hess[0])}};
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
