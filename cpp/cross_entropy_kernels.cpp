// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the cross-entropy, at one CPU level.
#include "losses/cross_entropy.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable cross_entropy_table = kTable<CrossEntropies>;

}  // namespace fastloss::FASTLOSS_LEVEL
