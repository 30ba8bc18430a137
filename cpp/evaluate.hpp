// SPDX-License-Identifier: BSD-3-Clause
// The one entry through which Python calls a loss.
#pragma once

#include <Python.h>

namespace fastloss {

/// One method of a loss (an index into kMethods in evaluate.cpp) on the values of its arguments,
/// its parameters, its family's options, which are (axis, ignore_index, class_weight) in row-wise
/// losses, and weight, reduction, normalizer and out; the last three may be missing. Returns a new
/// reference, or null with an exception set.
PyObject* evaluate(int loss, int method, PyObject* const* values, Py_ssize_t count);

}  // namespace fastloss
