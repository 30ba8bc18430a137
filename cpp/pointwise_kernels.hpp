// SPDX-License-Identifier: BSD-3-Clause
// The pointwise family at one CPU level: contiguous blocks in, blocks and a sum out. For kernel
// files only, each of which makes the entry table of one list of losses.
#pragma once

#include "kernels.hpp"
#include "losses/terms.hpp"
#include "narrow.hpp"
#include "simd.hpp"
#include "sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// How many inputs a loss has is said by its result type; how many targets, by what is left.
template <class T, int inputs, class... Arguments>
constexpr Signature signature_of(const char* name, int parameters,
                                 Terms<T, inputs> (*)(Arguments...)) {
  const int targets = static_cast<int>(sizeof...(Arguments)) - inputs - parameters;
  return {name, inputs, targets, parameters};
}
template <class Loss>
constexpr Signature kSignature =
    signature_of(Loss::name, Loss::parameters, &Loss::template terms<float>);

/// What a loss says a term costs; few do.
template <class Loss>
constexpr double cost_of() {
  if constexpr (requires { Loss::cost; }) return Loss::cost;
  return 1;
}

template <class Loss, class T, int... arguments, int... parameters>
INLINE auto evaluate(const Vec<T>* argument, const Vec<T>* parameter, Numbers<arguments...>,
                     Numbers<parameters...>) {
  return Loss::terms(argument[arguments]..., parameter[parameters]...);
}

/// Terms that are computed together: two vectors, so that one need not wait for the other.
template <class T>
constexpr int kTogether = 2 * Vec<T>::lanes;

/// The last terms where they are fewer than kTogether, padded to as many.
template <class T, int arguments, int parameters, int inputs>
struct Tail {
  T argument[arguments][kTogether<T>];
  T parameter[parameters + 1][kTogether<T>];
  T weight[kTogether<T>];
  T value[kTogether<T>];
  T grad[inputs][kTogether<T>];
  T hess[inputs][kTogether<T>];
};

template <class T>
INLINE void copy(const T* from, T* to, ptrdiff_t count) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}
template <class T>
INLINE void copy_padded(const T* from, T* to, ptrdiff_t count) {
  for (int i = 0; i < kTogether<T>; i += Vec<T>::lanes) Vec<T>(0).store(to + i);
  copy(from, to, count);
}

/// Whether terms have weights. Losses whose terms cost little have a kernel for each; for others a
/// branch costs less than the time to compile twice as many.
enum class Weights { no, yes, either };
template <class Loss>
constexpr bool is_cheap = cost_of<Loss>() < 3;

template <class Loss, class T, unsigned wanted, Weights weights, bool varying>
struct Kernel {
  using V = Vec<T>;
  static constexpr Signature signature = kSignature<Loss>;
  static constexpr int inputs = signature.inputs;
  static constexpr int arguments = inputs + signature.targets;
  static constexpr int parameters = signature.parameters;
  static constexpr bool want_value = (wanted & kValue) != 0;
  static constexpr bool want_grad = (wanted & kGrad) != 0;
  static constexpr bool want_hess = (wanted & kHess) != 0;

  /// Values that are stored before they are summed: they stay in the first cache.
  static constexpr ptrdiff_t kSummed = 2048 / sizeof(T);

  /// Whether a result is stored; where parameters do not vary, all that are wanted are.
  INLINE static bool is_stored(const T* result) { return !varying || result != nullptr; }

  /// The terms from number i.
  INLINE static auto terms(const PointwiseTask<T>& task, const V* fixed, ptrdiff_t i) {
    V argument[arguments], parameter[parameters + 1];
    for (int k = 0; k < arguments; ++k) {
      argument[k] = task.narrow ? load(task.arguments[k], task.argument_format[k], i)
                                : V::load(task.arguments[k] + i);
    }
    for (int k = 0; k < parameters; ++k) {
      parameter[k] = varying ? V::load(task.parameters[k] + i) : fixed[k];
    }
    return evaluate<Loss>(argument, parameter, typename CountUp<arguments>::type{},
                          typename CountUp<parameters>::type{});
  }

  /// Terms with their derivatives multiplied by a scale.
  INLINE static Terms<V, inputs> scaled(Terms<V, inputs> terms, V scale) {
    for (int k = 0; k < inputs; ++k) {
      terms.grad[k] = scale * terms.grad[k];
      terms.hess[k] = scale * terms.hess[k];
    }
    return terms;
  }

