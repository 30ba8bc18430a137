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
  /// `wanted` of each term, for so many inputs.
  Results(const Caller& caller, unsigned wanted, int inputs)
      : caller_(caller), wanted_(wanted), inputs_(inputs) {}
  ~Results();
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  /// Reads `out`, which has the structure of the result. A value that is not stored is reduced to a
  /// number. Values have the shape of the terms, derivatives that of the inputs' elements.
  void read(PyObject* out, bool stores_value, Shape terms, Shape elements);

  /// Copies an input that an output overlaps, unless the two are the same elements and may be: a
  /// term is read as a whole before its results are written.
  void keep_apart_from(Array& input, bool may_be_same, Kept& kept) const;

  /// Makes what was not given, in the memory order of the inputs; the value in that of `values`, or
  /// in C order where that is null. `typical` is an array of this type, if there is one.
  void allocate(Storage type, const Array* typical, const Array* inputs, const Array* values,
                Shape terms);

  void fill_with_zeros();

  bool stores_value() const { return stores_value_; }
  const Array& value() const { return slots_[0].array; }
  const Array& grad(int input) const { return slots_[first_grad_ + input].array; }
  const Array& hess(int input) const { return slots_[first_hess_ + input].array; }

  /// The result, a new reference.
  PyObject* release(double reduced_value);

 private:
  /// The place of one array: null until there is one. One that was not given is owned.
  struct Slot {
    Array array;
    bool was_given;
    Extent extent;  // of one that was given
  };

  void require_tuple(OutName name, PyObject* object, Py_ssize_t length);
  void read_part(unsigned part, OutName name, PyObject* object, Shape terms, Shape elements);
  void read_slot(Slot& slot, OutName name, PyObject* object, Shape shape);
  void refuse_overlap() const;
  void allocate(Slot& slot, Storage type, PyArray_Descr* dtype, const Array* prototype,
                Shape shape);
  static PyObject* release(Slot& slot);
  PyObject* release_all(Slot* slots);

  const Caller& caller_;
  const unsigned wanted_;
  const int inputs_;
  bool stores_value_ = false;
  int count_ = 0, first_grad_ = 0, first_hess_ = 0;
  Slot slots_[1 + 2 * kMaxInputs];  // those that the result has, in its order
};

}  // namespace fastloss
