// SPDX-License-Identifier: BSD-3-Clause
// The kernels of pointwise losses for real targets that large errors matter less to, at one CPU
// level.
#include "losses/robust.hpp"
#include "pointwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const PointwiseTable robust_table = kTable<Robust>;

}  // namespace fastloss::FASTLOSS_LEVEL
