// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the losses of embeddings, at one CPU level.
#include "losses/embeddings.hpp"
#include "rowwise_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const RowwiseTable embeddings_table = kTable<Embeddings>;

}  // namespace fastloss::FASTLOSS_LEVEL
