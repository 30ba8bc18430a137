// SPDX-License-Identifier: BSD-3-Clause
// Copies between rows that are contiguous and rows that lie side by side in memory, one element of
// each after the other, as they do along another axis than the last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "tile.hpp"

namespace fastloss {

using std::ptrdiff_t;

/// `rows` rows of `columns` numbers. Element (i, j) is contiguous[i·columns + j] on one side; on
/// the other it is i numbers behind the address side_by_side + j·stride, which is in bytes.
template <class T>
struct Transposition {
  ptrdiff_t rows, columns, stride;

  void to_contiguous(const char* side_by_side, T* contiguous) const {
    for_each_tile(
        side_by_side, [](const char* p) { __builtin_prefetch(p, 0); },
        [&](ptrdiff_t i, ptrdiff_t j) {
          transpose_tile<T>([&](ptrdiff_t k) { return side_by_side + place(i, j + k); },
                            [&](ptrdiff_t k) { return contiguous + (i + k) * columns + j; });
        },
        [&](ptrdiff_t i, ptrdiff_t j) {
          std::memcpy(contiguous + i * columns + j, side_by_side + place(i, j), sizeof(T));
        });
  }
  void to_side_by_side(const T* contiguous, char* side_by_side) const {
    for_each_tile(
        side_by_side, [](const char* p) { __builtin_prefetch(p, 1); },
        [&](ptrdiff_t i, ptrdiff_t j) {
          transpose_tile<T>([&](ptrdiff_t k) { return contiguous + (i + k) * columns + j; },
                            [&](ptrdiff_t k) { return side_by_side + place(i, j + k); });
        },
        [&](ptrdiff_t i, ptrdiff_t j) {
          std::memcpy(side_by_side + place(i, j), contiguous + i * columns + j, sizeof(T));
        });
  }

 private:
  static constexpr ptrdiff_t kTogether = 8;  // columns: as many lines as the first cache's ways
  static constexpr ptrdiff_t kLine = 64;

  ptrdiff_t place(ptrdiff_t i, ptrdiff_t j) const {
    return i * static_cast<ptrdiff_t>(sizeof(T)) + j * stride;
  }

  /// A few columns over all rows, then the next ones, which lie far away and are fetched meanwhile.
  template <class Fetch, class CopyTile, class CopyOne>
  void for_each_tile(const char* side_by_side, Fetch fetch, CopyTile copy_tile,
                     CopyOne copy_one) const {
    const ptrdiff_t whole_rows = rows - rows % kTile<T>;
    const ptrdiff_t bytes = rows * static_cast<ptrdiff_t>(sizeof(T));
    for (ptrdiff_t start = 0; start < columns; start += kTogether) {
      const ptrdiff_t end = std::min(columns, start + kTogether);
      const ptrdiff_t whole_end = end - (end - start) % kTile<T>;
      for (ptrdiff_t j = end; j < std::min(columns, end + kTogether); ++j) {
        for (ptrdiff_t byte = 0; byte < bytes; byte += kLine) {
          fetch(side_by_side + j * stride + byte);
        }
      }
      for (ptrdiff_t i = 0; i < whole_rows; i += kTile<T>) {
        for (ptrdiff_t j = start; j < whole_end; j += kTile<T>) copy_tile(i, j);
        for (ptrdiff_t j = whole_end; j < end; ++j) {
          for (ptrdiff_t k = 0; k < kTile<T>; ++k) copy_one(i + k, j);
        }
      }
      for (ptrdiff_t i = whole_rows; i < rows; ++i) {
        for (ptrdiff_t j = start; j < end; ++j) copy_one(i, j);
      }
    }
  }
};

}  // namespace fastloss
