// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

namespace fastloss {

/// One term per row along an axis.
void RowwiseEvaluation::read_terms() {
  const int ndim = scores().ndim();
  if (ndim == 0) {
    caller_.fail(PyExc_ValueError, name_of(0), "expected at least one dimension, got a number");
  }
  read_axis();
  classes_ = scores().shape()[axis_];
  for (int d = 0, rest = 0; d < ndim; ++d) {
    if (d != axis_) row_shape_[rest++] = scores().shape()[d];
  }
  set_terms(ndim - 1, row_shape_);
  if (classes_ == 0 && term_count_ > 0) {
    caller_.fail(PyExc_ValueError, name_of(0),
                 "expected at least one class along axis " + std::to_string(axis_) + ", got " +
                     "shape " + shape_text(scores().shape(), ndim));
  }
  const RowwiseLoss& loss = kernels();
  if (loss.row_length > 0 && classes_ != loss.row_length) {
    caller_.fail(PyExc_ValueError, name_of(0),
                 "expected " + std::to_string(loss.row_length) + " numbers along axis " +
                     std::to_string(axis_) + ", got shape " + shape_text(scores().shape(), ndim));
  }
  for (int i = 1; i < argument_count(); ++i) {
    if (is_target(i)) {
      read_target(i, loss_.target_kinds[static_cast<std::size_t>(role_of(i) - inputs_)]);
    } else {
      require_shape(i, ndim, scores().shape());
    }
  }
  if (loss_.options == 1) return;  // the axis alone
  read_ignore_index();
  if (PyObject* class_weight = request_.options[2]; class_weight != Py_None) {
    class_weight_ = as_doubles(caller_, "class_weight", class_weight, label_count(), kept_);
  }
}

void RowwiseEvaluation::read_axis() {
  const int ndim = scores().ndim();
  PyObject* given = request_.options[0];
  const Py_ssize_t axis = PyNumber_AsSsize_t(given, nullptr);
  if (axis == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    caller_.fail(PyExc_TypeError, "axis", "expected an integer, got " + repr(given));
  }
  if (axis < -ndim || axis >= ndim) {
    caller_.fail(
        PyExc_ValueError, "axis",
        "expected an axis of shape " + shape_text(scores().shape(), ndim) + ", got " + repr(given));
  }
  axis_ = static_cast<int>(axis < 0 ? axis + ndim : axis);
}

void RowwiseEvaluation::read_target(int i, TargetKind kind) {
  const Array& target = argument(i);
  const int ndim = scores().ndim();
  if (kind == TargetKind::whole) return require_shape(i, ndim, scores().shape());
  if (kind == TargetKind::number) return require_shape(i, terms_ndim_, terms_shape_);
  if (kind == TargetKind::labels_or_whole && target.ndim() == ndim) {
    return require_shape(i, ndim, scores().shape());
  }
  labelled_ = true;
  if (target.ndim() != terms_ndim_) {
    const std::string or_probabilities =
        kind == TargetKind::labels_or_whole
            ? " or probabilities of shape " + shape_text(scores().shape(), ndim)
            : "";
    caller_.fail(PyExc_ValueError, name_of(i),
                 "expected labels of shape " + shape_text(terms_shape_, terms_ndim_) +
                     or_probabilities + ", got shape " + shape_text(target.shape(), target.ndim()));
  }
  if (!target.is_integer()) {
    caller_.fail(PyExc_TypeError, name_of(i),
                 "expected integers, as labels of shape " +
                     shape_text(target.shape(), target.ndim()) + " are, got floats");
  }
  require_shape(i, terms_ndim_, terms_shape_);
}

void RowwiseEvaluation::read_ignore_index() {
  PyObject* given = request_.options[1];
  if (given == Py_None) return;
  if (!labelled_) {
    caller_.fail(PyExc_ValueError, "ignore_index",
                 "expected None with probabilities as targets, got " + repr(given));
  }
  const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(given));
  if (index) ignore_index_ = PyLong_AsLongLong(index.ptr());
  if (!index || PyErr_Occurred()) {
    PyErr_Clear();
    caller_.fail(index ? PyExc_ValueError : PyExc_TypeError, "ignore_index",
                 "expected None or an integer of 64 bits, got " + repr(given));
  }
  ignores_ = true;
}

void RowwiseEvaluation::check_labels() {
  const npy_intp bad = find_bad_label(rows_);
  if (bad < 0) return;
  const auto [label, position] = element(arrays_[inputs_], bad);
  caller_.fail(PyExc_IndexError, name_of(number_of(inputs_)),
               "expected labels in [0, " + std::to_string(label_count()) + ")" +
                   (ignores_ ? " or " + std::to_string(ignore_index_) : "") + ", got " + label +
                   " at index " + position);
}

const RowwiseLoss& RowwiseEvaluation::kernels() const {
  const auto [table, index] = loss_.place;
  const Level& level = active_level();
  const bool is_function = loss_.family == Family::row_function;
  return (is_function ? level.row_functions : level.rowwise[table])->losses[index];
}

npy_intp RowwiseEvaluation::label_count() const { return classes_ + kernels().more_labels; }

Walk RowwiseEvaluation::row_walk() const {
  return Walk::with_last(scores().ndim(), scores().shape(), axis_);
}

/// What rows have beside their scores.
void RowwiseEvaluation::prepare() {
  if (term_count_ == 0) return;
  rows_.level = &active_level();
  rows_.loss = &kernels();
  rows_.rows = term_count_;
  rows_.classes = classes_;
  const Walk rows = row_walk(), terms = term_walk();
  for (int role = inputs_; role < argument_count(); ++role) {
    const TargetKind kind = loss_.target_kinds[static_cast<std::size_t>(role - inputs_)];
    if (kind == TargetKind::number) {
      rows_.arguments[role] = sequences_.add(arrays_[role], terms);
    } else if (kind == TargetKind::whole || !labelled_) {
      rows_.arguments[role] = sequences_.add(arrays_[role], rows, true);
    } else {
      rows_.labels = sequences_.add(arrays_[role], terms);
      rows_.ignore_index = ignores_ ? &ignore_index_ : nullptr;
      check_labels();
    }
  }
  if (has(weight_)) rows_.weight = sequences_.add(weight_, terms);
  if (has(class_weight_)) {
    rows_.class_weight = static_cast<const double*>(PyArray_DATA(class_weight_.object));
  }
}

double RowwiseEvaluation::weight_sum() {
  const bool labels_count = ignores_ || has(class_weight_);
  const bool probabilities = loss_.takes_labels() && !labelled_;
  if (probabilities || labels_count || (labelled_ && has(weight_))) {
    return single_ ? fastloss::weight_sum<float>(rows_) : fastloss::weight_sum<double>(rows_);
  }
  return single_ ? sum_of_weights<float>() : sum_of_weights<double>();
}

double RowwiseEvaluation::evaluate(double scale) {
  const Walk walk = row_walk();
  for (int k = 0; k < inputs_; ++k) rows_.arguments[k] = sequences_.add(arrays_[k], walk, true);
  complete(rows_, scale, term_walk(), walk, true);
  return single_ ? fastloss::run<float>(rows_) : fastloss::run<double>(rows_);
}

}  // namespace fastloss
