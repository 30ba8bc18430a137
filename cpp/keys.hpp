// SPDX-License-Identifier: BSD-3-Clause
// Sequences looked at one by one, and the places of keys, for the drivers that sort them.
#pragma once

#include <algorithm>

#include "drivers.hpp"
#include "sorting.hpp"

namespace fastloss {

/// body(index, element) for every element of a sequence, as one of type Element.
template <class Element, class Body>
void for_each(const Sequence& sequence, ptrdiff_t count, const Body& body) {
  constexpr ptrdiff_t at_once = 1024;
  Element block[at_once];
  for (ptrdiff_t start = 0; start < count; start += at_once) {
    const ptrdiff_t length = std::min(at_once, count - start);
    sequence.gather(start, length, block);
    for (ptrdiff_t i = 0; i < length; ++i) body(start + i, block[i]);
  }
}

/// body(index, place among all keys, whether it is NaN) for every key.
template <class Body>
void for_each_key(const Keys& keys, ptrdiff_t count, const Body& body) {
  if (keys.kind == Keys::numbers) {
    for_each<double>(*keys.sequence, count,
                     [&](ptrdiff_t i, double key) { body(i, place_of(key), key != key); });
  } else {
    const std::int64_t lowest = keys.kind == Keys::unsigned_integers ? INT64_MIN : 0;
    for_each<std::int64_t>(*keys.sequence, count,
                           [&](ptrdiff_t i, std::int64_t key) { body(i, key ^ lowest, false); });
  }
}

}  // namespace fastloss
