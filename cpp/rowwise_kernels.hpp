// SPDX-License-Identifier: BSD-3-Clause
// The row-wise family at one CPU level: rows in, a value per row and rows of derivatives out. For
// kernel files only, each of which makes the entry table of one list of losses.
#pragma once

#include "kernels.hpp"
#include "rows.hpp"
#include "tile.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class T>
INLINE bool is_ignored(const RowwiseTask<T>& task, ptrdiff_t r) {
  return (task.weight != nullptr && task.weight[r] == 0) ||
         (task.labels != nullptr && task.labels[r] == kIgnored);
}
template <class T>
INLINE double weight_of(const RowwiseTask<T>& task, ptrdiff_t r) {
  return task.weight != nullptr ? static_cast<double>(task.weight[r]) : 1;
}

template <class T>
INLINE void fill_zeros(T* row, ptrdiff_t count) {
  __builtin_memset(row, 0, static_cast<std::size_t>(count) * sizeof(T));
}

template <class Row, class T>
INLINE void describe(Row& rows, const RowwiseTask<T>& task) {
  rows.classes = task.classes;
  rows.labelled = task.labels != nullptr;
  rows.class_weight = task.class_weight;
  rows.class_weight_sum = task.class_weight_sum;
  rows.parameters = task.parameters;
}

/// How many of a loss's targets are a number per row.
template <class Loss>
constexpr int numbers_of() {
  if constexpr (requires { Loss::numbers; }) return Loss::numbers;
  return 0;
}

/// Row by row.
template <class Loss, class T, unsigned wanted>
void run_rows(const RowwiseTask<T>& task) {
  OneRow<T> row;
  describe(row, task);
  for (int k = 0; k < kScratchRows; ++k) row.scratch[k] = task.scratch + k * task.classes;
  const int row_arguments = Loss::inputs + (row.labelled ? 0 : Loss::targets);
  for (ptrdiff_t r = 0; r < task.rows; ++r) {
    for (int k = 0; k < Loss::inputs; ++k) {
      if constexpr ((wanted & kGrad) != 0) row.grad[k] = task.grad[k].lines[r];
      if constexpr ((wanted & kHess) != 0) row.hess[k] = task.hess[k].lines[r];
    }
    double value = 0;
    if (is_ignored(task, r)) {
      for (int k = 0; k < Loss::inputs; ++k) {
        if constexpr ((wanted & kGrad) != 0) fill_zeros(row.grad[k], task.classes);
        if constexpr ((wanted & kHess) != 0) fill_zeros(row.hess[k], task.classes);
      }
    } else {
      const double weight = weight_of(task, r);
      for (int k = 0; k < row_arguments; ++k) row.arguments[k] = task.arguments[k].lines[r];
      for (int k = 0; k < numbers_of<Loss>(); ++k) {
        row.numbers[k] = task.numbers[Loss::inputs + Loss::targets + k][r];
      }
      row.label = row.labelled ? task.labels[r] : 0;
      const ptrdiff_t next = r + 1 < task.rows ? r + 1 : r;
      row.next_scores = task.arguments[0].lines[next];
      row.next_target = task.arguments[row_arguments - 1].lines[next];
      row.result = (wanted & kGrad) != 0   ? row.grad[0]
                   : (wanted & kHess) != 0 ? row.hess[0]
                                           : row.next_scores;
      row.factor = task.scale * weight;
      value = weight * Loss::template term<T, wanted>(row);
    }
    if constexpr ((wanted & kValue) != 0) task.value[r] = static_cast<T>(value);
  }
}

// ---- short rows: a bundle of them at a time, one in each lane -----------------------------------

template <class T>
struct Bundle {
  static constexpr int lanes = Vec<T>::lanes;
  ptrdiff_t classes;
  ptrdiff_t start;      // the first of the rows
  int count;            // how many there are
  bool ignored[lanes];  // those that are computed with zeros and get zeros
  bool any_ignored;

  /// A number per row, and beyond the last row padding.
  INLINE Vec<T> load(const T* numbers, Vec<T> padding) const {
    const T* p = numbers + start;
    return count == lanes ? Vec<T>::load(p) : load_first(p, count, padding);
  }
  /// Also 0 where a row is ignored.
  INLINE Vec<T> load_counted(const T* numbers) const {
    const Vec<T> all = load(numbers, Vec<T>(0));
    if (!any_ignored) return all;
    T kept[lanes];
    all.store(kept);
    for (int lane = 0; lane < lanes; ++lane) kept[lane] = ignored[lane] ? T(0) : kept[lane];
    return Vec<T>::load(kept);
  }
  INLINE void store(T* numbers, Vec<T> v) const {
    T* p = numbers + start;
    if (count == lanes) return v.store(p);
    store_first(p, count, v);
  }

