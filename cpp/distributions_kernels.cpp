// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the losses that compare distributions, at one CPU level.
#include "losses/distributions.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable distributions_table = kTable<Distributions>;

}  // namespace fastloss::FASTLOSS_LEVEL
