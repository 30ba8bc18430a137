// SPDX-License-Identifier: BSD-3-Clause
// Transposes squares of numbers in registers of 16 bytes, which every CPU has. Always inlined: no
// code of a CPU level leaves its object file.
#pragma once

#include <cstddef>

namespace fastloss {
namespace {

template <class T>
constexpr int kTile = 16 / static_cast<int>(sizeof(T));

/// Row k comes from the address from(k), and column k goes to the address to(k).
template <class T>
[[gnu::always_inline]] inline void transpose_tile(auto from, auto to) {
  typedef T Row [[gnu::vector_size(16)]];
  Row v[kTile<T>];
  for (int k = 0; k < kTile<T>; ++k) __builtin_memcpy(&v[k], from(k), sizeof(Row));
  if constexpr (kTile<T> == 4) {
    const Row a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const Row b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const Row c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const Row d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  } else {
    const Row a = __builtin_shufflevector(v[0], v[1], 0, 2);
    v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
    v[0] = a;
  }
  for (int k = 0; k < kTile<T>; ++k) __builtin_memcpy(to(k), &v[k], sizeof(Row));
}

}  // namespace
}  // namespace fastloss
