// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes at one CPU level with next to no arithmetic: what memory alone costs a kernel.
#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

using Word = std::uint32_t;

void add_words(const WordsTask& task) {
  constexpr ptrdiff_t lanes = Vec<Word>::lanes;
  constexpr int group = 4;  // vectors: they share the loop over the arrays
  ptrdiff_t i = 0;
  for (; i + group * lanes <= task.count; i += group * lanes) {
    Vec<Word> sum[group];
    for (int v = 0; v < group; ++v) sum[v] = Vec<Word>::load(task.inputs[0] + i + v * lanes);
    for (int k = 1; k < task.input_count; ++k) {
      for (int v = 0; v < group; ++v) {
        sum[v] = sum[v] + Vec<Word>::load(task.inputs[k] + i + v * lanes);
      }
    }
    for (int k = 0; k < task.output_count; ++k) {
      Word* const to = task.outputs[k] + i;
      for (int v = 0; v < group; ++v) {
        if (task.past_cache) {
          store_past_cache(reinterpret_cast<float*>(to + v * lanes),
                           __builtin_bit_cast(Vec<float>, sum[v]));
        } else {
          sum[v].store(to + v * lanes);
        }
      }
    }
  }
  for (; i < task.count; ++i) {
    Word sum = 0;
    for (int k = 0; k < task.input_count; ++k) sum += task.inputs[k][i];
    for (int k = 0; k < task.output_count; ++k) task.outputs[k][i] = sum;
  }
  if (task.past_cache) finish_past_cache();
}

}  // namespace

constinit const WordsKernel roofline_kernel = &add_words;

}  // namespace fastloss::FASTLOSS_LEVEL
