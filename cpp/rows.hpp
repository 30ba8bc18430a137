// SPDX-License-Identifier: BSD-3-Clause
// A row of scores as the row-wise losses see it, and the way through it. For kernel files only.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"
#include "sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// One row, its target, and where its derivatives go. A result may lie in its argument's place, so
/// all that is needed of an element is read before its result is written.
template <class T>
struct Row {
  ptrdiff_t classes;
  const T* arguments[kMaxArguments];
  const T* next;  // the scores of the next row, for memory to fetch; never read
  bool labelled;
  std::int64_t label;
  const T* class_weight;  // null: every one is 1
  double class_weight_sum;
  const T* parameters;
  double factor;  // grad and hess are multiplied by it
  T* grad[kMaxInputs];
  T* hess[kMaxInputs];
  T* scratch;  // `classes` numbers
};

/// A whole vector of a row.
template <class T>
struct WholeSpan {
  ptrdiff_t start;
  INLINE Vec<T> load(const T* row, Vec<T>) const { return Vec<T>::load(row + start); }
  INLINE void store(T* row, Vec<T> v) const { v.store(row + start); }
  INLINE Vec<T> zero_beyond(Vec<T> v) const { return v; }
};

/// The last vector of a row: lanes beyond its end read as padding and are not written.
template <class T>
struct PartSpan {
  ptrdiff_t start;
  int count;
  INLINE Vec<T> load(const T* row, Vec<T> padding) const {
    return load_first(row + start, count, padding);
  }
  INLINE void store(T* row, Vec<T> v) const { store_first(row + start, count, v); }
  INLINE Vec<T> zero_beyond(Vec<T> v) const {
    T lanes[Vec<T>::lanes];
    v.store(lanes);
    return load_first(lanes, count, Vec<T>(0));
  }
};

/// body(span, position in the logical block) for each vector of a row, in order.
template <class T, class Body>
INLINE void for_each_vector(ptrdiff_t length, Body body) {
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t whole = length - length % kBlockLanes<T>;
  for (ptrdiff_t i = 0; i < whole; i += kBlockLanes<T>) {
    for (int position = 0; position < kVectorsPerBlock; ++position) {
      body(WholeSpan<T>{i + position * lanes}, position);
    }
  }
  for (int position = 0; position < kVectorsPerBlock; ++position) {
    const ptrdiff_t start = whole + position * lanes;
    if (start >= length) break;
    const ptrdiff_t count = length - start < lanes ? length - start : lanes;
    body(PartSpan<T>{start, static_cast<int>(count)}, position);
  }
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
