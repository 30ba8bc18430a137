// SPDX-License-Identifier: BSD-3-Clause
// The elementary functions of the kernels, one by one, for measuring their accuracy.
#pragma once

#include <pybind11/pybind11.h>

#include <span>
#include <string>

#include "kernels.hpp"

namespace fastloss {

/// Those of the level in use.
std::span<const ElementaryFunction> elementary_functions();

/// Applies one of them. Arguments and `out` are contiguous one-dimensional arrays of one length,
/// all float32 or all float64; `out` may be an argument, and must not overlap one otherwise.
void elementary(const std::string& name, const pybind11::args& arguments, pybind11::handle out);

}  // namespace fastloss
