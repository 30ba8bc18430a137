// SPDX-License-Identifier: BSD-3-Clause
// The type of the losses and their methods: what NumPy's ufunc is to np.add.
#pragma once

#include <Python.h>

namespace fastloss {

/// Makes the type `Function` and adds it to the module; false, with an exception set, on failure.
///
/// Function(loss, method, arguments, keywords): a callable for one method of a loss. `arguments`
/// are the names of the positional ones, `keywords` a dict of the keyword-only ones with their
/// defaults, in the order parameters, family's options, weight, reduction, normalizer, out. Any
/// attribute can be set.
bool add_function_type(PyObject* module);

}  // namespace fastloss
