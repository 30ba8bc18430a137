// SPDX-License-Identifier: BSD-3-Clause
// The kernels of overlap losses for masks of images, at one CPU level.
#include "losses/segmentation.hpp"
#include "overlap_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const OverlapTable segmentation_table = kTable<Segmentation>;

}  // namespace fastloss::FASTLOSS_LEVEL