  /// Terms multiplied by weights, too; with a weight of 0 they are 0.
  INLINE static Terms<V, inputs> weighted(Terms<V, inputs> terms, V weight, V scale) {
    const V factor = scale * weight;
    const auto masked = weight == V(0);
    const auto weigh = [&](V x, V w) { return select(masked, V(0), w * x); };
    terms.value = weigh(terms.value, weight);
    for (int k = 0; k < inputs; ++k) {
      terms.grad[k] = weigh(terms.grad[k], factor);
      terms.hess[k] = weigh(terms.hess[k], factor);
    }
    return terms;
  }

  /// Asks for what is read after the next sum, so that memory does not wait for that.
  INLINE static void prefetch(const T* p) {
    for (int i = 0; i < kTogether<T>; i += kBlockLanes<T>) __builtin_prefetch(p + kSummed + i);
  }
  INLINE static void prefetch(const PointwiseTask<T>& task, ptrdiff_t i) {
    for (int k = 0; k < arguments; ++k) {
      const T* array = task.arguments[k];
      prefetch(task.narrow ? at(array, task.argument_format[k], i) : array + i);
    }
  }

  /// Computes `count` terms from number `first`, a multiple of kTogether; values go to `value`.
  [[gnu::noinline]] static void store_whole(const PointwiseTask<T>& given, ptrdiff_t first,
                                            ptrdiff_t count, T* value, Format value_format) {
    const PointwiseTask<T> task = given;  // which stores cannot change
    const V scale = V(task.scale);
    V fixed[parameters + 1];
    if constexpr (!varying) {
      for (int k = 0; k < parameters; ++k) fixed[k] = V(*task.parameters[k]);
    }
    const bool value_past_cache = task.past_cache && task.value != nullptr;
    const auto store_all = [&](const Terms<V, inputs>& results, ptrdiff_t i, auto store) {
      if constexpr (want_value) store(value_past_cache, value, value_format, i, results.value);
      for (int k = 0; k < inputs; ++k) {
        if constexpr (want_grad) {
          if (is_stored(task.grad[k])) {
            store(task.past_cache, task.grad[k], task.grad_format[k], first + i, results.grad[k]);
          }
        }
        if constexpr (want_hess) {
          if (is_stored(task.hess[k])) {
            store(task.past_cache, task.hess[k], task.hess_format[k], first + i, results.hess[k]);
          }
        }
      }
    };
    const auto store_plainly = [](bool, T* array, Format, ptrdiff_t i, V v) { v.store(array + i); };
    const bool has_weight =
        weights == Weights::either ? task.weight != nullptr : weights == Weights::yes;
    const auto finish = [&](Terms<V, inputs> results, ptrdiff_t i) {
      if (has_weight) {
        prefetch(task.weight + first + i);
        results = weighted(results, V::load(task.weight + first + i), scale);
      } else {
        results = scaled(results, scale);
      }
      store_all(results, i, store_otherwise<T>);
    };
    const bool simple = !task.past_cache && !task.narrow;
    const bool plain = simple && (weights == Weights::yes || !has_weight);
    for (ptrdiff_t i = 0; i < count; i += kTogether<T>) {
      prefetch(task, first + i);
      const auto some = terms(task, fixed, first + i);
      const auto more = terms(task, fixed, first + i + V::lanes);
      if (plain) {
        if constexpr (weights == Weights::yes) {
          prefetch(task.weight + first + i);
          const T* weight = task.weight + first + i;
          store_all(weighted(some, V::load(weight), scale), i, store_plainly);
          store_all(weighted(more, V::load(weight + V::lanes), scale), i + V::lanes, store_plainly);
        } else {
          store_all(scaled(some, scale), i, store_plainly);
          store_all(scaled(more, scale), i + V::lanes, store_plainly);
        }
      } else {
        finish(some, i);
        finish(more, i + V::lanes);
      }
    }
  }

