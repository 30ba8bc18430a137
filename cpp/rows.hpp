// SPDX-License-Identifier: BSD-3-Clause
// Rows of scores as the row-wise losses see them: a row whose classes lie across vectors, or a
// bundle of short rows, one in each lane. A formula is written once for both. For kernel files
// only.
#pragma once

#include "kernels.hpp"
#include "sums.hpp"
#include "widened.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// What both have in common. A formula returns the term's value and writes row.factor times its
/// derivatives. A result may lie in its argument's place, so all that is needed of an
/// element is read before its result is written.
template <class T>
struct Rows {
  ptrdiff_t classes;
  const T* arguments[kMaxArguments];
  bool labelled;
  const T* class_weight;  // null: every one is 1
  double class_weight_sum;
  const T* parameters;
  T* grad[kMaxInputs];
  T* hess[kMaxInputs];
  T* scratch[kScratchRows];  // as large as an argument
};

/// What memory is to fetch while vectors are computed, so that it does not wait for them.
enum class Fetch { nothing, next_target, next_scores_and_result };

/// The largest score; a NaN is passed over, and -inf is the answer where there is nothing else.
template <class Row, class T>
INLINE typename Row::Element largest(const Row& row, const T* scores) {
  const Vec<T> lowest(-__builtin_inf());
  Vec<T> peak = lowest, other = lowest;  // so that one need not wait for the other
  row.template for_each_pair<Fetch::nothing>([&](auto first, auto second, int) {
    peak = max(first.load(scores, lowest), peak);
    other = max(second.load(scores, lowest), other);
  });
  return row.fold(max(other, peak), [](auto a, auto b) { return a > b ? a : b; });
}

// ---- one row --------------------------------------------------------------------------------

/// A whole vector of a row.
template <class T>
struct WholeSpan {
  ptrdiff_t start;
  INLINE Vec<T> load(const T* row, Vec<T>) const { return Vec<T>::load(row + start); }
  INLINE Vec<T> of_classes(const T* weights) const { return Vec<T>::load(weights + start); }
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
  INLINE Vec<T> of_classes(const T* weights) const { return load(weights, Vec<T>(0)); }
  INLINE void store(T* row, Vec<T> v) const { store_first(row + start, count, v); }
  INLINE Vec<T> zero_beyond(Vec<T> v) const {
    T lanes[Vec<T>::lanes];
    v.store(lanes);
    return load_first(lanes, count, Vec<T>(0));
  }
};

