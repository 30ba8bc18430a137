// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <type_traits>

#include "blocks.hpp"

namespace fastloss {
namespace {

// Terms that a kernel takes at once: its inputs and outputs stay in the first two caches.
constexpr ptrdiff_t kBlock = 4096;

template <class T>
const PointwiseKernels<T>& kernels_of(const PointwiseLoss& loss) {
  if constexpr (std::is_same_v<T, float>) {
    return loss.float_kernels;
  } else {
    return loss.double_kernels;
  }
}

/// One array of a call, which may pass through a slice of scratch.
template <class T>
struct Stream {
  const Sequence* sequence = nullptr;
  T* contiguous = nullptr;  // where it is, if it is contiguous
  Format format = Format::same;
  int slice = -1;
};

}  // namespace

double total_of(Sum sum) {
  // What rounding lost of an infinite sum is not a number.
  return sum.low - sum.low == 0 ? sum.high + sum.low : sum.high;
}

template <class T>
double sum_of(const Level& level, const Sequence& values, ptrdiff_t count, ptrdiff_t times) {
  const auto sum = sum_kernel<T>(level);
  const Team team = team_for(static_cast<double>(count) * work_of<T>(1));
  const T* contiguous = values.contiguous<T>();
  const Scratch<T> scratch(team.threads, contiguous == nullptr, std::min(count, kBlock));
  const auto [high, low] =
      sum_over_blocks(count, kBlock, team, [&](ptrdiff_t start, ptrdiff_t length, int thread) {
        if (contiguous != nullptr) return sum(contiguous + start, nullptr, length);
        T* packed = scratch.slice(thread, 0);
        values.gather(start, length, packed);
        return sum(packed, nullptr, length);
      });
  const auto factor = static_cast<double>(times);
  const double product = high * factor;
  return total_of({product, std::fma(high, factor, -product) + low * factor});
}

template <class T>
double run(const PointwiseCall& call) {
  const Signature& signature = call.loss->signature;
  const int inputs = signature.inputs;
  const int argument_count = inputs + signature.targets;
  const unsigned wanted = kCalls[call.call];

  int slices = 0;
  const auto stream = [&](const Sequence* sequence) {
    Stream<T> s;
    if (sequence == nullptr) return s;
    s.sequence = sequence;
    s.contiguous = sequence->contiguous<T>();
    if (s.contiguous == nullptr) s.slice = slices++;
    return s;
  };
  bool narrow = false;
  /// One that may be of a 16-bit type in place.
  const auto any_stream = [&](const Sequence* sequence) {
    if constexpr (std::is_same_v<T, float>) {
      const auto stored_as = [&](auto* numbers, Format format) {
        narrow = true;
        return Stream<T>{sequence, reinterpret_cast<T*>(numbers), format};
      };
      if (sequence != nullptr) {
        if (auto* p = sequence->contiguous<Float16>()) return stored_as(p, Format::float16);
        if (auto* p = sequence->contiguous<BFloat16>()) return stored_as(p, Format::bfloat16);
      }
    }
    return stream(sequence);
  };
  Stream<T> arguments[kMaxArguments], grad[kMaxInputs], hess[kMaxInputs];
  Stream<T> varying[kMaxParameters];
  for (int k = 0; k < argument_count; ++k) arguments[k] = any_stream(call.arguments[k]);
  Stream<T> weight = stream(call.weight);
  bool varies = false;
  for (int k = 0; k < signature.parameters; ++k) varies |= call.varying[k] != nullptr;
  for (int k = 0; varies && k < signature.parameters; ++k) {
    varying[k] =
        call.varying[k] != nullptr ? stream(call.varying[k]) : Stream<T>{.slice = slices++};
  }
  const Stream<T> value = any_stream(call.value);
  for (int k = 0; k < inputs; ++k) {
    if (wanted & kGrad) grad[k] = any_stream(call.grad[k]);
    if (wanted & kHess) hess[k] = any_stream(call.hess[k]);
  }

  bool past_cache = call.count > kPastCache / static_cast<ptrdiff_t>(sizeof(T));
  const auto may_pass = [](const Stream<T>& s) {
    return s.sequence == nullptr ||
           (s.contiguous != nullptr && reinterpret_cast<std::uintptr_t>(s.contiguous) % 16 == 0);
  };
  past_cache = past_cache && may_pass(value);
  for (int k = 0; k < inputs; ++k)
    past_cache = past_cache && may_pass(grad[k]) && may_pass(hess[k]);

  const PointwiseKernels<T>& kernels = kernels_of<T>(*call.loss);
  const PointwiseKernel<T> kernel = varies                   ? kernels.varying
                                    : call.weight != nullptr ? kernels.weighted[call.call]
                                                             : kernels.plain[call.call];
  T parameters[kMaxParameters];
  for (int k = 0; k < signature.parameters; ++k) {
    parameters[k] = static_cast<T>(call.parameters[k]);
  }

  const Team team = team_for(static_cast<double>(call.count) * work_of<T>(call.loss->cost));
  const ptrdiff_t length = std::min(call.count, kBlock);
  const Scratch<T> scratch(team.threads, slices, length);

  return total_of(
      sum_over_blocks(call.count, kBlock, team, [&](ptrdiff_t start, ptrdiff_t count, int thread) {
        const auto in_place = [&](const Stream<T>& s) {
          return s.format == Format::same
                     ? s.contiguous + start
                     : reinterpret_cast<T*>(reinterpret_cast<Float16*>(s.contiguous) + start);
        };
        const auto in = [&](const Stream<T>& s) -> const T* {
          if (s.sequence == nullptr) return nullptr;
          if (s.slice < 0) return in_place(s);
          T* packed = scratch.slice(thread, s.slice);
          s.sequence->gather(start, count, packed);
          return packed;
        };
        const auto out = [&](const Stream<T>& s) -> T* {
          if (s.sequence == nullptr) return nullptr;
          return s.slice < 0 ? in_place(s) : scratch.slice(thread, s.slice);
        };
        const auto finish = [&](const Stream<T>& s) {
          if (s.slice >= 0) s.sequence->scatter(scratch.slice(thread, s.slice), start, count);
        };
        const auto fill = [&](int slice, T x) -> const T* {
          T* filled = scratch.slice(thread, slice);
          std::fill_n(filled, count, x);
          return filled;
        };

        PointwiseTask<T> task;
        task.count = count;
        task.scale = static_cast<T>(call.scale);
        for (int k = 0; k < argument_count; ++k) {
          task.arguments[k] = in(arguments[k]);
          task.argument_format[k] = arguments[k].format;
        }
        task.weight = in(weight);
        for (int k = 0; k < signature.parameters; ++k) {
          task.parameters[k] = !varies ? &parameters[k]
                               : varying[k].sequence != nullptr
                                   ? in(varying[k])
                                   : fill(varying[k].slice, parameters[k]);
        }
        task.past_cache = past_cache;
        task.narrow = narrow;
        task.value = out(value);
        task.value_format = value.format;
        for (int k = 0; k < inputs; ++k) {
          task.grad[k] = out(grad[k]);
          task.hess[k] = out(hess[k]);
          task.grad_format[k] = grad[k].format;
          task.hess_format[k] = hess[k].format;
        }
        const Sum sum = kernel(task);
        finish(value);
        for (int k = 0; k < inputs; ++k) {
          finish(grad[k]);
          finish(hess[k]);
        }
        return sum;
      }));
}

template double sum_of<float>(const Level&, const Sequence&, ptrdiff_t, ptrdiff_t);
template double sum_of<double>(const Level&, const Sequence&, ptrdiff_t, ptrdiff_t);
template double run<float>(const PointwiseCall&);
template double run<double>(const PointwiseCall&);

}  // namespace fastloss
