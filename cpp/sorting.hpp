// SPDX-License-Identifier: BSD-3-Clause
// The order of elements by keys, for the drivers of losses that sort or group them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace fastloss {

using std::ptrdiff_t;

/// A number's place among all others as an integer: −0 is 0, and NaN comes last.
inline std::int64_t place_of(double x) {
  constexpr std::int64_t last = INT64_MAX;
  if (x != x) return last;
  const auto bits = std::bit_cast<std::int64_t>(x + 0.0);
  return bits < 0 ? bits ^ last : bits;
}

/// An element and what it is sorted by.
struct Keyed {
  std::int64_t key;
  ptrdiff_t index;
};

/// Sorts by the keys, the lowest first; of equal ones, the lower index comes first, if it does so
/// beforehand. There is room for as many elements in `scratch`.
void sort(Keyed* elements, ptrdiff_t count, Keyed* scratch);

}  // namespace fastloss
