// SPDX-License-Identifier: BSD-3-Clause
#include <type_traits>

#include "blocks.hpp"

namespace fastloss {
namespace {

// Rows that a kernel takes at once: so many that gathering along another axis reads several
// adjacent cache lines at a time, but no more scores than the second cache holds.
constexpr ptrdiff_t kRows = 64;
constexpr ptrdiff_t kScores = 65536;
ptrdiff_t rows_at_once(ptrdiff_t classes) {
  return std::clamp<ptrdiff_t>(kScores / classes, 1, kRows);
}
// What a row costs, in elements of a simple loss.
template <class T>
double cost_of_row(const RowwiseCall& call) {
  const ptrdiff_t classes = call.classes;
  const double count = call.loss->cost * static_cast<double>(classes);
  return classes <= kShortRow ? 40 + work_of<T>(4 * count) : 150 + work_of<T>(1.5 * count);
}
// Rows whose labels and weights are looked at together.
constexpr ptrdiff_t kLabels = 2048;

template <class T>
RowwiseKernel<T> kernel_of(const RowwiseCall& call) {
  if constexpr (std::is_same_v<T, float>) {
    return call.loss->float_kernels[call.call];
  } else {
    return call.loss->double_kernels[call.call];
  }
}

// Rows or classes that a kernel takes at once.
constexpr ptrdiff_t kLines = std::max(kRows, kShortRow);

/// An array with a row per term: in place, or through a slice of scratch.
struct RowStream {
  const Sequence* sequence = nullptr;
  int slice = -1;
  bool by_class = false;  // short rows that lie side by side: a kernel takes them so
};

/// Lines of a sequence, which are its rows, or, transposed, its classes.
struct Lines {
  const Sequence& sequence;
  ptrdiff_t first, count, length;
  bool by_class;

