// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the partial likelihood, at one CPU level.
#include "losses/cox.hpp"
#include "ordered_kernels.hpp"

namespace fastloss::FASTLOSS_LEVEL {

constinit const OrderedTable cox_table = kTable<CoxLosses>;

}  // namespace fastloss::FASTLOSS_LEVEL
