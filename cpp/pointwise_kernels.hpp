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

/// Terms that are computed before anything else is done with them: they stay in the first cache.
template <class T>
constexpr ptrdiff_t kChunk = 2048 / sizeof(T);

/// Terms that are not computed in place: they are of a 16-bit type, or fewer than kTogether, padded
/// to as many.
template <class T, int arguments, int parameters, int inputs>
struct Copies {
  T argument[arguments][kChunk<T>];
  T parameter[parameters + 1][kTogether<T>];
  T weight[kTogether<T>];
  T value[kChunk<T>];
  T grad[inputs][kChunk<T>];
  T hess[inputs][kChunk<T>];
};

template <class T>
INLINE void pad(T* copies) {
  for (int i = 0; i < kTogether<T>; i += Vec<T>::lanes) Vec<T>(0).store(copies + i);
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

  /// Whether a result is stored; where parameters do not vary, all that are wanted are.
  INLINE static bool is_stored(const T* result) { return !varying || result != nullptr; }

  /// The terms from number i.
  INLINE static auto terms(const PointwiseTask<T>& task, const V* fixed, ptrdiff_t i) {
    V argument[arguments], parameter[parameters + 1];
    for (int k = 0; k < arguments; ++k) {
      argument[k] = V::load(task.arguments[k] + i);
    }
    for (int k = 0; k < parameters; ++k) {
      parameter[k] = varying ? V::load(task.parameters[k] + i) : fixed[k];
    }
    const auto all = evaluate<Loss>(argument, parameter, typename CountUp<arguments>::type{},
                                    typename CountUp<parameters>::type{});
    Terms<V, inputs> some{};  // said here, or compilers compute some of the others in vain
    if constexpr (want_value) some.value = all.value;
    for (int k = 0; k < inputs; ++k) {
      if constexpr (want_grad) some.grad[k] = all.grad[k];
      if constexpr (want_hess) some.hess[k] = all.hess[k];
    }
    return some;
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
    for (int i = 0; i < kTogether<T>; i += kBlockLanes<T>) __builtin_prefetch(p + kChunk<T> + i);
  }

  /// Computes `count` terms from number `first`, a multiple of kTogether and none of a 16-bit type;
  /// values go to `value`.
  [[gnu::noinline]] static void store_whole(const PointwiseTask<T>& given, ptrdiff_t first,
                                            ptrdiff_t count, T* value) {
    const PointwiseTask<T> task = given;  // which stores cannot change
    const V scale = V(task.scale);
    V fixed[parameters + 1];
    if constexpr (!varying) {
      for (int k = 0; k < parameters; ++k) fixed[k] = V(*task.parameters[k]);
    }
    const bool value_past_cache = task.past_cache && task.value != nullptr;
    const auto store_all = [&](const Terms<V, inputs>& results, ptrdiff_t i, auto store) {
      if constexpr (want_value) store(value_past_cache, value + i, results.value);
      for (int k = 0; k < inputs; ++k) {
        if constexpr (want_grad) {
          if (is_stored(task.grad[k])) {
            store(task.past_cache, task.grad[k] + first + i, results.grad[k]);
          }
        }
        if constexpr (want_hess) {
          if (is_stored(task.hess[k])) {
            store(task.past_cache, task.hess[k] + first + i, results.hess[k]);
          }
        }
      }
    };
    const auto store_plainly = [](bool, T* p, V v) { v.store(p); };
    const bool has_weight =
        weights == Weights::either ? task.weight != nullptr : weights == Weights::yes;
    const auto finish = [&](Terms<V, inputs> results, ptrdiff_t i) {
      if (has_weight) {
        prefetch(task.weight + first + i);
        results = weighted(results, V::load(task.weight + first + i), scale);
      } else {
        results = scaled(results, scale);
      }
      store_all(results, i, store_maybe_past_cache<T>);
    };
    const bool plain = !task.past_cache && (weights == Weights::yes || !has_weight);
    for (ptrdiff_t i = 0; i < count; i += kTogether<T>) {
      for (int k = 0; k < arguments; ++k) prefetch(task.arguments[k] + first + i);
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

  /// The same for terms that are not computed in place, a multiple of kTogether or fewer than it.
  /// Values go to `summed` or, if it is null, where the task says.
  [[gnu::noinline]] static void store_copied(const PointwiseTask<T>& task, ptrdiff_t first,
                                             ptrdiff_t count, T* summed) {
    Copies<T, arguments, parameters, inputs> copies;
    PointwiseTask<T> of_copies = task;
    const bool few = count < kTogether<T>;
    const auto padded = [&](const T* from, T* copy) {
      if (!few) return from + first;
      pad(copy);
      __builtin_memcpy(copy, from + first, static_cast<std::size_t>(count) * sizeof(T));
      return static_cast<const T*>(copy);
    };
    for (int k = 0; k < arguments; ++k) {
      if (few) pad(copies.argument[k]);
      copy_in(task.arguments[k], task.argument_format[k], first, copies.argument[k], count);
      of_copies.arguments[k] = copies.argument[k];
    }
    if constexpr (varying) {
      for (int k = 0; k < parameters; ++k)
        of_copies.parameters[k] = padded(task.parameters[k], copies.parameter[k]);
    }
    if (task.weight != nullptr) of_copies.weight = padded(task.weight, copies.weight);
    of_copies.past_cache = false;
    for (int k = 0; k < inputs; ++k) {
      of_copies.grad[k] = copies.grad[k];
      of_copies.hess[k] = copies.hess[k];
    }
    store_whole(of_copies, 0, few ? kTogether<T> : count, copies.value);
    if constexpr (want_value) {
      if (summed != nullptr) {
        copy_out(copies.value, summed, Format::same, 0, count, false);
      } else {
        copy_out(copies.value, task.value, task.value_format, first, count, task.past_cache);
      }
    }
    for (int k = 0; k < inputs; ++k) {
      if constexpr (want_grad) {
        if (is_stored(task.grad[k]))
          copy_out(copies.grad[k], task.grad[k], task.grad_format[k], first, count,
                   task.past_cache);
      }
      if constexpr (want_hess) {
        if (is_stored(task.hess[k]))
          copy_out(copies.hess[k], task.hess[k], task.hess_format[k], first, count,
                   task.past_cache);
      }
    }
  }

  static Sum run(const PointwiseTask<T>& task) {
    alignas(kBlockBytes) T values[kChunk<T>];
    const bool summed = want_value && task.value == nullptr;
    LaneSum sum;
    for (ptrdiff_t first = 0; first < task.count; first += kChunk<T>) {
      const ptrdiff_t left = task.count - first;
      const ptrdiff_t count = left < kChunk<T> ? left : kChunk<T>;
      const ptrdiff_t rest = count % kTogether<T>, whole = count - rest;
      T* in_place = nullptr;
      if constexpr (want_value) in_place = summed ? values : task.value + first;
      if (!task.narrow) {
        store_whole(task, first, whole, in_place);
      } else if (whole > 0) {
        store_copied(task, first, whole, summed ? values : nullptr);
      }
      if (rest > 0) store_copied(task, first + whole, rest, summed ? values + whole : nullptr);
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