  [[gnu::noinline]] void read(const RowArray<T>& from, T* bundle) const {
    if (from.by_class) {
      for (ptrdiff_t k = 0; k < classes; ++k) {
        __builtin_prefetch(from.lines[k] + start + kAhead);
        load(from.lines[k], Vec<T>(0)).store(bundle + k * lanes);
      }
    } else {
      T zeros[kShortRow];
      if (count < lanes) fill_zeros(zeros, classes);
      T* padded[lanes];
      T* const* rows = rows_of(from, zeros, padded);
      for_each_tile(
          [&](int lane, ptrdiff_t k) {
            transpose_tile<T>([&](int i) { return rows[lane + i] + k; },
                              [&](int i) { return bundle + (k + i) * lanes + lane; });
          },
          [&](int lane, ptrdiff_t k) { bundle[k * lanes + lane] = rows[lane][k]; });
    }
    clear_ignored(bundle);
  }
  [[gnu::noinline]] void write(T* bundle, const RowArray<T>& to) const {
    clear_ignored(bundle);
    if (to.by_class) {
      for (ptrdiff_t k = 0; k < classes; ++k) {
        __builtin_prefetch(to.lines[k] + start + kAhead, for_writing);
        store(to.lines[k], Vec<T>::load(bundle + k * lanes));
      }
      return;
    }
    T dropped[kShortRow];
    T* padded[lanes];
    T* const* rows = rows_of(to, dropped, padded);
    for_each_tile(
        [&](int lane, ptrdiff_t k) {
          transpose_tile<T>([&](int i) { return bundle + (k + i) * lanes + lane; },
                            [&](int i) { return rows[lane + i] + k; });
        },
        [&](int lane, ptrdiff_t k) { rows[lane][k] = bundle[k * lanes + lane]; });
  }

 private:
  /// Classes lie far from each other: of each, what is read or written so many rows later is
  /// fetched.
  static constexpr ptrdiff_t kAhead = 4 * lanes;
  static constexpr int for_writing = 1;

  /// The addresses of the rows, and that of another one for those beyond the last.
  INLINE T* const* rows_of(const RowArray<T>& array, T* beyond, T** padded) const {
    T* const* rows = array.lines + start;
    if (count == lanes) return rows;
    for (int lane = 0; lane < lanes; ++lane) padded[lane] = lane < count ? rows[lane] : beyond;
    return padded;
  }
  INLINE void clear_ignored(T* bundle) const {
    if (!any_ignored) return;
    for (int lane = 0; lane < lanes; ++lane) {
      if (!ignored[lane]) continue;
      for (ptrdiff_t k = 0; k < classes; ++k) bundle[k * lanes + lane] = 0;
    }
  }
  /// The last tile of a row overlaps the one before it, so as to end with the row.
  INLINE void for_each_tile(auto copy_tile, auto copy_one) const {
    for (int lane = 0; lane < lanes; lane += kTile<T>) {
      if (classes < kTile<T>) {
        for (ptrdiff_t k = 0; k < classes; ++k) {
          for (int i = 0; i < kTile<T>; ++i) copy_one(lane + i, k);
        }
        continue;
      }
      const ptrdiff_t last = classes - kTile<T>;
      for (ptrdiff_t k = 0; k < last; k += kTile<T>) copy_tile(lane, k);
      copy_tile(lane, last);
    }
  }
};

