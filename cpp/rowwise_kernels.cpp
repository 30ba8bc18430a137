// SPDX-License-Identifier: BSD-3-Clause
// The row-wise family at one CPU level: rows in, a value per row and rows of derivatives out.
#include "kernels.hpp"
#include "losses/rowwise.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class T>
INLINE void fill_zeros(T* row, ptrdiff_t count) {
  __builtin_memset(row, 0, static_cast<std::size_t>(count) * sizeof(T));
}

template <class Loss, class T, unsigned wanted>
void run(const RowwiseTask<T>& task) {
  constexpr int row_targets = Loss::targets;
  Row<T> row;
  row.classes = task.classes;
  row.labelled = task.labels != nullptr;
  row.class_weight = task.class_weight;
  row.class_weight_sum = task.class_weight_sum;
  row.parameters = task.parameters;
  row.scratch = task.scratch;
  const int arguments = Loss::inputs + (row.labelled ? 0 : row_targets);
  for (ptrdiff_t r = 0; r < task.rows; ++r) {
    const double weight = task.weight != nullptr ? static_cast<double>(task.weight[r]) : 1;
    row.label = row.labelled ? task.labels[r] : 0;
    if constexpr ((wanted & kGrad) != 0) {
      for (int k = 0; k < Loss::inputs; ++k) row.grad[k] = task.grad[k][r];
    }
    if constexpr ((wanted & kHess) != 0) {
      for (int k = 0; k < Loss::inputs; ++k) row.hess[k] = task.hess[k][r];
    }
    double value = 0;
    if (weight == 0 || (row.labelled && row.label == kIgnored)) {
      for (int k = 0; k < Loss::inputs; ++k) {
        if constexpr ((wanted & kGrad) != 0) fill_zeros(row.grad[k], task.classes);
        if constexpr ((wanted & kHess) != 0) fill_zeros(row.hess[k], task.classes);
      }
    } else {
      for (int k = 0; k < arguments; ++k) row.arguments[k] = task.arguments[k][r];
      row.next = task.arguments[0][r + 1 < task.rows ? r + 1 : r];
      row.factor = task.scale * weight;
      value = weight * Loss::template term<T, wanted>(row);
    }
    if constexpr ((wanted & kValue) != 0) task.value[r] = static_cast<T>(value);
  }
}

template <class Loss, int... calls>
constexpr RowwiseLoss entry_of(Numbers<calls...>) {
  return {{Loss::name, Loss::inputs, Loss::targets, Loss::parameters},
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

}  // namespace

constinit const RowwiseTable rowwise_table = {Entries<Rowwise>::entries, Entries<Rowwise>::count};

}  // namespace fastloss::FASTLOSS_LEVEL
