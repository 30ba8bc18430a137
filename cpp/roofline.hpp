// SPDX-License-Identifier: BSD-3-Clause
// The cost of memory alone, which the speed of the losses is judged against.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

namespace fastloss {

/// Adds the inputs up into each output, as 32-bit words modulo 2³², by as many threads as a loss
/// would take; on request past the caches. The arrays are contiguous and of the same number of
/// bytes, a multiple of four; outputs overlap nothing.
void move_bytes(const std::vector<pybind11::object>& inputs,
                const std::vector<pybind11::object>& outputs, bool past_cache);

}  // namespace fastloss
