// SPDX-License-Identifier: BSD-3-Clause
// Sums of weights at one CPU level: the denominators of weighted means.
#include "kernels.hpp"
#include "rows.hpp"
#include "sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// In double: enough for what cancellation leaves of floats.
Sum sum_of_floats(const float* values, const float* weights, ptrdiff_t count) {
  LaneSum sum;
  if (weights == nullptr) {
    sum.add(values, count);
    return sum.total();
  }
  constexpr ptrdiff_t at_once = 1024;
  float products[at_once];
  for (ptrdiff_t first = 0; first < count; first += at_once) {
    const ptrdiff_t length = count - first < at_once ? count - first : at_once;
    for (ptrdiff_t i = 0; i < length; ++i) products[i] = values[first + i] * weights[first + i];
    sum.add(products, length);
  }
  return sum.total();
}

Sum sum_of_doubles(const double* values, const double* weights, ptrdiff_t count) {
  LaneSum sum;
  for_each_vector_of<double>(count, [&](auto span, int position) {
    Vec<double> v = span.load(values, Vec<double>(0));
    if (weights != nullptr) v = v * span.load(weights, Vec<double>(0));
    sum.add_of_any_sign(v, position);
  });
  return sum.total();
}

}  // namespace

constinit const SumKernels sum_kernels = {&sum_of_floats, &sum_of_doubles};

}  // namespace fastloss::FASTLOSS_LEVEL
