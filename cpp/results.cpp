// SPDX-License-Identifier: BSD-3-Clause
#include "results.hpp"

#include <utility>

namespace fastloss {
namespace {

constexpr unsigned kParts[] = {kValue, kGrad, kHess};

PyObject* tuple_of(PyObject* const* items, int count) {
  PyObject* tuple = PyTuple_New(count);
  if (tuple == nullptr) throw py::error_already_set();
  for (int i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple, i, items[i]);
  return tuple;
}

/// The dtype of numbers stored like this; `typical` has it, if NumPy does not know it.
py::object dtype_of(Storage type, const Array* typical) {
  PyArray_Descr* dtype = type == Storage::bfloat16
                             ? PyArray_DescrNewByteorder(PyArray_DESCR(typical->object), NPY_NATIVE)
                         : type == Storage::float16 ? PyArray_DescrFromType(NPY_HALF)
                         : type == Storage::float32 ? PyArray_DescrFromType(NPY_FLOAT)
                                                    : PyArray_DescrFromType(NPY_DOUBLE);
  if (dtype == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(dtype));
}

}  // namespace

Results::~Results() {
  for (int i = 0; i < count_; ++i) {
    if (!slots_[i].was_given) Py_XDECREF(slots_[i].array.as_object());
  }
}

void Results::read(PyObject* out, bool stores_value, Shape terms, Shape elements) {
  stores_value_ = stores_value;
  first_grad_ = stores_value;
  first_hess_ = first_grad_ + ((wanted_ & kGrad) != 0 ? inputs_ : 0);
  count_ = first_hess_ + ((wanted_ & kHess) != 0 ? inputs_ : 0);
  for (int i = 0; i < count_; ++i) {
    slots_[i].array.object = nullptr;
    slots_[i].was_given = false;
  }
  if (out == Py_None) return;
  int parts = 0;
  for (const unsigned part : kParts) parts += (wanted_ & part) != 0;
  if (parts == 1) {
    read_part(wanted_, {}, out, terms, elements);
  } else {
    require_tuple({}, out, parts);
    int at = 0;
    for (const unsigned part : kParts) {
      if ((wanted_ & part) == 0) continue;
      read_part(part, {at}, PyTuple_GET_ITEM(out, at), terms, elements);
      ++at;
    }
  }
  refuse_overlap();
}

void Results::require_tuple(OutName name, PyObject* object, Py_ssize_t length) {
  if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == length) return;
  caller_.fail(PyTuple_Check(object) ? PyExc_ValueError : PyExc_TypeError, name.text(),
               "expected None or a tuple of " + std::to_string(length) + " as the result is, got " +
                   (PyTuple_Check(object) ? "one of " + std::to_string(PyTuple_GET_SIZE(object))
                                          : std::string(Py_TYPE(object)->tp_name)));
}

void Results::read_part(unsigned part, OutName name, PyObject* object, Shape terms,
                        Shape elements) {
  if (object == Py_None) return;
  if (part == kValue) {
    if (!stores_value_) {
      caller_.fail(PyExc_TypeError, name.text(),
                   "expected None for a reduced value, which is a number, got " +
                       std::string(Py_TYPE(object)->tp_name));
    }
    return read_slot(slots_[0], name, object, terms);
  }
  Slot* slots = slots_ + (part == kGrad ? first_grad_ : first_hess_);
  if (inputs_ == 1) return read_slot(slots[0], name, object, elements);
  require_tuple(name, object, inputs_);
  for (int k = 0; k < inputs_; ++k) {
    name.input = k;
    read_slot(slots[k], name, PyTuple_GET_ITEM(object, k), elements);
  }
}

void Results::read_slot(Slot& slot, OutName name, PyObject* object, Shape shape) {
  if (object == Py_None) return;
  slot.array = as_output(caller_, name, object, shape.ndim, shape.lengths);
  slot.was_given = true;
  slot.extent = extent_of(slot.array);
}

