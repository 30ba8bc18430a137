// SPDX-License-Identifier: BSD-3-Clause
#include "evaluate.hpp"

#include <stdexcept>

#include "evaluation.hpp"

namespace fastloss {
namespace {

constexpr Method kMethods[] = {{"", 0, kCalls[0]},
                               {".grad", 1, kCalls[1]},
                               {".value_and_grad", 2, kCalls[2]},
                               {".grad_and_hess", 3, kCalls[3]},
                               {".value_grad_and_hess", 4, kCalls[4]},
                               {".weight_sum", 0, 0}};

/// How many values evaluate() takes, or -1 if there is no such method.
int value_count(const Loss& loss, int method) {
  const auto& [name, inputs, targets, parameters] = loss.signature;
  const int before = inputs + targets + parameters + loss.options;
  if (method < 0 || method >= static_cast<int>(std::size(kMethods))) return -1;
  if (loss.family == Family::row_function) return method == 0 ? before + 1 : -1;
  if (loss.family == Family::penalty) return method <= 2 ? before + 1 : -1;
  if (loss.family == Family::proximal_step) return method == 0 ? before + 1 : -1;
  return before + (kMethods[method].wanted != 0 ? 4 : 1);
}

/// What a function of rows wants of each: the one call that has a kernel.
Method method_of(const Loss& function) {
  const auto& kernels = active_level().row_functions->losses[function.place.index];
  const auto call = static_cast<int>(RowFunctionResult::row);
  const bool gives_rows = kernels.float_kernels[call] != nullptr;
  return gives_rows ? Method{"", call, kCalls[call]} : kMethods[0];
}

PyObject* run(const Loss& loss, const Method& method, const Request& request) {
  switch (loss.family) {
    case Family::pointwise:
    case Family::penalty:
    case Family::proximal_step:
      return PointwiseEvaluation(loss, method, request).run();
    case Family::rowwise:
    case Family::row_function:
      return RowwiseEvaluation(loss, method, request).run();
    case Family::overlap:
      return OverlapEvaluation(loss, method, request).run();
    case Family::ordered:
      return OrderedEvaluation(loss, method, request).run();
    case Family::groupwise:
      return GroupwiseEvaluation(loss, method, request).run();
  }
  throw std::logic_error("no such family");
}

}  // namespace

const Loss* loss_with_method(int number, int method, Py_ssize_t arguments) {
  try {
    const Loss& loss = registered_loss(number);
    if (arguments == value_count(loss, method)) return &loss;
    PyErr_Format(PyExc_ValueError, "%s: no method of this loss has this signature",
                 loss.name.c_str());
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  }
  return nullptr;
}

PyObject* evaluate(const Loss& loss, int method, PyObject* const* values) {
  try {
    const Signature& signature = loss.signature;
    PyObject* const* parameters = values + signature.inputs + signature.targets;
    PyObject* const* options = parameters + signature.parameters;
    PyObject* const* last = options + loss.options;
    if (loss.family == Family::row_function) {
      static PyObject* const none = PyUnicode_InternFromString("none");
      const Request request{values, parameters, options, Py_None, none, Py_None, last[0]};
      return run(loss, method_of(loss), request);
    }
    if (loss.family == Family::penalty || loss.family == Family::proximal_step) {
      static PyObject* const sum = PyUnicode_InternFromString("sum");
      static constexpr Method step = {"", 1, kCalls[1]};  // in the place of a gradient
      const Request request{values, parameters, options, Py_None, sum, Py_None, last[0]};
      return run(loss, loss.family == Family::penalty ? kMethods[method] : step, request);
    }
    const bool reduces = kMethods[method].wanted != 0;
    const Request request{values,
                          parameters,
                          options,
                          last[0],
                          reduces ? last[1] : Py_None,
                          reduces ? last[2] : Py_None,
                          reduces ? last[3] : Py_None};
    return run(loss, kMethods[method], request);
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_Format(PyExc_MemoryError, "%s: not enough memory to work in", loss.name.c_str());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  }
  return nullptr;
}

}  // namespace fastloss
