// SPDX-License-Identifier: BSD-3-Clause
// Python objects as checked arrays, numbers and outputs. Every failure is an exception that names
// the function and the argument, says what was expected and what came, and leaves all outputs as
// they were.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <string>
#include <vector>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL fastloss_numpy_api
#ifndef FASTLOSS_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "layout.hpp"
#include "registry.hpp"

namespace fastloss {

namespace py = pybind11;

/// The call that is being checked, for messages.
struct Caller {
  const Loss& loss;
  const char* method;  // "" or ".grad", ...

  [[noreturn]] void fail(PyObject* type, const std::string& argument,
                         const std::string& message) const;
};

/// A real array, not yet of any particular type. It does not own: what a call was given lives as
/// long as the call, and what is made on the way is Kept.
struct Array {
  PyArrayObject* object;  // null: not given
  Storage storage;
  bool swapped;
  bool weak;  // came as a Python number: does not promote

  int ndim() const { return PyArray_NDIM(object); }
  const npy_intp* shape() const { return PyArray_DIMS(object); }
  const npy_intp* strides() const { return PyArray_STRIDES(object); }
  npy_intp item_size() const { return PyArray_ITEMSIZE(object); }
  npy_intp size() const { return PyArray_SIZE(object); }
  bool has_shape(int dimensions, const npy_intp* lengths) const {
    if (ndim() != dimensions) return false;
    for (int d = 0; d < dimensions; ++d) {
      if (shape()[d] != lengths[d]) return false;
    }
    return true;
  }
  PyObject* as_object() const { return reinterpret_cast<PyObject*>(object); }
  bool is_float() const { return storage >= Storage::float16; }
  bool is_integer() const { return storage < Storage::float16; }
};

/// The floating type that has the numbers of both.
inline Storage promotion(Storage a, Storage b) {
  return a == b ? a : std::max({a, b, Storage::float32});
}

/// Objects that a call has made and that live as long as it.
using Kept = std::vector<py::object>;

std::string shape_text(const npy_intp* shape, int ndim);
std::string repr(PyObject* object);

/// An array_like of real numbers.
Array as_array(const Caller& caller, const std::string& name, PyObject* object, Kept& kept);

/// A place in the argument `out`, spelled only where it is needed.
struct OutName {
  int part = -1, input = -1;

  std::string text() const {
    std::string text = "out";
    for (const int index : {part, input}) {
      if (index >= 0) text += "[" + std::to_string(index) + "]";
    }
    return text;
  }
};

/// An array given as output: writeable, of floats and this shape, without inner overlap.
Array as_output(const Caller& caller, OutName name, PyObject* object, int ndim,
                const npy_intp* shape);

/// A real number, checked for being finite and in the domain, also once rounded to float32 if
/// `to_float32`; the place of a word.
double as_number(const Caller& caller, const std::string& name, const Domain& domain,
                 PyObject* object, bool to_float32);

/// Whether an object is taken for one number, and not for an array of them.
bool is_scalar(PyObject* object);

/// A one-dimensional copy in double precision, of `length` numbers.
Array as_doubles(const Caller& caller, const std::string& name, PyObject* object, npy_intp length,
                 Kept& kept);

/// From the first to behind the last byte of an array; nothing for one without elements.
struct Extent {
  const char *begin, *end;

  bool meets(Extent other) const { return begin < other.end && other.begin < end; }
};
Extent extent_of(const Array& array);
/// Whether two arrays are the same elements in the same order and format.
bool is_same(const Array& a, const Array& b);

/// The order in which a call walks through its terms: axes, slowest first, some of them backwards.
struct Walk {
  struct Step {
    npy_intp length;
    int axis;
    bool backwards;
  };
  int ndim;
  Step steps[kMaxDimensions];

  /// C order.
  static Walk logical(int ndim, const npy_intp* shape);
  /// The order in which `array` lies in memory.
  static Walk memory(const Array& array);
  /// C order with one axis last.
  static Walk with_last(int ndim, const npy_intp* shape, int axis);
};

/// The sequences of one call.
class Sequences {
 public:
  /// An array in the order of a walk. Its shape is broadcast to the walk's lengths from the right;
  /// `rows` keeps the last axis of the walk apart.
  const Sequence* add(const Array& array, const Walk& walk, bool rows = false);

 private:
  static constexpr int kWeightAndValue = 2;
  Sequence all_[kMaxArguments + kMaxParameters + 2 * kMaxInputs + kWeightAndValue];
  int count_ = 0;
};

}  // namespace fastloss