void Results::refuse_overlap() const {
  for (int i = 0; i < count_; ++i) {
    for (int k = i + 1; k < count_; ++k) {
      const Slot &a = slots_[i], &b = slots_[k];
      if (!a.was_given || !b.was_given || !a.extent.meets(b.extent)) continue;
      const py::object shares = py::module_::import("numpy").attr("shares_memory");
      if (!shares(py::handle(a.array.as_object()), py::handle(b.array.as_object())).cast<bool>()) {
        continue;
      }
      caller_.fail(PyExc_ValueError, "out",
                   "expected arrays that do not share memory, got two that do");
    }
  }
}

void Results::keep_apart_from(Array& input, bool may_be_same, Kept& kept) const {
  const Extent extent = extent_of(input);
  for (int i = 0; i < count_; ++i) {
    const Slot& slot = slots_[i];
    if (!slot.was_given || !slot.extent.meets(extent)) continue;
    if (may_be_same && is_same(slot.array, input)) continue;
    PyObject* copy = PyArray_NewCopy(input.object, NPY_KEEPORDER);
    if (copy == nullptr) throw py::error_already_set();
    kept.push_back(py::reinterpret_steal<py::object>(copy));
    input.object = reinterpret_cast<PyArrayObject*>(copy);
    return;
  }
}

void Results::allocate(Storage type, const Array* typical, const Array* inputs, const Array* values,
                       Shape terms) {
  const py::object dtype = dtype_of(type, typical);
  auto* descr = reinterpret_cast<PyArray_Descr*>(dtype.ptr());
  if (stores_value_) allocate(slots_[0], type, descr, values, terms);
  for (int i = first_grad_; i < count_; ++i) {
    allocate(slots_[i], type, descr, &inputs[(i - first_grad_) % inputs_], terms);
  }
}

void Results::allocate(Slot& slot, Storage type, PyArray_Descr* dtype, const Array* prototype,
                       Shape shape) {
  if (slot.was_given) return;
  Py_INCREF(dtype);
  PyObject* array = prototype != nullptr
                        ? PyArray_NewLikeArray(prototype->object, NPY_KEEPORDER, dtype, 0)
                        : PyArray_SimpleNewFromDescr(shape.ndim, shape.lengths, dtype);
  if (array == nullptr) {
    const py::error_already_set error;
    PyErr_Format(error.matches(PyExc_MemoryError) ? PyExc_MemoryError : PyExc_ValueError,
                 "%s%s: %S", caller_.loss.name.c_str(), caller_.method, error.value().ptr());
    throw py::error_already_set();
  }
  slot.array = {reinterpret_cast<PyArrayObject*>(array), type, false, false};
}

void Results::fill_with_zeros() {
  for (int i = 0; i < count_; ++i) {
    const py::object zero = py::int_(0);
    if (PyArray_CopyObject(slots_[i].array.object, zero.ptr()) < 0) throw py::error_already_set();
  }
}

/// As ufuncs do: an array that was given, a new array, or a scalar in place of a new 0-d array.
PyObject* Results::release(Slot& slot) {
  PyArrayObject* array = std::exchange(slot.array.object, nullptr);
  return slot.was_given ? Py_NewRef(array) : PyArray_Return(array);
}

PyObject* Results::release_all(Slot* slots) {
  if (inputs_ == 1) return release(slots[0]);
  PyObject* items[kMaxInputs];
  for (int k = 0; k < inputs_; ++k) items[k] = release(slots[k]);
  return tuple_of(items, inputs_);
}

PyObject* Results::release(double reduced_value) {
  PyObject* parts[std::size(kParts)];
  int count = 0;
  if (wanted_ & kValue) {
    parts[count++] = stores_value_ ? release(slots_[0]) : PyFloat_FromDouble(reduced_value);
  }
  if (wanted_ & kGrad) parts[count++] = release_all(slots_ + first_grad_);
  if (wanted_ & kHess) parts[count++] = release_all(slots_ + first_hess_);
  return count == 1 ? parts[0] : tuple_of(parts, count);
}

}  // namespace fastloss