  /// The same for any count.
  static void store_terms(const PointwiseTask<T>& task, ptrdiff_t first, ptrdiff_t count, T* value,
                          Format value_format) {
    const ptrdiff_t rest = count % kTogether<T>;
    const ptrdiff_t whole = count - rest;
    store_whole(task, first, whole, value, value_format);
    if (rest == 0) return;

    Tail<T, arguments, parameters, inputs> tail;
    PointwiseTask<T> padded = task;
    const ptrdiff_t start = first + whole;
    for (int k = 0; k < arguments; ++k) {
      for (int i = 0; i < kTogether<T>; i += V::lanes) V(0).store(tail.argument[k] + i);
      load_some(task.arguments[k], task.argument_format[k], start, tail.argument[k], rest);
      padded.arguments[k] = tail.argument[k];
      padded.argument_format[k] = Format::same;
    }
    if constexpr (varying) {
      for (int k = 0; k < parameters; ++k) {
        copy_padded(task.parameters[k] + start, tail.parameter[k], rest);
        padded.parameters[k] = tail.parameter[k];
      }
    }
    if (task.weight != nullptr) {
      copy_padded(task.weight + start, tail.weight, rest);
      padded.weight = tail.weight;
    }
    padded.past_cache = false;
    for (int k = 0; k < inputs; ++k) {
      padded.grad[k] = tail.grad[k];
      padded.hess[k] = tail.hess[k];
      padded.grad_format[k] = padded.hess_format[k] = Format::same;
    }
    store_whole(padded, 0, kTogether<T>, tail.value, Format::same);
    if constexpr (want_value) store_some(tail.value, value, value_format, whole, rest);
    for (int k = 0; k < inputs; ++k) {
      if constexpr (want_grad) {
        if (is_stored(task.grad[k]))
          store_some(tail.grad[k], task.grad[k], task.grad_format[k], start, rest);
      }
      if constexpr (want_hess) {
        if (is_stored(task.hess[k]))
          store_some(tail.hess[k], task.hess[k], task.hess_format[k], start, rest);
      }
    }
  }

  static Sum run(const PointwiseTask<T>& task) {
    alignas(kBlockBytes) T values[kSummed];  // to be summed, while they are in the first cache
    LaneSum sum;
    for (ptrdiff_t first = 0; first < task.count; first += kSummed) {
      const ptrdiff_t left = task.count - first;
      const ptrdiff_t count = left < kSummed ? left : kSummed;
      const bool summed = want_value && task.value == nullptr;
      if (summed) {
        store_terms(task, first, count, values, Format::same);
      } else {
        store_terms(task, first, count, at(task.value, task.value_format, first),
                    task.value_format);
      }
      if (summed) sum.add(values, count);
    }
    if (task.past_cache) finish_past_cache();
    return sum.total();
  }
};

/// All that a formula is asked for: value and derivatives under weights, unless it says less.
template <class Loss>
constexpr unsigned results_of() {
  if constexpr (requires { Loss::results; }) return Loss::results;
  return kValue | kGrad | kHess;
}
template <class Loss>
constexpr bool takes_weights() {
  if constexpr (requires { Loss::takes_weights; }) return Loss::takes_weights;
  return true;
}

/// Null for what a formula is not asked for.
template <class Loss, class T, unsigned wanted, Weights weights>
constexpr PointwiseKernel<T> kernel_of() {
  if constexpr ((wanted & ~results_of<Loss>()) == 0 &&
                (takes_weights<Loss>() || weights == Weights::no))
    return &Kernel<Loss, T, wanted, weights, false>::run;
  return nullptr;
}

template <class Loss, class T>
constexpr PointwiseKernel<T> varying_kernel() {
  constexpr Weights weights = takes_weights<Loss>() ? Weights::either : Weights::no;
  if constexpr (Loss::parameters > 0)
    return &Kernel<Loss, T, results_of<Loss>(), weights, true>::run;
  return nullptr;
}

template <class Loss, class T, int... calls>
constexpr PointwiseKernels<T> kernels_of(Numbers<calls...>) {
  constexpr bool apart = is_cheap<Loss> || !takes_weights<Loss>();
  constexpr Weights plain = apart ? Weights::no : Weights::either;
  constexpr Weights weighted = apart ? Weights::yes : Weights::either;
  return {{kernel_of<Loss, T, kCalls[calls], plain>()...},
          {kernel_of<Loss, T, kCalls[calls], weighted>()...},
          varying_kernel<Loss, T>()};
}

template <class Losses>
struct Entries;
template <class... Losses>
struct Entries<LossList<Losses...>> {
  using Calls = CountUp<kCallCount>::type;
  static constexpr int count = sizeof...(Losses);
  static constexpr PointwiseLoss entries[] = {{kSignature<Losses>, cost_of<Losses>(),
                                               kernels_of<Losses, float>(Calls{}),
                                               kernels_of<Losses, double>(Calls{})}...};
};

template <class Losses>
constexpr PointwiseTable kTable = {Entries<Losses>::entries, Entries<Losses>::count};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
