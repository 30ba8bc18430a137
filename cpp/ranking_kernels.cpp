// SPDX-License-Identifier: BSD-3-Clause
// The kernels of losses that rank, at one CPU level.
#include "groupwise_kernels.hpp"
#include "losses/ranking.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const GroupwiseTable ranking_table = kTable<Ranking>;

}  // namespace fastloss::FASTLOSS_LEVEL