/// body(span, position in the logical block) for each vector of contiguous numbers, in order.
template <class T>
INLINE void for_each_vector_of(ptrdiff_t length, auto body) {
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

template <class T>
struct OneRow : Rows<T> {
  using Element = T;      // what there is one of per row
  using Number = double;  // the same, in double precision
  using Sum = InnerSum<T>;

  T numbers[kMaxArguments];  // of the targets that are one per row
  std::int64_t label;
  double factor;  // grad and hess are multiplied by it
  // For memory to fetch, never read: the scores and the target of the next row, and where the
  // first result of this one will be written.
  const T *next_scores, *next_target, *result;

  INLINE void for_each_vector(auto body) const { for_each_vector_of<T>(this->classes, body); }
  /// body(first, second, position) for each two vectors that are a logical block apart.
  template <Fetch fetched>
  INLINE void for_each_pair(auto body) const {
    constexpr int lanes = Vec<T>::lanes;
    constexpr ptrdiff_t half = kBlockLanes<T>;
    const ptrdiff_t whole = this->classes - this->classes % (2 * half);
    for (ptrdiff_t i = 0; i < whole; i += 2 * half) {
      fetch<fetched>(i);
      fetch<fetched>(i + half);
      for (int position = 0; position < kVectorsPerBlock; ++position) {
        const ptrdiff_t start = i + position * lanes;
        body(WholeSpan<T>{start}, WholeSpan<T>{start + half}, position);
      }
    }
    if (whole == this->classes) return;
    const auto part = [&](ptrdiff_t start) {
      const ptrdiff_t count = this->classes - start;
      return PartSpan<T>{start, static_cast<int>(count < 0 ? 0 : count < lanes ? count : lanes)};
    };
    for (int position = 0; position < kVectorsPerBlock; ++position) {
      const ptrdiff_t start = whole + position * lanes;
      body(part(start), part(start + half), position);
    }
  }
  template <class E>
  INLINE static E fold(Vec<E> v, auto op) {
    return FASTLOSS_LEVEL::fold(v, op);
  }
  INLINE static double fold(Widened v, auto op) {
    return fold(Vec<double>(op(v.low.raw, v.high.raw)), op);
  }
  INLINE T at_label(const T* row) const { return row[label]; }
  INLINE T of_label(const T* weights) const { return weights[label]; }
  INLINE void put_at_label(T* row, double x) const { row[label] = static_cast<T>(x); }

 private:
  /// Rows of at most so many bytes, and what is made of them, fit into the first cache.
  static constexpr ptrdiff_t kNear = 8192;

  template <Fetch fetched>
  INLINE void fetch(ptrdiff_t i) const {
    constexpr int for_reading = 0, for_writing = 1, second_cache = 2;
    if constexpr (fetched == Fetch::next_target) {
      __builtin_prefetch(next_target + i, for_reading, second_cache);
    }
    if constexpr (fetched == Fetch::next_scores_and_result) {
      __builtin_prefetch(next_scores + i, for_reading, second_cache);
      if (this->classes * static_cast<ptrdiff_t>(sizeof(T)) <= kNear) {
        __builtin_prefetch(result + i, for_writing);
      } else {
        __builtin_prefetch(result + i, for_reading, second_cache);
      }
    }
  }
};

// ---- a row in each lane ---------------------------------------------------------------------

/// The scores of one class.
template <class T>
struct ClassSpan {
  ptrdiff_t number;
  INLINE Vec<T> load(const T* rows, Vec<T>) const {
    return Vec<T>::load(rows + number * Vec<T>::lanes);
  }
  INLINE Vec<T> of_classes(const T* weights) const { return Vec<T>(weights[number]); }
  INLINE void store(T* rows, Vec<T> v) const { v.store(rows + number * Vec<T>::lanes); }
  INLINE Vec<T> zero_beyond(Vec<T> v) const { return v; }
};

/// No class at all.
template <class T>
struct NoSpan {
  INLINE Vec<T> load(const T*, Vec<T> padding) const { return padding; }
  INLINE Vec<T> of_classes(const T*) const { return Vec<T>(0); }
  INLINE void store(T*, Vec<T>) const {}
  INLINE Vec<T> zero_beyond(Vec<T>) const { return Vec<T>(0); }
};

/// Short rows: every array has the first class of all rows, then the second, and so on.
template <class T>
struct RowPerLane : Rows<T> {
  using Element = Vec<T>;
  using Number = typename Doubles<Vec<T>>::type;
  using Sum = InnerSumPerLane<Number>;

  Vec<T> numbers[kMaxArguments];
  std::int64_t label[Vec<T>::lanes];
  Number factor;

  INLINE void for_each_vector(auto body) const {
    for (ptrdiff_t k = 0; k < this->classes; ++k) body(ClassSpan<T>{k}, 0);
  }
  template <Fetch>
  INLINE void for_each_pair(auto body) const {
    ptrdiff_t k = 0;
    for (; k + 1 < this->classes; k += 2) body(ClassSpan<T>{k}, ClassSpan<T>{k + 1}, 0);
    if (k < this->classes) body(ClassSpan<T>{k}, NoSpan<T>{}, 0);
  }
  INLINE static auto fold(auto v, auto) { return v; }
  INLINE Vec<T> at_label(const T* rows) const {
    return each_lane([&](int lane) { return rows[place(lane)]; });
  }
  INLINE Vec<T> of_label(const T* weights) const {
    return each_lane([&](int lane) { return weights[label[lane]]; });
  }
  INLINE void put_at_label(T* rows, Number x) const {
    T lanes[Vec<T>::lanes];
    convert<Vec<T>>(x).store(lanes);
    for (int lane = 0; lane < Vec<T>::lanes; ++lane) rows[place(lane)] = lanes[lane];
  }

 private:
  INLINE ptrdiff_t place(int lane) const { return label[lane] * Vec<T>::lanes + lane; }
  INLINE static Vec<T> each_lane(auto f) {
    T lanes[Vec<T>::lanes];
    for (int lane = 0; lane < Vec<T>::lanes; ++lane) lanes[lane] = f(lane);
    return Vec<T>::load(lanes);
  }
};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
