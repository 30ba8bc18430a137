// SPDX-License-Identifier: BSD-3-Clause
#include "sorting.hpp"

#include <algorithm>

namespace fastloss {
namespace {

// Digits of a key, from the lowest, by each of which a long sequence is sorted in turn.
constexpr int kDigits = 8;
constexpr int kRadix = 256;

// Elements below which comparing them takes less time than counting digits.
constexpr ptrdiff_t kFew = 512;

int digit_of(std::int64_t key, int digit) {
  const auto unsigned_key = static_cast<std::uint64_t>(key) ^ (std::uint64_t{1} << 63);
  return static_cast<int>(unsigned_key >> (8 * digit)) & (kRadix - 1);
}

}  // namespace

void sort(Keyed* elements, ptrdiff_t count, Keyed* scratch) {
  const auto is_before = [](const Keyed& a, const Keyed& b) { return a.key < b.key; };
  if (std::is_sorted(elements, elements + count, is_before)) return;
  if (count <= kFew) {
    std::sort(elements, elements + count, [](const Keyed& a, const Keyed& b) {
      return a.key < b.key || (a.key == b.key && a.index < b.index);
    });
    return;
  }
  ptrdiff_t counts[kDigits][kRadix] = {};
  for (ptrdiff_t i = 0; i < count; ++i) {
    for (int d = 0; d < kDigits; ++d) ++counts[d][digit_of(elements[i].key, d)];
  }
  Keyed *from = elements, *to = scratch;
  for (int d = 0; d < kDigits; ++d) {
    if (counts[d][digit_of(from[0].key, d)] == count) continue;  // all have the same one
    ptrdiff_t next[kRadix];
    for (ptrdiff_t digit = 0, sum = 0; digit < kRadix; sum += counts[d][digit++]) next[digit] = sum;
    for (ptrdiff_t i = 0; i < count; ++i) to[next[digit_of(from[i].key, d)]++] = from[i];
    std::swap(from, to);
  }
  if (from != elements) std::copy(from, from + count, elements);
}

}  // namespace fastloss
