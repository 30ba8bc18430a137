// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses for real targets, at one CPU level.
#include "losses/regression.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable regression_table = kTable<Regression>;

}  // namespace fastloss::FASTLOSS_LEVEL
