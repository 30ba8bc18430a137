// SPDX-License-Identifier: BSD-3-Clause
// The one entry through which Python calls a loss.
#pragma once

#include <Python.h>

namespace fastloss {

/// evaluate(loss, method, weight, reduction, normalizer, out, *arguments, *parameters, *options):
/// the loss's number, the index of one of its methods (kMethods in evaluate.cpp), what the keywords
/// of that name hold, and then the loss's arguments, its parameters, and its family's options:
/// (axis, ignore_index, class_weight) in row-wise losses.
PyObject* evaluate(PyObject* module, PyObject* const* arguments, Py_ssize_t count);

}  // namespace fastloss
