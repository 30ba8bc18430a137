// SPDX-License-Identifier: BSD-3-Clause
// The CPU levels that this build has kernels for, and the one in use.
#pragma once

#include <span>
#include <string_view>

#include "kernels.hpp"

namespace fastloss {

struct Level {
  std::string_view name;
  const PointwiseTable* pointwise[kPointwiseTables];
  const RowwiseTable* rowwise[kRowwiseTables];
  const OverlapTable* overlap[kOverlapTables];
  const OrderedTable* ordered[kOrderedTables];
  const GroupwiseTable* groupwise[kGroupwiseTables];
  const RowwiseTable* row_functions;
  const PointwiseTable* penalties;
  const SumKernels* sums;
  const NarrowKernels* narrow;
  const WordsKernel* roofline;
  const ElementaryTable* elementary;
  bool (*runs_here)();  // the CPU has it and the operating system saves its registers
};

/// From the lowest to the highest; the first one runs on every machine that the build is for.
std::span<const Level> levels();

/// The level in use: at first the highest one that runs here.
const Level& active_level();

/// Changes the level in use; false if it does not exist or does not run here.
bool activate_level(std::string_view name);

}  // namespace fastloss
