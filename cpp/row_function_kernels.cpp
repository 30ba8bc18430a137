// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the functions of rows, at one CPU level. Each is that of the one call that writes
// its result: a row like a gradient, or a number like a value.
#include "row_functions.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Function, RowFunctionResult result>
constexpr RowwiseLoss entry() {
  constexpr int call = static_cast<int>(result);
  RowwiseLoss entry = {
      {Function::name, Function::inputs, Function::targets, 0}, 0, 0, 0, 1, {}, {}};
  entry.float_kernels[call] = &run<Function, float, kCalls[call]>;
  entry.double_kernels[call] = &run<Function, double, kCalls[call]>;
  return entry;
}

constexpr RowwiseLoss functions[] = {entry<LogSoftmax, RowFunctionResult::row>(),
                                     entry<SoftmaxFunction, RowFunctionResult::row>(),
                                     entry<LogSumExp, RowFunctionResult::number>(),
                                     entry<SelectedLogProb, RowFunctionResult::number>()};

}  // namespace

constinit const RowwiseTable row_function_table = {functions,
                                                   sizeof functions / sizeof functions[0]};

}  // namespace fastloss::FASTLOSS_LEVEL
