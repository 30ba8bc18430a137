// SPDX-License-Identifier: BSD-3-Clause
#include "evaluate.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "arguments.hpp"
#include "results.hpp"

namespace fastloss {
namespace {

struct Method {
  const char* name;
  unsigned wanted;  // of each term; nothing for the denominator alone
};
constexpr Method kMethods[] = {{"", kCalls[0]},
                               {".grad", kCalls[1]},
                               {".value_and_grad", kCalls[2]},
                               {".grad_and_hess", kCalls[3]},
                               {".value_grad_and_hess", kCalls[4]},
                               {".weight_sum", 0}};

enum class Reduction { mean, sum, none };

/// Whether an object is this word, which is interned as the words in a program's text are.
bool is_word(PyObject* object, PyObject* word) {
  return object == word || (PyUnicode_Check(object) && PyUnicode_Compare(object, word) == 0);
}

// Terms below which letting other Python threads run costs more than it gives.
constexpr npy_intp kReleaseGil = 4096;

int option_count(const Loss& loss) { return loss.family == Family::rowwise ? 3 : 0; }

/// How many values evaluate() takes.
int value_count(const Loss& loss, int method) {
  const auto& [name, inputs, targets, parameters] = loss.signature;
  const int last = kMethods[method].wanted != 0 ? 4 : 1;
  return inputs + targets + parameters + option_count(loss) + last;
}

/// What evaluate() was called with.
struct Request {
  PyObject* const* arguments;
  PyObject* const* parameters;
  PyObject* const* options;
  PyObject* weight;
  PyObject *reduction, *normalizer, *out;
};

class Evaluation {
 public:
  Evaluation(const Loss& loss, int method, const Request& request)
      : loss_(loss),
        method_(method),
        wanted_(kMethods[method].wanted),
        inputs_(loss.signature.inputs),
        caller_{loss, kMethods[method].name},
        request_(request),
        results_(caller_, wanted_, inputs_) {}

  PyObject* run() {
    read_arguments();
    if (rowwise()) {
      read_rows();
    } else {
      read_terms();
    }
    read_weight();
    read_parameters();
    if (wanted_ == 0) {
      if (rowwise()) prepare_rows();
      return PyFloat_FromDouble(single_ ? weight_sum<float>() : weight_sum<double>());
    }
    read_reduction();
    results_.read(request_.out, (wanted_ & kValue) != 0 && reduction_ == Reduction::none, terms(),
                  {scores().ndim(), scores().shape()});
    if (request_.out != Py_None) {
      for (int k = 0; k < argument_count(); ++k) results_.keep_apart_from(arrays_[k], true, kept_);
      if (has(weight_)) results_.keep_apart_from(weight_, !rowwise(), kept_);
    }
    if (rowwise()) prepare_rows();
    return single_ ? compute<float>() : compute<double>();
  }

 private:
  bool rowwise() const { return loss_.family == Family::rowwise; }
  // Arguments have numbers in the order of the call.
  const std::string& name_of(int i) const { return loss_.arguments[static_cast<std::size_t>(i)]; }
  int role_of(int i) const { return loss_.roles[static_cast<std::size_t>(i)]; }
  bool is_target(int i) const { return role_of(i) >= inputs_; }
  Array& argument(int i) { return arrays_[role_of(i)]; }
  int argument_count() const { return inputs_ + loss_.signature.targets; }
  const Array& scores() const { return arrays_[0]; }
  static bool has(const Array& array) { return array.object != nullptr; }
  Shape terms() const { return {terms_ndim_, terms_shape_}; }

  // ---- reading ----------------------------------------------------------------------------------

  void read_arguments() {
    bool any_single = false, any_double = false;
    for (int i = 0; i < argument_count(); ++i) {
      Array& array = argument(i);
      array = as_array(caller_, name_of(i), request_.arguments[i], kept_);
      if (array.weak) continue;
      any_single |= array.storage == Storage::float32;
      any_double |= array.storage == Storage::float64 || (array.is_integer() && !is_target(i));
    }
    single_ = any_single && !any_double;
  }