template <class Loss, class T, unsigned wanted>
void run_bundles(const RowwiseTask<T>& task) {
  constexpr int lanes = Vec<T>::lanes;
  constexpr int inputs = Loss::inputs;
  using Number = typename RowPerLane<T>::Number;
  alignas(64) T arguments[inputs + Loss::targets][kShortRow * lanes];
  alignas(64) T grad[inputs][kShortRow * lanes], hess[inputs][kShortRow * lanes];
  alignas(64) T scratch[kScratchRows][kShortRow * lanes];
  RowPerLane<T> rows;
  describe(rows, task);
  for (int k = 0; k < inputs; ++k) rows.grad[k] = grad[k];
  for (int k = 0; k < inputs; ++k) rows.hess[k] = hess[k];
  for (int k = 0; k < kScratchRows; ++k) rows.scratch[k] = scratch[k];
  const int row_arguments = inputs + (rows.labelled ? 0 : Loss::targets);

  for (ptrdiff_t start = 0; start < task.rows; start += lanes) {
    const int count = task.rows - start < lanes ? static_cast<int>(task.rows - start) : lanes;
    Bundle<T> bundle = {task.classes, start, count, {}, false};
    Vec<T> weights(1);
    if (task.weight != nullptr) {
      weights = bundle.load(task.weight, weights);
      bundle.any_ignored = any(weights == Vec<T>(0));
    }
    for (int lane = 0; lane < lanes; ++lane) {
      rows.label[lane] = rows.labelled && lane < count ? task.labels[start + lane] : 0;
      bundle.any_ignored |= rows.label[lane] == kIgnored;
    }
    if (bundle.any_ignored) {
      T weight[lanes];
      weights.store(weight);
      for (int lane = 0; lane < lanes; ++lane) {
        bundle.ignored[lane] = weight[lane] == 0 || rows.label[lane] == kIgnored;
        if (!bundle.ignored[lane]) continue;
        weight[lane] = 0;
        rows.label[lane] = 0;
      }
      weights = Vec<T>::load(weight);
    }
    const auto weight = convert<Number>(weights);
    rows.factor = Number(task.scale) * weight;
    for (int k = 0; k < numbers_of<Loss>(); ++k) {
      rows.numbers[k] = bundle.load_counted(task.numbers[inputs + Loss::targets + k]);
    }
    for (int k = 0; k < row_arguments; ++k) {
      bundle.read(task.arguments[k], arguments[k]);
      rows.arguments[k] = arguments[k];
    }
    const auto value = Loss::template term<T, wanted>(rows);
    if constexpr ((wanted & kValue) != 0) {
      bundle.store(task.value, convert<Vec<T>>(masked_product(weight, value)));
    }
    for (int k = 0; k < inputs; ++k) {
      if constexpr ((wanted & kGrad) != 0) bundle.write(grad[k], task.grad[k]);
      if constexpr ((wanted & kHess) != 0) bundle.write(hess[k], task.hess[k]);
    }
  }
}

/// Which length every row has, or 0.
template <class Loss>
constexpr int row_length_of() {
  if constexpr (requires { Loss::row_length; }) return Loss::row_length;
  return 0;
}

template <class Loss, class T, unsigned wanted>
void run(const RowwiseTask<T>& task) {
  constexpr bool always_short = row_length_of<Loss>() > 0;
  if constexpr (always_short) {
    static_assert(row_length_of<Loss>() <= kShortRow);
    run_bundles<Loss, T, wanted>(task);
  } else if (task.classes <= kShortRow) {
    run_bundles<Loss, T, wanted>(task);
  } else {
    run_rows<Loss, T, wanted>(task);
  }
}
/// How many labels there are beyond the number of scores.
template <class Loss>
constexpr int more_labels_of() {
  if constexpr (requires { Loss::more_labels; }) return Loss::more_labels;
  return 0;
}
/// What a loss says an element costs; few do.
template <class Loss>
constexpr double cost_of() {
  if constexpr (requires { Loss::cost; }) return Loss::cost;
  return 1;
}

template <class Loss, int... calls>
constexpr RowwiseLoss entry_of(Numbers<calls...>) {
  return {{Loss::name, Loss::inputs, Loss::targets + numbers_of<Loss>(), Loss::parameters},
          numbers_of<Loss>(),
          row_length_of<Loss>(),
          more_labels_of<Loss>(),
          cost_of<Loss>(),
          {&run<Loss, float, kCalls[calls]>...},
          {&run<Loss, double, kCalls[calls]>...}};
}

template <class Losses>
struct Entries;
template <class... Losses>
struct Entries<LossList<Losses...>> {
  static constexpr int count = sizeof...(Losses);
  static constexpr RowwiseLoss entries[] = {entry_of<Losses>(CountUp<kCallCount>::type{})...};
};

template <class Losses>
constexpr RowwiseTable kTable = {Entries<Losses>::entries, Entries<Losses>::count};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
