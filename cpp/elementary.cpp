// SPDX-License-Identifier: BSD-3-Clause
#include "elementary.hpp"

#include <algorithm>

#include "arguments.hpp"
#include "dispatch.hpp"

namespace fastloss {
namespace {

const ElementaryFunction& function_called(const std::string& name) {
  const auto functions = elementary_functions();
  const auto found = std::find_if(functions.begin(), functions.end(),
                                  [&](const ElementaryFunction& f) { return f.name == name; });
  if (found == functions.end()) {
    throw py::value_error("no elementary function is called '" + name + "'");
  }
  return *found;
}

/// The array, if its elements can be taken as they lie in memory.
PyArrayObject* plain_array(const std::string& name, py::handle object) {
  auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
  if (!PyArray_Check(object.ptr()) || PyArray_NDIM(array) != 1 || !PyArray_ISCARRAY_RO(array) ||
      (PyArray_TYPE(array) != NPY_FLOAT && PyArray_TYPE(array) != NPY_DOUBLE)) {
    throw py::type_error(name + ": expected contiguous 1-D arrays of float32 or float64");
  }
  return array;
}

template <class T>
void apply(ElementaryKernel<T> kernel, PyArrayObject* x, PyArrayObject* y, PyArrayObject* out) {
  const auto data = [](PyArrayObject* array) {
    return array == nullptr ? nullptr : static_cast<T*>(PyArray_DATA(array));
  };
  const py::gil_scoped_release release;
  kernel(data(x), data(y), data(out), PyArray_SIZE(out));
}

}  // namespace

std::span<const ElementaryFunction> elementary_functions() {
  const ElementaryTable& table = *active_level().elementary;
  return {table.functions, static_cast<std::size_t>(table.count)};
}

void elementary(const std::string& name, const py::args& arguments, py::handle out) {
  const ElementaryFunction& function = function_called(name);
  if (static_cast<int>(arguments.size()) != function.arguments) {
    throw py::type_error(name + ": expected " + std::to_string(function.arguments) +
                         " arguments, got " + std::to_string(arguments.size()));
  }
  PyArrayObject* const result = plain_array(name, out);
  if (!PyArray_ISWRITEABLE(result)) throw py::value_error(name + ": out is read-only");
  PyArrayObject* inputs[2] = {};
  for (int i = 0; i < function.arguments; ++i) {
    inputs[i] = plain_array(name, arguments[static_cast<std::size_t>(i)]);
    if (PyArray_TYPE(inputs[i]) != PyArray_TYPE(result)) {
      throw py::type_error(name + ": expected arguments and out of one dtype");
    }
    if (PyArray_SIZE(inputs[i]) != PyArray_SIZE(result)) {
      throw py::value_error(name + ": expected arguments and out of one length");
    }
  }
  if (PyArray_TYPE(result) == NPY_FLOAT) {
    apply(function.float_kernel, inputs[0], inputs[1], result);
  } else {
    apply(function.double_kernel, inputs[0], inputs[1], result);
  }
}

}  // namespace fastloss
