// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses for counts and other targets that are not negative, at one CPU
// level.
#include "losses/counts.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable counts_table = kTable<Counts>;

}  // namespace fastloss::FASTLOSS_LEVEL
