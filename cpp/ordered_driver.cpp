// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <limits>

#include "blocks.hpp"
#include "keys.hpp"

namespace fastloss {
namespace {

// Elements that are looked at together.
constexpr ptrdiff_t kBlock = 1024;

/// The slices of scratch, each as long as the sample.
enum Slice { pred, weight, value, grad, hess, exponentials, offsets, kSlices };

}  // namespace

template <class T>
double run(const OrderedCall& call) {
  const ptrdiff_t count = call.count;
  const Scratch<T> unsorted(1, 1, count);
  const Scratch<double> numbers(1, kSlices, count);
  const Scratch<Keyed> elements(1, 2, count);
  const Scratch<unsigned char> flags(1, 3, count);
  const auto slice = [&](Slice s) { return numbers.slice(0, s); };
  Keyed *const order = elements.slice(0, 0), *const spare = elements.slice(0, 1);
  unsigned char *const is_last = flags.slice(0, 0), *const event = flags.slice(0, 1);

  // In the order of the arguments.
  T* const preds = unsorted.slice(0, 0);
  double* const weights = slice(hess);
  unsigned char* const events = flags.slice(0, 2);
  const bool weighted = call.weight != nullptr;
  call.pred->gather(0, count, preds);
  if (weighted) {
    for_each<T>(*call.weight, count, [&](ptrdiff_t i, T x) { weights[i] = x; });
  }
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  for_each<double>(*call.event, count, [&](ptrdiff_t i, double x) {
    events[i] = x != 0;
    if (x != x) preds[i] = nan;
  });
  ptrdiff_t kept = 0;
  for_each_key(call.key, count, [&](ptrdiff_t i, std::int64_t key, bool is_nan) {
    if (is_nan) preds[i] = nan;
    if (!weighted || weights[i] != 0) order[kept++] = {~key, i};
  });

  // By the keys, and where these are equal by all else: the order of the arguments is no part of
  // it.
  sort(order, kept, spare);
  const auto comes_before = [&](const Keyed& a, const Keyed& b) {
    if (events[a.index] != events[b.index]) return events[a.index] < events[b.index];
    return weighted && place_of(weights[a.index]) < place_of(weights[b.index]);
  };
  for (ptrdiff_t start = 0, end = 0; start < kept; start = end) {
    while (end < kept && order[end].key == order[start].key) is_last[end++] = false;
    is_last[end - 1] = true;
    if (end - start < 2) continue;
    for (ptrdiff_t i = start; i < end; ++i) order[i].key = place_of(preds[order[i].index]);
    sort(order + start, end - start, spare);
    for (ptrdiff_t first = start, i = start; first < end; first = i) {
      while (i < end && order[i].key == order[first].key) ++i;
      if (i - first > 1) std::sort(order + first, order + i, comes_before);
    }
  }
  for (ptrdiff_t i = 0; i < kept; ++i) {
    const ptrdiff_t index = order[i].index;
    slice(pred)[i] = preds[index];
    event[i] = events[index];
    if (weighted) slice(weight)[i] = weights[index];
  }

  double parameters[kMaxParameters];
  for (int k = 0; k < call.loss->signature.parameters; ++k) {
    parameters[k] = static_cast<double>(static_cast<T>(call.parameters[k]));
  }
  call.loss->kernels[call.call]({.count = kept,
                                 .pred = slice(pred),
                                 .weight = weighted ? slice(weight) : nullptr,
                                 .event = event,
                                 .is_last = is_last,
                                 .parameters = parameters,
                                 .scale = call.scale,
                                 .value = slice(value),
                                 .grad = slice(grad),
                                 .hess = slice(hess),
                                 .scratch = {slice(exponentials), slice(offsets)}});

  // Rounded to the arithmetic type.
  T* const results = unsorted.slice(0, 0);
  const auto scatter = [&](const double* sorted, const Sequence* to) {
    if (to == nullptr) return;
    if (kept < count) std::fill_n(results, count, T(0));
    for (ptrdiff_t i = 0; i < kept; ++i) results[order[i].index] = static_cast<T>(sorted[i]);
    to->scatter(results, 0, count);
  };
  scatter(slice(value), call.value);
  scatter(slice(grad), call.grad[0]);
  scatter(slice(hess), call.hess[0]);
  if ((kCalls[call.call] & kValue) == 0 || call.value != nullptr) return 0;
  std::transform(slice(value), slice(value) + kept, results,
                 [](double x) { return static_cast<T>(x); });
  return total_of(sum_kernel<T>(*call.level)(results, nullptr, kept));
}

template <class T>
double weight_sum(const OrderedCall& call) {
  const auto dot = sum_kernel<T>(*call.level);
  const Team team = team_for(4 * static_cast<double>(call.count));
  return total_of(
      sum_over_blocks(call.count, kBlock, team, [&](ptrdiff_t start, ptrdiff_t length, int) {
        double events[kBlock];
        T is_event[kBlock], weights[kBlock];
        call.event->gather(start, length, events);
        for (ptrdiff_t i = 0; i < length; ++i) is_event[i] = T(events[i] != 0);
        if (call.weight == nullptr) return dot(is_event, nullptr, length);
        call.weight->gather(start, length, weights);
        return dot(is_event, weights, length);
      }));
}

ptrdiff_t find_negative(const Sequence& numbers, ptrdiff_t count) {
  ptrdiff_t found = -1;
  for_each<double>(numbers, count, [&](ptrdiff_t i, double x) {
    if (x < 0 && found < 0) found = i;
  });
  return found;
}

template double run<float>(const OrderedCall&);
template double run<double>(const OrderedCall&);
template double weight_sum<float>(const OrderedCall&);
template double weight_sum<double>(const OrderedCall&);

}  // namespace fastloss
