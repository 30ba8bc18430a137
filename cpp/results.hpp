// SPDX-License-Identifier: BSD-3-Clause
// Where the parts of a call's result go: arrays that were given as `out`, new ones, or a number.
#pragma once

#include "arguments.hpp"

namespace fastloss {

struct Shape {
  int ndim;
  const npy_intp* lengths;
};

class Results {
 public:
  /// `wanted` of each term, for so many inputs; a value that is not stored is reduced to a number.
  Results(const Caller& caller, unsigned wanted, int inputs)
      : caller_(caller), wanted_(wanted), inputs_(inputs) {}

  /// Reads `out`, which has the structure of the result. Values have the shape of the terms,
  /// derivatives that of the inputs' elements.
  void read(PyObject* out, bool stores_value, Shape terms, Shape elements);

  /// Copies an input that an output overlaps, unless the two are the same elements and may be: a
  /// term is read as a whole before its results are written.
  void keep_apart_from(Array& input, bool may_be_same);

  /// Makes what was not given, in the memory order of the inputs; the value in that of `values`, or
  /// in C order where that is null.
  void allocate(NPY_TYPES type, const Array* inputs, const Array* values, Shape terms);

  void fill_with_zeros();

  bool stores_value() const { return stores_value_; }
  const Array& value() const { return value_.array; }
  const Array& grad(int input) const { return grad_[input].array; }
  const Array& hess(int input) const { return hess_[input].array; }

  /// The result, a new reference.
  PyObject* release(double reduced_value);

 private:
  struct Slot {
    Array array;
    bool was_given = false;
  };
  using Slots = Slot[kMaxInputs];

  template <class F>
  void for_each_slot(F f) {
    f(value_);
    for (int k = 0; k < inputs_; ++k) f(grad_[k]);
    for (int k = 0; k < inputs_; ++k) f(hess_[k]);
  }
  void require_tuple(OutName name, PyObject* object, Py_ssize_t length);
  void read_part(unsigned part, OutName name, PyObject* object, Shape terms, Shape elements);
  void read_slot(Slot& slot, OutName name, PyObject* object, Shape shape);
  void refuse_overlap();
  void allocate(Slot& slot, NPY_TYPES type, const Array* prototype, Shape shape);
  static PyObject* release(Slot& slot);
  PyObject* release(Slots& slots);

  const Caller& caller_;
  const unsigned wanted_;
  const int inputs_;
  bool stores_value_ = false;
  Slot value_;
  Slots grad_, hess_;
};

}  // namespace fastloss