  void require_shape(int i, int ndim, const npy_intp* shape) {
    const Array& array = argument(i);
    if (array.has_shape(ndim, shape)) return;
    caller_.fail(PyExc_ValueError, name_of(i),
                 "expected shape " + shape_text(shape, ndim) + " to match '" + name_of(0) +
                     "', got " + shape_text(array.shape(), array.ndim()));
  }

  void set_terms(int ndim, const npy_intp* shape) {
    terms_ndim_ = ndim;
    terms_shape_ = shape;
    term_count_ = 1;
    for (int d = 0; d < ndim; ++d) term_count_ *= shape[d];
  }

  /// Pointwise: one term per element.
  void read_terms() {
    set_terms(scores().ndim(), scores().shape());
    for (int i = 1; i < argument_count(); ++i) {
      if (is_target(i) && argument(i).ndim() == 0) continue;  // stands for all
      require_shape(i, terms_ndim_, terms_shape_);
    }
  }

  /// Row-wise: one term per row along an axis.
  void read_rows() {
    const int ndim = scores().ndim();
    if (ndim == 0) {
      caller_.fail(PyExc_ValueError, name_of(0), "expected at least one dimension, got a number");
    }
    axis_ = read_axis(ndim);
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
    for (int i = 1; i < argument_count(); ++i) {
      const Array& array = argument(i);
      labelled_ = is_target(i) && array.ndim() == terms_ndim_;
      if (!labelled_) {
        if (is_target(i) && array.ndim() != ndim) {
          caller_.fail(PyExc_ValueError, name_of(i),
                       "expected labels of shape " + shape_text(terms_shape_, terms_ndim_) +
                           " or probabilities of shape " + shape_text(scores().shape(), ndim) +
                           ", got shape " + shape_text(array.shape(), array.ndim()));
        }
        require_shape(i, ndim, scores().shape());
      } else {
        if (!array.is_integer()) {
          caller_.fail(PyExc_TypeError, name_of(i),
                       "expected integers, as labels of shape " +
                           shape_text(array.shape(), array.ndim()) + " are, got floats");
        }
        require_shape(i, terms_ndim_, terms_shape_);
      }
    }
    read_ignore_index();
    if (PyObject* class_weight = request_.options[2]; class_weight != Py_None) {
      class_weight_ = as_doubles(caller_, "class_weight", class_weight, classes_, kept_);
    }
  }

  int read_axis(int ndim) {
    const Py_ssize_t axis = PyNumber_AsSsize_t(request_.options[0], nullptr);
    if (axis == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      caller_.fail(PyExc_TypeError, "axis",
                   "expected an integer, got " + repr(request_.options[0]));
    }
    if (axis < -ndim || axis >= ndim) {
      caller_.fail(PyExc_ValueError, "axis",
                   "expected an axis of shape " + shape_text(scores().shape(), ndim) + ", got " +
                       repr(request_.options[0]));
    }
    return static_cast<int>(axis < 0 ? axis + ndim : axis);
  }

