// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the losses of similarities, at one CPU level.
#include "losses/similarities.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable similarities_table = kTable<SimilarityLosses>;

}  // namespace fastloss::FASTLOSS_LEVEL
