// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the losses of boxes, at one CPU level.
#include "losses/boxes.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable boxes_table = kTable<BoxLosses>;

}  // namespace fastloss::FASTLOSS_LEVEL
