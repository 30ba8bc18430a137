// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the losses of several labels at once, at one CPU level.
#include "losses/multilabel.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable multilabel_table = kTable<Multilabel>;

}  // namespace fastloss::FASTLOSS_LEVEL
