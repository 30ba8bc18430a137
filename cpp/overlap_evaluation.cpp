// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "evaluation.hpp"

namespace fastloss {

/// One term per mask, whose elements lie along some of the axes.
void OverlapEvaluation::read_terms() {
  const int ndim = scores().ndim();
  const npy_intp* shape = scores().shape();
  read_axes();
  elements_ = 1;
  int rest = 0;
  for (int d = 0; d < ndim; ++d) {
    if (inside_[d]) {
      elements_ *= shape[d];
    } else {
      term_shape_[rest++] = shape[d];
    }
  }
  set_terms(rest, term_shape_);
  if (elements_ == 0 && term_count_ > 0) {
    caller_.fail(PyExc_ValueError, name_of(0),
                 "expected masks of at least one element, got shape " + shape_text(shape, ndim));
  }
  require_shape(1, ndim, shape);
}

/// None, an axis or a tuple of axes.
void OverlapEvaluation::read_axes() {
  const int ndim = scores().ndim();
  PyObject* given = request_.options[0];
  if (given == Py_None) {
    if (ndim < 3) {
      caller_.fail(PyExc_ValueError, name_of(0),
                   "expected axes after the first two, or 'axis' to say which a mask has, got "
                   "shape " +
                       shape_text(scores().shape(), ndim));
    }
    std::fill(inside_, inside_ + 2, false);
    std::fill(inside_ + 2, inside_ + ndim, true);
    return;
  }
  std::fill(inside_, inside_ + ndim, false);
  if (!PyTuple_Check(given)) return read_axis(given);
  if (PyTuple_GET_SIZE(given) == 0) {
    caller_.fail(PyExc_ValueError, "axis", "expected at least one axis, got ()");
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(given); ++i) read_axis(PyTuple_GET_ITEM(given, i));
}

void OverlapEvaluation::read_axis(PyObject* given) {
  const int ndim = scores().ndim();
  const Py_ssize_t axis = PyNumber_AsSsize_t(given, nullptr);
  if (axis == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    caller_.fail(
        PyExc_TypeError, "axis",
        "expected None, an integer or a tuple of integers, got " + repr(request_.options[0]));
  }
  if (axis < -ndim || axis >= ndim) {
    caller_.fail(PyExc_ValueError, "axis",
                 "expected axes of shape " + shape_text(scores().shape(), ndim) + ", got " +
                     repr(request_.options[0]));
  }
  bool& is_inside = inside_[axis < 0 ? axis + ndim : axis];
  if (is_inside) {
    caller_.fail(PyExc_ValueError, "axis",
                 "expected different axes, got " + repr(request_.options[0]));
  }
  is_inside = true;
}

double OverlapEvaluation::weight_sum() {
  return single_ ? sum_of_weights<float>() : sum_of_weights<double>();
}

double OverlapEvaluation::evaluate(double scale) {
  OverlapCall call;
  const auto [table, index] = loss_.place;
  call.loss = &active_level().overlap[table]->losses[index];
  call.terms = term_count_;
  call.elements = elements_;
  Walk walk = Walk::logical(scores().ndim(), scores().shape());
  std::stable_partition(walk.steps, walk.steps + walk.ndim,
                        [&](const Walk::Step& step) { return !inside_[step.axis]; });
  for (int k = 0; k < argument_count(); ++k) call.arguments[k] = sequences_.add(arrays_[k], walk);
  if (has(weight_)) call.weight = sequences_.add(weight_, term_walk());
  complete(call, scale, term_walk(), walk, false);
  return single_ ? fastloss::run<float>(call) : fastloss::run<double>(call);
}

}  // namespace fastloss
