// SPDX-License-Identifier: BSD-3-Clause
// The one entry through which Python calls a loss.
#pragma once

#include <Python.h>

namespace fastloss {

struct Loss;

/// A registered loss, if it has a method of this number (an index into kMethods in evaluate.cpp)
/// with so many arguments; else null with an exception set.
const Loss* loss_with_method(int loss, int method, Py_ssize_t arguments);

/// One method of a loss on the values of its arguments, its parameters, its family's options, which
/// are (axis, ignore_index, class_weight) in row-wise losses, and weight, reduction, normalizer and
/// out, of which weight_sum has the first only. The caller holds the values until it returns: a new
/// reference, or null with an exception set.
PyObject* evaluate(const Loss& loss, int method, PyObject* const* values);

}  // namespace fastloss
