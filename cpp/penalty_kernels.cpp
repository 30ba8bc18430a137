// SPDX-License-Identifier: BSD-3-Clause
// The kernels of penalties on parameters, at one CPU level: those of pointwise losses without
// targets.
#include "penalties.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable penalty_table = kTable<Penalties>;

}  // namespace fastloss::FASTLOSS_LEVEL