  template <class T>
  bool are_in_place() const {
    return sequence.has_contiguous_rows<T>();
  }
  template <class T>
  void gather(T* to) const {
    sequence.gather(first * length, count * length, to);
  }
  template <class T>
  void scatter(const T* from) const {
    sequence.scatter(from, first * length, count * length);
  }
};

ptrdiff_t label_count(const RowwiseCall& call) { return call.classes + call.loss->more_labels; }

bool ignored(const RowwiseCall& call, std::int64_t label) {
  return call.ignore_index != nullptr && label == *call.ignore_index;
}

}  // namespace

template <class T>
double run(const RowwiseCall& call) {
  const Signature& signature = call.loss->signature;
  const int inputs = signature.inputs;
  const int all_arguments = inputs + signature.targets;
  const int row_arguments = all_arguments - call.loss->numbers;
  const bool labelled = call.labels != nullptr;  // then the first target is no row
  const unsigned wanted = kCalls[call.call];
  const ptrdiff_t classes = call.classes;

  int slices = 0;
  const auto stream = [&](const Sequence* sequence) {
    if (sequence->has_contiguous_rows<T>()) return RowStream{sequence};
    return RowStream{sequence, slices++, classes <= kShortRow && sequence->has_runs_side_by_side()};
  };
  RowStream arguments[kMaxArguments], grad[kMaxInputs], hess[kMaxInputs];
  const auto is_row = [&](int k) { return k < row_arguments && !(labelled && k == inputs); };
  for (int k = 0; k < row_arguments; ++k) {
    if (is_row(k)) arguments[k] = stream(call.arguments[k]);
  }
  for (int k = 0; k < inputs; ++k) {
    if (wanted & kGrad) grad[k] = stream(call.grad[k]);
    if (wanted & kHess) hess[k] = stream(call.hess[k]);
  }

  const Team team = team_for(static_cast<double>(call.rows) * cost_of_row<T>(call));
  const ptrdiff_t block = rows_at_once(classes);
  const Scratch<T> packed(team.threads, slices, classes * std::min(block, call.rows));
  const Scratch<T> scratch(team.threads, 1, kScratchRows * classes);
  const ptrdiff_t labels_end = label_count(call);
  const Scratch<T> class_weight(call.class_weight != nullptr, 1, labels_end);
  double class_weight_sum = static_cast<double>(labels_end);
  if (call.class_weight != nullptr) {
    Sum sum;
    T* rounded = class_weight.slice(0, 0);
    for (ptrdiff_t k = 0; k < labels_end; ++k) {
      rounded[k] = static_cast<T>(call.class_weight[k]);
      accumulate(sum, {static_cast<double>(rounded[k]), 0});
    }
    class_weight_sum = total_of(sum);
  }
  T parameters[kMaxParameters];
  for (int k = 0; k < signature.parameters; ++k) {
    parameters[k] = static_cast<T>(call.parameters[k]);
  }
  const RowwiseKernel<T> kernel = kernel_of<T>(call);

  const auto run_rows = [&](ptrdiff_t start, ptrdiff_t count, int thread, T* value) {
    const auto with_lines = [&](const RowStream& s, auto act) {
      Sequence transposed;
      if (s.by_class && s.sequence->transpose(start, count, transposed)) {
        act(Lines{transposed, 0, classes, count, true});
      } else {
        act(Lines{*s.sequence, start, count, classes, false});
      }
    };
    T* addresses[kMaxArguments + 2 * kMaxInputs][kLines];
    int used = 0;
    const auto place = [&](const RowStream& s, bool is_read) {
      T** address = addresses[used++];
      RowArray<T> array = {address, false};
      with_lines(s, [&](const Lines& lines) {
        array.by_class = lines.by_class;
        if (lines.are_in_place<T>()) return lines.sequence.rows(lines.first, lines.count, address);
        T* scratch_lines = packed.slice(thread, s.slice);
        for (ptrdiff_t i = 0; i < lines.count; ++i) address[i] = scratch_lines + i * lines.length;
        if (is_read) lines.gather(scratch_lines);
      });
      return array;
    };
    const auto finish = [&](const RowStream& s) {
      if (s.slice < 0) return;
      with_lines(s, [&](const Lines& lines) {
        if (!lines.are_in_place<T>()) lines.scatter(packed.slice(thread, s.slice));
      });
    };

    RowwiseTask<T> task;
    task.rows = count;
    task.classes = classes;
    for (int k = 0; k < row_arguments; ++k) {
      if (is_row(k)) task.arguments[k] = place(arguments[k], true);
    }
    T numbers[kMaxArguments][kRows];
    for (int k = row_arguments; k < all_arguments; ++k) {
      call.arguments[k]->gather(start, count, numbers[k]);
      task.numbers[k] = numbers[k];
    }
    std::int64_t labels[kRows];
    task.labels = nullptr;
    if (labelled) {
      call.labels->gather(start, count, labels);
      for (ptrdiff_t r = 0; r < count; ++r) {
        if (ignored(call, labels[r])) labels[r] = kIgnored;
      }
      task.labels = labels;
    }
    T weight[kRows];
    task.weight = nullptr;
    if (call.weight != nullptr) {
      call.weight->gather(start, count, weight);
      task.weight = weight;
    }
    task.class_weight = call.class_weight != nullptr ? class_weight.slice(0, 0) : nullptr;
    task.class_weight_sum = class_weight_sum;
    task.parameters = parameters;
    task.scale = call.scale;
    task.value = value;
    for (int k = 0; k < inputs; ++k) {
      if (wanted & kGrad) task.grad[k] = place(grad[k], false);
      if (wanted & kHess) task.hess[k] = place(hess[k], false);
    }
    task.scratch = scratch.slice(thread, 0);
    kernel(task);
    for (int k = 0; k < inputs; ++k) {
      if (wanted & kGrad) finish(grad[k]);
      if (wanted & kHess) finish(hess[k]);
    }
  };

  return total_of(
      sum_over_blocks(call.rows, block, team, [&](ptrdiff_t start, ptrdiff_t count, int thread) {
        T value[kRows];
        run_rows(start, count, thread, value);
        Sum sum;
        if ((wanted & kValue) != 0 && call.value != nullptr) {
          call.value->scatter(value, start, count);
        } else if ((wanted & kValue) != 0) {
          for (ptrdiff_t r = 0; r < count; ++r) {
            accumulate(sum, {static_cast<double>(value[r]), 0});
          }
        }
        return sum;
      }));
}

ptrdiff_t find_bad_label(const RowwiseCall& call) {
  std::int64_t labels[kLabels];
  const ptrdiff_t labels_end = label_count(call);
  for (ptrdiff_t start = 0; start < call.rows; start += kLabels) {
    const ptrdiff_t count = std::min(kLabels, call.rows - start);
    call.labels->gather(start, count, labels);
    for (ptrdiff_t r = 0; r < count; ++r) {
      const bool inside = labels[r] >= 0 && labels[r] < labels_end;
      if (!inside && !ignored(call, labels[r])) return start + r;
    }
  }
  return -1;
}

template <class T>
double weight_sum(const RowwiseCall& call) {
  const auto dot = sum_kernel<T>(*call.level);
  const ptrdiff_t classes = call.classes;
  const Sequence& target = *call.arguments[call.loss->signature.inputs];
  const bool labelled = call.labels != nullptr;
  const bool in_place = labelled || target.has_contiguous_rows<T>();
  const Team team = team_for(static_cast<double>(call.rows) *
                             (labelled ? 4 : work_of<T>(static_cast<double>(classes))));
  const Scratch<T> packed(team.threads, !in_place, classes);
  const ptrdiff_t labels_end = label_count(call);
  const Scratch<T> class_weight(call.class_weight != nullptr, 1, labels_end);
  if (call.class_weight != nullptr) {
    std::transform(call.class_weight, call.class_weight + labels_end, class_weight.slice(0, 0),
                   [](double x) { return static_cast<T>(x); });
  }
  const T* weights = call.class_weight != nullptr ? class_weight.slice(0, 0) : nullptr;

  return total_of(
      sum_over_blocks(call.rows, kLabels, team, [&](ptrdiff_t start, ptrdiff_t count, int thread) {
        std::int64_t labels[kLabels];
        T weight[kLabels];
        if (labelled) call.labels->gather(start, count, labels);
        if (call.weight != nullptr) call.weight->gather(start, count, weight);
        Sum sum;
        for (ptrdiff_t r = 0; r < count; ++r) {
          if (labelled && ignored(call, labels[r])) continue;
          const double w = call.weight != nullptr ? static_cast<double>(weight[r]) : 1;
          if (w == 0) continue;
          double mass = 1;
          if (labelled) {
            if (weights != nullptr) mass = static_cast<double>(weights[labels[r]]);
          } else {
            const T* row;
            if (in_place) {
              row = target.row<T>(start + r);
            } else {
              target.gather((start + r) * classes, classes, packed.slice(thread, 0));
              row = packed.slice(thread, 0);
            }
            mass = total_of(dot(row, weights, classes));
          }
          accumulate(sum, {w * mass, 0});
        }
        return sum;
      }));
}

template double run<float>(const RowwiseCall&);
template double run<double>(const RowwiseCall&);
template double weight_sum<float>(const RowwiseCall&);
template double weight_sum<double>(const RowwiseCall&);

}  // namespace fastloss
