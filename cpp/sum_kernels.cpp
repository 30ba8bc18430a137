// SPDX-License-Identifier: BSD-3-Clause
// Sums of weights at one CPU level: the denominators of weighted means.
#include "kernels.hpp"
#include "rows.hpp"
#include "sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class T>
Sum sum(const T* values, const T* weights, ptrdiff_t count) {
  LaneSum<T> sum;
  for_each_vector_of<T>(count, [&](auto span, int position) {
    Vec<T> v = span.load(values, Vec<T>(0));
    if (weights != nullptr) v = v * span.load(weights, Vec<T>(0));
    if constexpr (sizeof(T) == sizeof(double)) {
      sum.add_of_any_sign(v, position);
    } else {
      sum.add(v, position);  // in double: enough for what cancellation leaves of floats
    }
  });
  return sum.total();
}

}  // namespace

constinit const SumKernels sum_kernels = {&sum<float>, &sum<double>};

}  // namespace fastloss::FASTLOSS_LEVEL
