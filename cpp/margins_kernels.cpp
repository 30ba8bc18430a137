// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses of margins, at one CPU level.
#include "losses/margins.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable margins_table = kTable<Margins>;

}  // namespace fastloss::FASTLOSS_LEVEL
