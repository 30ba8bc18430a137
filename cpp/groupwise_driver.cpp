// SPDX-License-Identifier: BSD-3-Clause
#include <limits>

#include "blocks.hpp"
#include "keys.hpp"

namespace fastloss {
namespace {

// What a pair of elements costs, in elements of a simple loss.
constexpr double kPair = 20;
// Elements of a group that are paired with all others in most losses.
constexpr double kPaired = 32;

/// The slices of a thread's scratch, each as long as the longest group.
enum Slice {
  pred,
  target,
  best_target,
  grad,
  hess,
  scratch,
  kSlices = scratch + kGroupwiseScratch
};

/// The elements of a call group by group: where there are none, there is no result.
struct Elements {
  const Sequence *pred, *target, *grad, *hess;
};

/// Sorts elements by place(index), the largest first.
template <class Place>
void sort_down(Keyed* elements, ptrdiff_t count, Keyed* spare, const Place& place) {
  for (ptrdiff_t i = 0; i < count; ++i) elements[i].key = ~place(elements[i].index);
  sort(elements, count, spare);
}

/// body(start, end) for each run of elements that are the same.
template <class Same, class Body>
void for_each_run(ptrdiff_t count, const Same& same, const Body& body) {
  for (ptrdiff_t start = 0, end = 0; start < count; start = end) {
    do ++end;
    while (end < count && same(start, end));
    body(start, end);
  }
}

template <class T>
double run_in_order(const GroupwiseCall& call, const Elements& all) {
  const GroupwiseLoss& loss = *call.loss;
  const std::vector<ptrdiff_t>& starts = call.groups->starts;
  const ptrdiff_t groups = static_cast<ptrdiff_t>(starts.size()) - 1;
  const auto start_of = [&](ptrdiff_t group) { return starts[static_cast<std::size_t>(group)]; };
  ptrdiff_t longest = 0;
  double work = 0;
  for (ptrdiff_t g = 0; g < groups; ++g) {
    const ptrdiff_t length = start_of(g + 1) - start_of(g);
    const auto elements = static_cast<double>(length);
    longest = std::max(longest, length);
    work += elements * (10 + kPair * std::min(elements / 2, kPaired));
  }
  const Team team = team_for(work);
  const Scratch<double> numbers(team.threads, kSlices, longest);
  const Scratch<T> given(team.threads, 2, longest);
  const Scratch<Keyed> sorted(team.threads, 2, longest);
  const Scratch<double> places(loss.tabulate != nullptr, kPlaceColumns, longest);
  const ptrdiff_t stride = places.slice(0, 1) - places.slice(0, 0);
  if (loss.tabulate != nullptr) loss.tabulate(places.slice(0, 0), longest, stride);
  double parameters[kMaxParameters];
  for (int k = 0; k < loss.signature.parameters; ++k) {
    parameters[k] = static_cast<double>(static_cast<T>(call.parameters[k]));
  }
  const unsigned wanted = kCalls[call.call];
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();

  const auto run_group = [&](ptrdiff_t group, int thread) -> T {
    const ptrdiff_t start = start_of(group), count = start_of(group + 1) - start;
    T *const preds = given.slice(thread, 0), *const targets = given.slice(thread, 1);
    Keyed *const order = sorted.slice(thread, 0), *const spare = sorted.slice(thread, 1);
    const auto slice = [&](int s) { return numbers.slice(thread, s); };
    const auto finish = [&](const auto& result_of) {
      const auto scatter = [&](const Sequence* to, const double* results) {
        if (to == nullptr) return;
        for (ptrdiff_t i = 0; i < count; ++i) {
          preds[order[i].index] = static_cast<T>(result_of(results, i));
        }
        to->scatter(preds, start, count);
      };
      scatter(all.grad, slice(grad));
      scatter(all.hess, slice(hess));
    };
    T weight = 1;
    if (call.weight != nullptr) call.weight->gather(group, 1, &weight);
    all.pred->gather(start, count, preds);
    all.target->gather(start, count, targets);
    bool is_nan = weight != weight;
    for (ptrdiff_t i = 0; i < count; ++i) {
      is_nan = is_nan || preds[i] != preds[i] || targets[i] != targets[i];
      order[i].index = i;
    }
    if (weight == 0 || is_nan) {
      const double result = weight == 0 ? 0 : nan;
      finish([&](const double*, ptrdiff_t) { return result; });
      return static_cast<T>(result);
    }

    const bool by_pred = loss.order == GroupOrder::by_pred;
    const T *const first = by_pred ? preds : targets, *const second = by_pred ? targets : preds;
    const auto place_in = [](const T* x) {
      return [x](ptrdiff_t i) { return place_of(static_cast<double>(x[i])); };
    };
    sort_down(order, count, spare, place_in(first));
    for_each_run(
        count, [&](ptrdiff_t i, ptrdiff_t k) { return order[i].key == order[k].key; },
        [&](ptrdiff_t from, ptrdiff_t to) {
          if (to - from > 1) sort_down(order + from, to - from, spare, place_in(second));
        });
    for (ptrdiff_t i = 0; i < count; ++i) {
      slice(pred)[i] = preds[order[i].index];
      slice(target)[i] = targets[order[i].index];
    }
    const double* best = slice(target);
    if (loss.tabulate != nullptr && by_pred) {
      std::copy_n(best, count, slice(best_target));
      std::sort(slice(best_target), slice(best_target) + count, std::greater<>());
      best = slice(best_target);
    }
    double value = 0;
    GroupwiseTask task{.count = count,
                       .pred = slice(pred),
                       .target = slice(target),
                       .best_target = best,
                       .places = places.slice(0, 0),
                       .place_stride = stride,
                       .parameters = parameters,
                       .factor = call.scale * static_cast<double>(weight),
                       .value = &value,
                       .grad = slice(grad),
                       .hess = slice(hess),
                       .scratch = {}};
    for (int k = 0; k < kGroupwiseScratch; ++k) task.scratch[k] = slice(scratch + k);
    loss.kernels[call.call](task);
    // Elements that are alike have the mean of what their places have.
    for_each_run(
        count,
        [&](ptrdiff_t i, ptrdiff_t k) {
          return task.pred[i] == task.pred[k] && task.target[i] == task.target[k];
        },
        [&](ptrdiff_t from, ptrdiff_t to) {
          if (to - from < 2) return;
          for (double* results : {task.grad, task.hess}) {
            Sum sum;
            for (ptrdiff_t i = from; i < to; ++i) accumulate(sum, {results[i], 0});
            std::fill(results + from, results + to, total_of(sum) / static_cast<double>(to - from));
          }
        });
    finish([](const double* results, ptrdiff_t i) { return results[i]; });
    return static_cast<T>(static_cast<double>(weight) * value);
  };

  return total_of(sum_over_blocks(groups, 1, team, [&](ptrdiff_t group, ptrdiff_t, int thread) {
    const T value = run_group(group, thread);
    if ((wanted & kValue) == 0) return Sum{};
    if (call.value == nullptr) return Sum{static_cast<double>(value), 0};
    call.value->scatter(&value, group, 1);
    return Sum{};
  }));
}

}  // namespace

Groups find_groups(const Keys& keys, ptrdiff_t count) {
  Groups groups;
  bool ascends = true;
  std::int64_t last = 0;
  for_each_key(keys, count, [&](ptrdiff_t i, std::int64_t key, bool) {
    if (i > 0 && key < last) ascends = false;
    if (ascends && (i == 0 || key != last)) groups.starts.push_back(i);
    last = key;
  });
  if (!ascends) {
    const Scratch<Keyed> elements(1, 2, count);
    Keyed* const order = elements.slice(0, 0);
    for_each_key(keys, count, [&](ptrdiff_t i, std::int64_t key, bool) { order[i] = {key, i}; });
    sort(order, count, elements.slice(0, 1));
    groups.starts.clear();
    groups.order.reserve(static_cast<std::size_t>(count));
    for (ptrdiff_t i = 0; i < count; ++i) {
      if (i == 0 || order[i].key != order[i - 1].key) groups.starts.push_back(i);
      groups.order.push_back(order[i].index);
    }
  }
  groups.starts.push_back(count);
  return groups;
}

template <class T>
double run(const GroupwiseCall& call) {
  const Elements given = {call.pred, call.target, call.grad[0], call.hess[0]};
  const std::vector<ptrdiff_t>& order = call.groups->order;
  if (order.empty()) return run_in_order<T>(call, given);

  // Copies group by group, of which results take the places.
  const auto count = static_cast<ptrdiff_t>(order.size());
  const Scratch<T> copies(1, 3, count);
  T* const unsorted = copies.slice(0, 2);
  Sequence sequences[2];
  const auto sorted = [&](int k) {
    std::construct_at(&sequences[k], copies.slice(0, k), kStorageOf<T>, false);
    sequences[k].append(count, sizeof(T));
    return &sequences[k];
  };
  const auto gather = [&](const Sequence& from, int k) {
    from.gather(0, count, unsorted);
    for (ptrdiff_t i = 0; i < count; ++i) copies.slice(0, k)[i] = unsorted[order[i]];
    return sorted(k);
  };
  const auto scatter = [&](const Sequence* to, int k) {
    if (to == nullptr) return;
    for (ptrdiff_t i = 0; i < count; ++i) unsorted[order[i]] = copies.slice(0, k)[i];
    to->scatter(unsorted, 0, count);
  };
  const Sequence *const preds = gather(*given.pred, 0), *const targets = gather(*given.target, 1);
  const double sum = run_in_order<T>(call, {preds, targets, given.grad != nullptr ? preds : nullptr,
                                            given.hess != nullptr ? targets : nullptr});
  scatter(given.grad, 0);
  scatter(given.hess, 1);
  return sum;
}

template double run<float>(const GroupwiseCall&);
template double run<double>(const GroupwiseCall&);

}  // namespace fastloss
