// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

#include <algorithm>
#include <limits>

namespace fastloss {
namespace {

// Elements below which letting other Python threads run costs more than it gives.
constexpr npy_intp kReleaseGil = 4096;

/// Whether an object is this word, which is interned as the words in a program's text are.
bool is_word(PyObject* object, PyObject* word) {
  return object == word || (PyUnicode_Check(object) && PyUnicode_Compare(object, word) == 0);
}

}  // namespace

PyObject* Evaluation::run() {
  read_arguments();
  read_terms();
  read_weight();
  read_parameters();
  if (wanted_ == 0) {
    prepare();
    return PyFloat_FromDouble(term_count_ > 0 ? weight_sum() : 0);
  }
  read_reduction();
  const bool stores_value = (wanted_ & kValue) != 0 && reduction_ == Reduction::none;
  results_.read(request_.out, stores_value, terms(), {scores().ndim(), scores().shape()});
  if (request_.out != Py_None) {
    for (int k = 0; k < argument_count(); ++k) results_.keep_apart_from(arrays_[k], true, kept_);
    if (has(weight_)) {
      results_.keep_apart_from(weight_, results_may_replace_weight(), kept_);
    }
  }
  prepare();
  return compute();
}

int Evaluation::number_of(int role) const {
  int i = 0;
  while (role_of(i) != role) ++i;
  return i;
}

void Evaluation::read_arguments() {
  bool any = false;
  for (int i = 0; i < argument_count(); ++i) {
    Array& array = argument(i);
    array = as_array(caller_, name_of(i), request_.arguments[i], kept_);
    if (array.weak || (array.is_integer() && is_target(i))) continue;
    const Storage storage = array.is_integer() ? Storage::float64 : array.storage;
    result_type_ = any ? promotion(result_type_, storage) : storage;
    any = true;
  }
  single_ = result_type_ != Storage::float64;
}

Evaluation::Element Evaluation::element(const Array& array, npy_intp number) {
  py::tuple index(array.ndim());
  for (int d = array.ndim() - 1; d >= 0; --d) {
    index[static_cast<std::size_t>(d)] = py::int_(number % array.shape()[d]);
    number /= array.shape()[d];
  }
  const py::object element = py::handle(array.as_object())[index];
  return {py::str(element), py::str(array.ndim() == 1 ? py::object(index[0]) : py::object(index))};
}

void Evaluation::require_shape(int i, int ndim, const npy_intp* shape) {
  const Array& array = argument(i);
  if (array.has_shape(ndim, shape)) return;
  caller_.fail(PyExc_ValueError, name_of(i),
               "expected shape " + shape_text(shape, ndim) + " to match '" + name_of(0) +
                   "', got " + shape_text(array.shape(), array.ndim()));
}

Keys Evaluation::keys(Array array, const Walk& walk) {
  Keys::Kind kind = array.is_float() ? Keys::numbers : Keys::integers;
  if (array.storage == Storage::uint64) {
    array.storage = Storage::int64;
    kind = Keys::unsigned_integers;
  }
  return {sequences_.add(array, walk), kind};
}

void Evaluation::set_terms(int ndim, const npy_intp* shape) {
  terms_ndim_ = ndim;
  terms_shape_ = shape;
  term_count_ = 1;
  for (int d = 0; d < ndim; ++d) term_count_ *= shape[d];
}

void Evaluation::read_weight() {
  if (request_.weight == Py_None) return;
  weight_ = as_array(caller_, "weight", request_.weight, kept_);
  bool fits = weight_.ndim() <= terms_ndim_;
  for (int d = 1; fits && d <= weight_.ndim(); ++d) {
    const npy_intp own = weight_.shape()[weight_.ndim() - d];
    fits = own == 1 || own == terms_shape_[terms_ndim_ - d];
  }
  if (!fits) {
    caller_.fail(PyExc_ValueError, "weight",
                 "expected a shape that broadcasts to " + shape_text(terms_shape_, terms_ndim_) +
                     ", got " + shape_text(weight_.shape(), weight_.ndim()));
  }
}

void Evaluation::read_parameters() {
  for (int k = 0; k < loss_.signature.parameters; ++k) {
    const Parameter& parameter = loss_.parameters[static_cast<std::size_t>(k)];
    PyObject* given = request_.parameters[k];
    varying_[k].object = nullptr;
    if (given == parameter.default_object) {
      numbers_[k] = parameter.default_number;
      continue;
    }
    const bool may_vary = parameters_may_vary() && parameter.domain.is_number();
    if (!may_vary || is_scalar(given)) {
      numbers_[k] = as_number(caller_, parameter.name, parameter.domain, given, single_);
      continue;
    }
    const npy_intp length = terms_ndim_ > 0 ? terms_shape_[terms_ndim_ - 1] : 0;
    varying_[k] = as_doubles(caller_, parameter.name, given, length, kept_);
    const auto* numbers = static_cast<const double*>(PyArray_DATA(varying_[k].object));
    for (npy_intp i = 0; i < length; ++i) {
      as_number(caller_, parameter.name, parameter.domain, py::float_(numbers[i]).ptr(), single_);
    }
  }
}

void Evaluation::read_reduction() {
  PyObject* given = request_.reduction;
  static PyObject* const mean = PyUnicode_InternFromString("mean");
  static PyObject* const sum = PyUnicode_InternFromString("sum");
  static PyObject* const none = PyUnicode_InternFromString("none");
  if (is_word(given, mean)) {
    reduction_ = Reduction::mean;
  } else if (is_word(given, sum)) {
    reduction_ = Reduction::sum;
  } else if (is_word(given, none)) {
    reduction_ = Reduction::none;
  } else {
    caller_.fail(PyUnicode_Check(given) ? PyExc_ValueError : PyExc_TypeError, "reduction",
                 "expected 'mean', 'sum' or 'none', got " + repr(given));
  }
  if (request_.normalizer == Py_None) return;
  static const Domain positive{
      "a finite number > 0", 0, std::numeric_limits<double>::infinity(), false, false, false,
      std::nan(""),          {}};
  if (reduction_ != Reduction::mean) {
    caller_.fail(PyExc_ValueError, "normalizer",
                 "expected None unless reduction is 'mean', got " + repr(request_.normalizer));
  }
  normalizer_ = as_number(caller_, "normalizer", positive, request_.normalizer, false);
}

PyObject* Evaluation::compute() {
  const auto is_typical = [&](const Array& array) { return array.storage == result_type_; };
  const Array* typical = std::find_if(arrays_, arrays_ + argument_count(), is_typical);
  results_.allocate(result_type_, typical, arrays_, values_are_elements() ? &scores() : nullptr,
                    terms());
  double denominator = 1;
  if (reduction_ == Reduction::mean) {
    denominator = normalizer_ > 0 ? normalizer_ : term_count_ > 0 ? weight_sum() : 0;
  }
  const bool nothing_to_average = denominator == 0;
  if (nothing_to_average && (wanted_ & kValue) != 0 &&
      PyErr_WarnEx(PyExc_RuntimeWarning, "Mean of empty slice", 1) < 0) {
    throw py::error_already_set();
  }
  double sum = 0;
  if (nothing_to_average) {
    results_.fill_with_zeros();
  } else if (scores().size() > 0) {
    const double scale = 1 / denominator;
    const bool release = scores().size() >= kReleaseGil;
    PyThreadState* state = release ? PyEval_SaveThread() : nullptr;
    try {
      sum = evaluate(scale);
    } catch (...) {
      if (state != nullptr) PyEval_RestoreThread(state);
      throw;
    }
    if (state != nullptr) PyEval_RestoreThread(state);
  }
  return results_.release(nothing_to_average ? std::nan("") : sum / denominator);
}

void Evaluation::complete(Call& call, double scale, const Walk& terms, const Walk& elements,
                          bool rows) {
  call.call = call_;
  call.parameters = numbers_;
  call.scale = scale;
  if (results_.stores_value()) call.value = sequences_.add(results_.value(), terms);
  for (int k = 0; k < inputs_; ++k) {
    if (wanted_ & kGrad) call.grad[k] = sequences_.add(results_.grad(k), elements, rows);
    if (wanted_ & kHess) call.hess[k] = sequences_.add(results_.hess(k), elements, rows);
  }
}

template <class T>
double Evaluation::sum_of_weights() {
  if (!has(weight_)) return static_cast<double>(term_count_);
  const npy_intp own = weight_.size();
  Sequences sequences;
  const Walk walk = Walk::logical(weight_.ndim(), weight_.shape());
  const Sequence* weight = sequences.add(weight_, walk);
  return sum_of<T>(active_level(), *weight, own, term_count_ / own);
}
template double Evaluation::sum_of_weights<float>();
template double Evaluation::sum_of_weights<double>();

}  // namespace fastloss
