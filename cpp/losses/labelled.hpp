// SPDX-License-Identifier: BSD-3-Clause
// What formulas of rows with labels have in common.
#pragma once

#include "../math.hpp"
#include "../rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The class weight of a row's label.
template <class Row>
INLINE typename Row::Number weight_of_label(const Row& row) {
  using Number = typename Row::Number;
  return row.class_weight != nullptr ? convert<Number>(row.of_label(row.class_weight)) : Number(1);
}

/// Fills a row with one number.
template <class T, class Row>
INLINE void fill(const Row& row, T* to, typename Row::Number x) {
  const auto v = convert<Vec<T>>(x);
  row.for_each_vector([&](auto span, int) { span.store(to, v); });
}

/// x where it is finite, else 0: for the low part of a sum whose high part is not.
template <class T>
INLINE T finite_or_zero(T x) {
  return select(x - x == T(0), x, T(0));
}

/// x in two numbers of another type.
template <class To, class Row>
INLINE ExactSum<To> split(ExactSum<typename Row::Number> x) {
  const auto element = convert<typename Row::Element>(x.high);
  const auto high = convert<typename Row::Number>(element);
  return {convert<To>(element), convert<To>(finite_or_zero((x.high - high) + x.low))};
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
