// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace fastloss {
namespace {

py::object steal(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

/// An array whose storage is still to be found.
Array array_of(PyObject* object) {
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  return {array, Storage::float64, PyArray_ISBYTESWAPPED(array), false};
}

/// Whether this is the bfloat16 of ml_dtypes, which NumPy knows no number of.
bool is_bfloat16(const PyArray_Descr* dtype) {
  if (!PyTypeNum_ISUSERDEF(dtype->type_num) || PyDataType_ELSIZE(dtype) != 2) return false;
  const std::string_view name = dtype->typeobj->tp_name;
  return name == "bfloat16" || name == "ml_dtypes.bfloat16";
}

/// Storage of a dtype, or false if kernels and drivers do not know it.
bool storage_of(const PyArray_Descr* dtype, Storage& storage) {
  const int type = dtype->type_num;
  const npy_intp size = PyDataType_ELSIZE(dtype);
  if (type == NPY_BOOL) {
    storage = Storage::boolean;
  } else if (type == NPY_HALF) {
    storage = Storage::float16;
  } else if (is_bfloat16(dtype)) {
    storage = Storage::bfloat16;
  } else if (type == NPY_FLOAT) {
    storage = Storage::float32;
  } else if (type == NPY_DOUBLE) {
    storage = Storage::float64;
  } else if (PyTypeNum_ISINTEGER(type)) {
    const bool is_unsigned = PyTypeNum_ISUNSIGNED(type);
    switch (size) {
      case 1:
        storage = is_unsigned ? Storage::uint8 : Storage::int8;
        break;
      case 2:
        storage = is_unsigned ? Storage::uint16 : Storage::int16;
        break;
      case 4:
        storage = is_unsigned ? Storage::uint32 : Storage::int32;
        break;
      default:
        storage = is_unsigned ? Storage::uint64 : Storage::int64;
    }
  } else {
    return false;
  }
  return true;
}

std::string dtype_text(PyArrayObject* array) {
  return "dtype " +
         std::string(py::str(py::handle(reinterpret_cast<PyObject*>(PyArray_DESCR(array)))));
}

/// Whether an object is one real number: Python's, NumPy's or an array of no dimension.
bool is_real_number(PyObject* object) {
  if (!PyArray_CheckScalar(object)) return PyFloat_Check(object) || PyLong_Check(object);
  const py::object array =
      steal(PyArray_FromAny(object, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
  Storage storage;
  return storage_of(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(array.ptr())), storage);
}

[[noreturn]] void refuse(const Caller& caller, const std::string& name, const Domain& domain,
                         PyObject* object, PyObject* type, const char* more = "") {
  caller.fail(type, name, "expected " + domain.description + more + ", got " + repr(object));
}

/// A number that is not simply a float.
double as_double(const Caller& caller, const std::string& name, const Domain& domain,
                 PyObject* object) {
  if (!is_real_number(object)) refuse(caller, name, domain, object, PyExc_TypeError);
  const double x = PyFloat_AsDouble(object);
  if (x == -1 && PyErr_Occurred()) {
    PyErr_Clear();  // an integer beyond double's range
    refuse(caller, name, domain, object, PyExc_ValueError);
  }
  return x;
}

double place_of_word(const Caller& caller, const std::string& name, const Domain& domain,
                     PyObject* object) {
  if (!PyUnicode_Check(object)) refuse(caller, name, domain, object, PyExc_TypeError);
  for (std::size_t i = 0; i < domain.words.size(); ++i) {
    if (PyUnicode_CompareWithASCIIString(object, domain.words[i].c_str()) == 0) {
      return static_cast<double>(i);
    }
  }
  refuse(caller, name, domain, object, PyExc_ValueError);
}

bool is_masked(PyObject* object) {
  return py::module_::import("numpy.ma").attr("is_masked")(py::handle(object)).cast<bool>();
}

Array described(const Caller& caller, const std::string& name, PyObject* object) {
  Array array = array_of(object);
  if (!storage_of(PyArray_DESCR(array.object), array.storage)) {
    caller.fail(
        PyExc_TypeError, name,
        "expected floats of 16 to 64 bits, integers or bools, got " + dtype_text(array.object));
  }
  return array;
}

/// Whether strides may lead two indices to one element. Exact for slices and transposes.
bool overlaps_itself(const Array& array) {
  const Walk outwards = Walk::memory(array);
  npy_intp extent = array.item_size();
  for (int d = outwards.ndim - 1; d >= 0; --d) {
    const auto [length, axis, backwards] = outwards.steps[d];
    const npy_intp stride = std::abs(array.strides()[axis]);
    if (length == 1) continue;
    if (stride < extent) return true;
    extent += stride * (length - 1);
  }
  return false;
}

}  // namespace

void Caller::fail(PyObject* type, const std::string& argument, const std::string& message) const {
  PyErr_Format(type, "%s%s: argument '%s': %s", loss.name.c_str(), method, argument.c_str(),
               message.c_str());
  throw py::error_already_set();
}

std::string shape_text(const npy_intp* shape, int ndim) {
  std::string text = "(";
  for (int d = 0; d < ndim; ++d) {
    text += std::to_string(shape[d]) + (d + 1 < ndim ? ", " : ndim == 1 ? "," : "");
  }
  return text + ")";
}

std::string repr(PyObject* object) { return py::repr(py::handle(object)); }

Extent extent_of(const Array& array) {
  Extent extent = {PyArray_BYTES(array.object), PyArray_BYTES(array.object) + array.item_size()};
  for (int d = 0; d < array.ndim(); ++d) {
    if (array.shape()[d] == 0) return {nullptr, nullptr};
    const npy_intp reach = array.strides()[d] * (array.shape()[d] - 1);
    (reach < 0 ? extent.begin : extent.end) += reach;
  }
  return extent;
}

Array as_array(const Caller& caller, const std::string& name, PyObject* object, Kept& kept) {
  if (PyArray_CheckExact(object)) return described(caller, name, object);
  const bool weak = PyFloat_CheckExact(object) || PyLong_CheckExact(object);
  if (PyArray_Check(object) && is_masked(object)) {
    caller.fail(PyExc_TypeError, name,
                "expected an array without masked elements, got a masked array: give its data "
                "and weight 0 where it is masked");
  }
  PyObject* array = PyArray_FromAny(object, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr);
  if (array == nullptr) {
    const py::error_already_set error;                 // takes NumPy's reason over
    if (!error.matches(PyExc_Exception)) throw error;  // an interrupt, say
    caller.fail(error.matches(PyExc_MemoryError)  ? PyExc_MemoryError
                : error.matches(PyExc_ValueError) ? PyExc_ValueError
                                                  : PyExc_TypeError,
                name,
                "expected an array, got " + std::string(Py_TYPE(object)->tp_name) + ": " +
                    std::string(py::str(error.value())));
  }
  kept.push_back(steal(array));
  Array result = described(caller, name, array);
  result.weak = weak;
  return result;
}

Array as_output(const Caller& caller, OutName name, PyObject* object, int ndim,
                const npy_intp* shape) {
  if (!PyArray_Check(object)) {
    caller.fail(PyExc_TypeError, name.text(),
                "expected an array or None, got " + std::string(Py_TYPE(object)->tp_name));
  }
  Array out = array_of(object);
  if (!storage_of(PyArray_DESCR(out.object), out.storage) || !out.is_float()) {
    caller.fail(
        PyExc_TypeError, name.text(),
        "expected dtype float16, bfloat16, float32 or float64, got " + dtype_text(out.object));
  }
  if (!out.has_shape(ndim, shape)) {
    caller.fail(PyExc_ValueError, name.text(),
                "expected shape " + shape_text(shape, ndim) + ", got " +
                    shape_text(out.shape(), out.ndim()));
  }
  if (!PyArray_ISWRITEABLE(out.object)) {
    caller.fail(PyExc_ValueError, name.text(), "expected a writeable array, got a read-only one");
  }
  if (!PyArray_ISONESEGMENT(out.object) && overlaps_itself(out)) {
    caller.fail(PyExc_ValueError, name.text(),
                "expected an array whose elements do not share memory, got strides " +
                    shape_text(out.strides(), out.ndim()));
  }
  return out;
}

bool is_scalar(PyObject* object) {
  return PyFloat_Check(object) || PyLong_Check(object) || object == Py_None ||
         PyArray_CheckScalar(object) || PyUnicode_Check(object);
}

double as_number(const Caller& caller, const std::string& name, const Domain& domain,
                 PyObject* object, bool to_float32) {
  if (domain.is_flag) {
    if (!PyBool_Check(object) && !PyArray_IsScalar(object, Bool)) {
      refuse(caller, name, domain, object, PyExc_TypeError);
    }
    return PyObject_IsTrue(object);
  }
  if (!domain.words.empty()) return place_of_word(caller, name, domain, object);
  if (object == Py_None && !std::isnan(domain.when_none)) return domain.when_none;
  const double x = PyFloat_CheckExact(object) ? PyFloat_AS_DOUBLE(object)
                                              : as_double(caller, name, domain, object);
  if (!std::isfinite(x) || !domain.contains(x)) {
    refuse(caller, name, domain, object, PyExc_ValueError);
  }
  if (const float rounded = static_cast<float>(x);
      to_float32 && (!std::isfinite(rounded) || !domain.contains(rounded))) {
    refuse(caller, name, domain, object, PyExc_ValueError, " also in float32");
  }
  return x;
}

Array as_doubles(const Caller& caller, const std::string& name, PyObject* object, npy_intp length,
                 Kept& kept) {
  const Array given = as_array(caller, name, object, kept);
  if (given.ndim() != 1 || given.size() != length) {
    caller.fail(PyExc_ValueError, name,
                "expected shape " + shape_text(&length, 1) + ", got " +
                    shape_text(given.shape(), given.ndim()));
  }
  kept.push_back(steal(PyArray_FromArray(given.object, PyArray_DescrFromType(NPY_DOUBLE),
                                         NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY)));
  return array_of(kept.back().ptr());
}

bool is_same(const Array& a, const Array& b) {
  return PyArray_BYTES(a.object) == PyArray_BYTES(b.object) && a.storage == b.storage &&
         a.swapped == b.swapped && a.has_shape(b.ndim(), b.shape()) &&
         std::equal(a.strides(), a.strides() + a.ndim(), b.strides());
}

Walk Walk::logical(int ndim, const npy_intp* shape) {
  Walk walk;
  walk.ndim = ndim;
  for (int d = 0; d < ndim; ++d) walk.steps[d] = {shape[d], d, false};
  return walk;
}

Walk Walk::memory(const Array& array) {
  Walk walk = logical(array.ndim(), array.shape());
  const npy_intp* strides = array.strides();
  std::stable_sort(walk.steps, walk.steps + walk.ndim, [=](const Step& a, const Step& b) {
    return std::abs(strides[a.axis]) > std::abs(strides[b.axis]);
  });
  for (int d = 0; d < walk.ndim; ++d) walk.steps[d].backwards = strides[walk.steps[d].axis] < 0;
  return walk;
}

Walk Walk::with_last(int ndim, const npy_intp* shape, int axis) {
  Walk walk = logical(ndim, shape);
  std::rotate(walk.steps + axis, walk.steps + axis + 1, walk.steps + ndim);
  return walk;
}

const Sequence* Sequences::add(const Array& array, const Walk& walk, bool rows) {
  const int missing = walk.ndim - array.ndim();
  const npy_intp *shape = array.shape(), *strides = array.strides();
  Sequence* sequence =
      std::construct_at(&all_[count_++], PyArray_BYTES(array.object), array.storage, array.swapped);
  for (int d = 0; d < walk.ndim; ++d) {
    const auto [length, axis, backwards] = walk.steps[d];
    const int own = axis - missing;
    const bool broadcast = own < 0 || (shape[own] == 1 && length != 1);
    const npy_intp stride = broadcast ? 0 : strides[own];
    if (rows && d + 1 == walk.ndim) {
      sequence->append(length, length == 1 ? array.item_size() : stride, false);
    } else if (backwards) {
      sequence->append_backwards(length, stride);
    } else {
      sequence->append(length, stride);
    }
  }
  return sequence;
}

}  // namespace fastloss
