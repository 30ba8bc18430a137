// SPDX-License-Identifier: BSD-3-Clause
// Conversion between float32 and the 16-bit types at one CPU level, of contiguous numbers.
#include "narrow.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Narrow>
void narrow_in_cache(const float* from, Narrow* to, ptrdiff_t count) {
  narrow(from, to, count, false);
}

}  // namespace

constinit const NarrowKernels narrow_kernels = {&widen<Float16>, &narrow_in_cache<Float16>,
                                                &widen<BFloat16>, &narrow_in_cache<BFloat16>};

}  // namespace fastloss::FASTLOSS_LEVEL
