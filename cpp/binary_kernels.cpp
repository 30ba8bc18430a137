// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses for targets of two classes, at one CPU level.
#include "losses/binary.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable binary_table = kTable<Binary>;

}  // namespace fastloss::FASTLOSS_LEVEL
