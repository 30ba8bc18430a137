// SPDX-License-Identifier: BSD-3-Clause
// The pointwise family at one CPU level: contiguous blocks in, blocks and a sum out.
#include "kernels.hpp"
#include "losses/pointwise.hpp"
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

/// The last, incomplete logical block, padded, so that it runs through the same vector code.
template <class T, int arguments, int parameters, int inputs>
struct Tail {
  T argument[arguments][kBlockLanes<T>] = {};
  T parameter[parameters + 1][kBlockLanes<T>] = {};
  T weight[kBlockLanes<T>] = {};
  T value[kBlockLanes<T>];
  T grad[inputs][kBlockLanes<T>];
  T hess[inputs][kBlockLanes<T>];
};

template <class T>
INLINE void copy(const T* from, T* to, ptrdiff_t count) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}

template <class Loss, class T, unsigned wanted, bool weighted, bool varying>
Sum run(const PointwiseTask<T>& task) {
  using V = Vec<T>;
  constexpr Signature signature = kSignature<Loss>;
  constexpr int inputs = signature.inputs;
  constexpr int arguments = inputs + signature.targets;
  constexpr int parameters = signature.parameters;
  constexpr bool want_value = (wanted & kValue) != 0;
  constexpr bool want_grad = (wanted & kGrad) != 0;
  constexpr bool want_hess = (wanted & kHess) != 0;

  V parameter[parameters + 1];
  if constexpr (!varying) {
    for (int k = 0; k < parameters; ++k) parameter[k] = V(*task.parameters[k]);
  }
  const V scale = V(task.scale);
  LaneSum<T> sum;

  const auto process = [&](const PointwiseTask<T>& block, ptrdiff_t count) {
    for (ptrdiff_t start = 0; start < count; start += kBlockLanes<T>) {
      for (int position = 0; position < kVectorsPerBlock; ++position) {
        const ptrdiff_t i = start + position * V::lanes;
        V argument[arguments];
        for (int k = 0; k < arguments; ++k) argument[k] = V::load(block.arguments[k] + i);
        if constexpr (varying) {
          for (int k = 0; k < parameters; ++k) parameter[k] = V::load(block.parameters[k] + i);
        }
        auto terms = evaluate<Loss>(argument, parameter, typename CountUp<arguments>::type{},
                                    typename CountUp<parameters>::type{});
        V factor = scale;
        if constexpr (weighted) {
          const V weight = V::load(block.weight + i);
          const auto masked = weight == V(0);
          const auto weigh = [&](V x, V w) { return select(masked, V(0), w * x); };
          factor = scale * weight;
          terms.value = weigh(terms.value, weight);
          for (int k = 0; k < inputs; ++k) {
            terms.grad[k] = weigh(terms.grad[k], factor);
            terms.hess[k] = weigh(terms.hess[k], factor);
          }
        } else {
          for (int k = 0; k < inputs; ++k) {
            terms.grad[k] = factor * terms.grad[k];
            terms.hess[k] = factor * terms.hess[k];
          }
        }
        const auto store = [&](T* to, V v) {
          if (block.past_cache) {
            store_past_cache(to + i, v);
          } else {
            v.store(to + i);
          }
        };
        if constexpr (want_value) {
          if (block.value != nullptr) {
            store(block.value, terms.value);
          } else {
            sum.add(terms.value, position);
          }
        }
        for (int k = 0; k < inputs; ++k) {
          if constexpr (want_grad) {
            if (!varying || block.grad[k] != nullptr) store(block.grad[k], terms.grad[k]);
          }
          if constexpr (want_hess) {
            if (!varying || block.hess[k] != nullptr) store(block.hess[k], terms.hess[k]);
          }
        }
      }
    }
  };

  const ptrdiff_t rest = task.count % kBlockLanes<T>;
  const ptrdiff_t whole = task.count - rest;
  Tail<T, arguments, parameters, inputs> tail;
  PointwiseTask<T> block = task;
  ptrdiff_t count = whole;
  for (bool in_tail = false;; in_tail = true) {  // one copy of the loop serves body and tail
    process(block, count);
    if (in_tail || rest == 0) break;
    for (int k = 0; k < arguments; ++k) {
      copy(task.arguments[k] + whole, tail.argument[k], rest);
      block.arguments[k] = tail.argument[k];
    }
    if constexpr (varying) {
      for (int k = 0; k < parameters; ++k) {
        copy(task.parameters[k] + whole, tail.parameter[k], rest);
        block.parameters[k] = tail.parameter[k];
      }
    }
    if constexpr (weighted) {
      copy(task.weight + whole, tail.weight, rest);
      block.weight = tail.weight;
    }
    block.past_cache = false;
    block.value = tail.value;
    for (int k = 0; k < inputs; ++k) {
      block.grad[k] = tail.grad[k];
      block.hess[k] = tail.hess[k];
    }
    count = kBlockLanes<T>;
  }
  if (rest != 0) {
    if constexpr (want_value) {
      if (task.value != nullptr) {
        copy(tail.value, task.value + whole, rest);
      } else {
        for (ptrdiff_t i = rest; i < kBlockLanes<T>; ++i) tail.value[i] = 0;
        for (int position = 0; position < kVectorsPerBlock; ++position) {
          sum.add(V::load(tail.value + position * V::lanes), position);
        }
      }
    }
    for (int k = 0; k < inputs; ++k) {
      if constexpr (want_grad) {
        if (!varying || task.grad[k] != nullptr) copy(tail.grad[k], task.grad[k] + whole, rest);
      }
      if constexpr (want_hess) {
        if (!varying || task.hess[k] != nullptr) copy(tail.hess[k], task.hess[k] + whole, rest);
      }
    }
  }
  if (task.past_cache) finish_past_cache();
  return sum.total();
}

template <class Loss, class T>
constexpr PointwiseKernel<T> varying_kernel() {
  if constexpr (Loss::parameters > 0) return &run<Loss, T, kValue | kGrad | kHess, true, true>;
  return nullptr;
}

template <class Loss, class T, int... calls>
constexpr PointwiseKernels<T> kernels_of(Numbers<calls...>) {
  return {{&run<Loss, T, kCalls[calls], false, false>...},
          {&run<Loss, T, kCalls[calls], true, false>...},
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

}  // namespace

constinit const PointwiseTable pointwise_table = {Entries<Pointwise>::entries,
                                                  Entries<Pointwise>::count};

}  // namespace fastloss::FASTLOSS_LEVEL