  void read_ignore_index() {
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

  void check_labels() {
    const npy_intp bad = find_bad_label(rows_);
    if (bad < 0) return;
    py::tuple index(terms_ndim_);
    npy_intp rest = bad;
    for (int d = terms_ndim_ - 1; d >= 0; --d) {
      index[static_cast<std::size_t>(d)] = py::int_(rest % terms_shape_[d]);
      rest /= terms_shape_[d];
    }
    const py::object label = py::handle(arrays_[inputs_].as_object())[index];
    std::string position = py::str(terms_ndim_ == 1 ? py::object(index[0]) : py::object(index));
    caller_.fail(PyExc_IndexError, name_of(label_position()),
                 "expected labels in [0, " + std::to_string(classes_) + ")" +
                     (ignores_ ? " or " + std::to_string(ignore_index_) : "") + ", got " +
                     std::string(py::str(label)) + " at index " + position);
  }

  int label_position() const {
    int i = 0;
    while (role_of(i) != inputs_) ++i;
    return i;
  }

  void read_weight() {
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

  void read_parameters() {
    for (int k = 0; k < loss_.signature.parameters; ++k) {
      const Parameter& parameter = loss_.parameters[static_cast<std::size_t>(k)];
      PyObject* given = request_.parameters[k];
      varying_[k].object = nullptr;
      if (given == parameter.default_object) {
        numbers_[k] = parameter.default_number;
        continue;
      }
      const bool may_vary = loss_.family == Family::pointwise && !parameter.domain.is_flag;
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

  void read_reduction() {
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
        std::nan("")};
    if (reduction_ != Reduction::mean) {
      caller_.fail(PyExc_ValueError, "normalizer",
                   "expected None unless reduction is 'mean', got " + repr(request_.normalizer));
    }
    normalizer_ = as_number(caller_, "normalizer", positive, request_.normalizer, false);
  }

  // ---- computing --------------------------------------------------------------------------------

  /// The denominator of the mean.
  template <class T>
  double weight_sum() {
    const bool weighted = has(weight_) || has(class_weight_) || ignores_;
    const bool counts = !weighted && (labelled_ || !rowwise());
    if (term_count_ == 0 || counts) return static_cast<double>(term_count_);
    if (rowwise()) return fastloss::weight_sum<T>(rows_);
    const npy_intp own = weight_.size();
    Sequences sequences;
    const Walk walk = Walk::logical(weight_.ndim(), weight_.shape());
    const Sequence* weight = sequences.add(weight_, walk);
    return sum_of<T>(active_level(), *weight, own) * static_cast<double>(term_count_ / own);
  }

  Walk term_walk() const { return Walk::logical(terms_ndim_, terms_shape_); }
  Walk row_walk() const { return Walk::with_last(scores().ndim(), scores().shape(), axis_); }

  /// What rows have beside their scores, checked.
  void prepare_rows() {
    if (term_count_ == 0) return;
    rows_.level = &active_level();
    rows_.loss = &rows_.level->rowwise->losses[loss_.place.index];
    rows_.rows = term_count_;
    rows_.classes = classes_;
    if (labelled_) {
      rows_.labels = sequences_.add(arrays_[inputs_], term_walk());
      rows_.ignore_index = ignores_ ? &ignore_index_ : nullptr;
      check_labels();
    } else {
      const Walk walk = row_walk();
      for (int k = inputs_; k < argument_count(); ++k) {
        rows_.arguments[k] = sequences_.add(arrays_[k], walk, true);
      }
    }
    if (has(weight_)) rows_.weight = sequences_.add(weight_, term_walk());
    if (has(class_weight_)) {
      rows_.class_weight = static_cast<const double*>(PyArray_DATA(class_weight_.object));
    }
  }

  template <class T>
  PyObject* compute() {
    double denominator = 1;
    if (reduction_ == Reduction::mean) {
      denominator = normalizer_ > 0 ? normalizer_ : weight_sum<T>();
    }
    const bool nothing_to_average = denominator == 0;
    if (nothing_to_average && (wanted_ & kValue) != 0 &&
        PyErr_WarnEx(PyExc_RuntimeWarning, "Mean of empty slice", 1) < 0) {
      throw py::error_already_set();
    }
    constexpr NPY_TYPES type = sizeof(T) == sizeof(float) ? NPY_FLOAT : NPY_DOUBLE;
    results_.allocate(type, arrays_, rowwise() ? nullptr : &scores(), terms());
    double sum = 0;
    if (nothing_to_average) {
      results_.fill_with_zeros();
    } else if (scores().size() > 0) {
      const double scale = 1 / denominator;
      const bool release = scores().size() >= kReleaseGil;
      PyThreadState* state = release ? PyEval_SaveThread() : nullptr;
      try {
        sum = rowwise() ? evaluate_rows<T>(scale) : evaluate_terms<T>(scale);
      } catch (...) {
        if (state != nullptr) PyEval_RestoreThread(state);
        throw;
      }
      if (state != nullptr) PyEval_RestoreThread(state);
    }
    return results_.release(nothing_to_average ? std::nan("") : sum / denominator);
  }

  template <class Call>
  void add_outputs(Call& call, const Walk& terms, const Walk& elements) {
    if (results_.stores_value()) call.value = sequences_.add(results_.value(), terms);
    for (int k = 0; k < inputs_; ++k) {
      if (wanted_ & kGrad) call.grad[k] = sequences_.add(results_.grad(k), elements, rowwise());
      if (wanted_ & kHess) call.hess[k] = sequences_.add(results_.hess(k), elements, rowwise());
    }
  }

  template <class T>
  double evaluate_terms(double scale) {
    PointwiseCall call;
    const auto [table, index] = loss_.place;
    call.loss = &active_level().pointwise[table]->losses[index];
    call.call = method_;
    call.count = term_count_;
    call.scale = scale;
    // Terms are summed in C order whatever the layout; where nothing is summed, the order in
    // which they lie in memory is the faster one.
    const bool summed = (wanted_ & kValue) != 0 && reduction_ != Reduction::none;
    const Walk walk = summed ? term_walk() : Walk::memory(scores());
    for (int k = 0; k < argument_count(); ++k) call.arguments[k] = sequences_.add(arrays_[k], walk);
    if (has(weight_)) call.weight = sequences_.add(weight_, walk);
    call.parameters = numbers_;
    for (int k = 0; k < loss_.signature.parameters; ++k) {
      if (has(varying_[k])) call.varying[k] = sequences_.add(varying_[k], walk);
    }
    add_outputs(call, walk, walk);
    return fastloss::run<T>(call);
  }

  template <class T>
  double evaluate_rows(double scale) {
    rows_.call = method_;
    rows_.scale = scale;
    const Walk walk = row_walk();
    for (int k = 0; k < inputs_; ++k) rows_.arguments[k] = sequences_.add(arrays_[k], walk, true);
    rows_.parameters = numbers_;
    add_outputs(rows_, term_walk(), walk);
    return fastloss::run<T>(rows_);
  }

  const Loss& loss_;
  const int method_;
  const unsigned wanted_;
  const int inputs_;
  const Caller caller_;
  const Request& request_;

  Kept kept_;
  Array arrays_[kMaxArguments];  // by role: inputs, then targets
  bool single_ = false;          // the arithmetic type is float32
  int terms_ndim_ = 0;
  const npy_intp* terms_shape_ = nullptr;
  npy_intp term_count_ = 0;

  npy_intp row_shape_[kMaxDimensions];  // of all rows
  int axis_ = 0;
  npy_intp classes_ = 0;
  bool labelled_ = false;
  bool ignores_ = false;
  std::int64_t ignore_index_ = 0;
  Array class_weight_{};
  RowwiseCall rows_;

  Array weight_{};
  double numbers_[kMaxParameters];
  Array varying_[kMaxParameters];
  Reduction reduction_ = Reduction::mean;
  double normalizer_ = 0;

  Results results_;
  Sequences sequences_;
};

}  // namespace

const Loss* loss_with_method(int number, int method, Py_ssize_t arguments) {
  try {
    const Loss& loss = registered_loss(number);
    const bool exists = method >= 0 && method < static_cast<int>(std::size(kMethods));
    if (exists && arguments == value_count(loss, method)) return &loss;
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
    PyObject* const* last = options + option_count(loss);
    const bool reduces = kMethods[method].wanted != 0;
    const Request request{values,
                          parameters,
                          options,
                          last[0],
                          reduces ? last[1] : Py_None,
                          reduces ? last[2] : Py_None,
                          reduces ? last[3] : Py_None};
    return Evaluation(loss, method, request).run();
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
