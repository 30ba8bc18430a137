// SPDX-License-Identifier: BSD-3-Clause
// Conversion between float32 and the 16-bit types at one CPU level, of contiguous numbers.
#include "narrow.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <Format format>
void widen(const void* from, float* to, ptrdiff_t count) {
  const auto* array = static_cast<const float*>(from);
  const ptrdiff_t whole = count - count % Vec<float>::lanes;
  for (ptrdiff_t i = 0; i < whole; i += Vec<float>::lanes) load(array, format, i).store(to + i);
  load_some(array, format, whole, to + whole, count - whole);
}
template <Format format>
void narrow(const float* from, void* to, ptrdiff_t count) {
  auto* array = static_cast<float*>(to);
  const ptrdiff_t whole = count - count % Vec<float>::lanes;
  for (ptrdiff_t i = 0; i < whole; i += Vec<float>::lanes) {
    store_otherwise(false, array, format, i, Vec<float>::load(from + i));
  }
  store_some(from + whole, array, format, whole, count - whole);
}

}  // namespace

constinit const NarrowKernels narrow_kernels = {&widen<Format::float16>, &narrow<Format::float16>,
                                                &widen<Format::bfloat16>,
                                                &narrow<Format::bfloat16>};

}  // namespace fastloss::FASTLOSS_LEVEL
