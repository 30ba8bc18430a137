// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses of times to an event, at one CPU level.
#include "losses/survival.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable survival_table = kTable<Survival>;

}  // namespace fastloss::FASTLOSS_LEVEL
