// SPDX-License-Identifier: BSD-3-Clause
// The kernels of row-wise losses for labels, at one CPU level.
#include "losses/labels.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable labels_table = kTable<Labels>;

}  // namespace fastloss::FASTLOSS_LEVEL
