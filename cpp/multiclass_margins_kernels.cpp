// SPDX-License-Identifier: BSD-3-Clause
// The kernels of row-wise losses of a label's margin to other classes, at one CPU level.
#include "losses/multiclass_margins.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable multiclass_margins_table = kTable<MulticlassMargins>;

}  // namespace fastloss::FASTLOSS_LEVEL
