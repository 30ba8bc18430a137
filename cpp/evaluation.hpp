// SPDX-License-Identifier: BSD-3-Clause
// One call of one method of a loss, from Python's values to Python's result: what the families have
// in common. A family says what its arguments' shapes are, what its options mean, and which driver
// does the work.
#pragma once

#include <cmath>

#include "arguments.hpp"
#include "dispatch.hpp"
#include "drivers.hpp"
#include "results.hpp"

namespace fastloss {

/// What evaluate() was called with.
struct Request {
  PyObject* const* arguments;
  PyObject* const* parameters;
  PyObject* const* options;
  PyObject* weight;
  PyObject *reduction, *normalizer, *out;
};

struct Method {
  const char* name;
  int call;         // an index into kCalls
  unsigned wanted;  // of each term; nothing for the denominator alone
};

class Evaluation {
 public:
  Evaluation(const Loss& loss, const Method& method, const Request& request)
      : loss_(loss),
        call_(method.call),
        wanted_(method.wanted),
        inputs_(loss.signature.inputs),
        caller_{loss, method.name},
        request_(request),
        results_(caller_, wanted_, inputs_) {}
  virtual ~Evaluation() = default;

  PyObject* run();

 protected:
  /// Checks the shapes of the arguments and the options, and sets the terms.
  virtual void read_terms() = 0;
  /// Whether a parameter may be an array along the last axis.
  virtual bool parameters_may_vary() const { return false; }
  /// Whether a weight, like the arguments, is read before what replaces it is written.
  virtual bool results_may_replace_weight() const { return false; }
  /// What remains to be checked and made ready, once all is read and nothing overlaps.
  virtual void prepare() {}
  /// The denominator of the mean, in the arithmetic type; there are terms.
  virtual double weight_sum() = 0;
  /// Whether values are laid out like the first input.
  virtual bool values_are_elements() const { return false; }
  /// Fills the results with `scale` times the derivatives; returns the sum of the values if they
  /// are wanted and not stored. There are elements; Python runs on meanwhile.
  virtual double evaluate(double scale) = 0;

  // Arguments have numbers in the order of the call.
  const std::string& name_of(int i) const { return loss_.arguments[static_cast<std::size_t>(i)]; }
  int role_of(int i) const { return loss_.roles[static_cast<std::size_t>(i)]; }
  int number_of(int role) const;
  bool is_target(int i) const { return role_of(i) >= inputs_; }
  Array& argument(int i) { return arrays_[role_of(i)]; }
  int argument_count() const { return inputs_ + loss_.signature.targets; }
  const Array& scores() const { return arrays_[0]; }
  static bool has(const Array& array) { return array.object != nullptr; }

  /// An element and its index, in words.
  struct Element {
    std::string text, index;
  };
  static Element element(const Array& array, npy_intp number);

  void require_shape(int i, int ndim, const npy_intp* shape);
  void set_terms(int ndim, const npy_intp* shape);
  Shape terms() const { return {terms_ndim_, terms_shape_}; }
  Walk term_walk() const { return Walk::logical(terms_ndim_, terms_shape_); }
  /// Σ of the weights, or how many terms there are.
  template <class T>
  double sum_of_weights();

  /// An array of keys in the order of a walk.
  Keys keys(Array array, const Walk& walk);

  /// Whether values are added up in the order of the terms.
  bool sums_values() const { return (wanted_ & kValue) != 0 && reduction_ != Reduction::none; }
  /// Adds to a call what those of all families have. The results are laid out in the order of these
  /// walks; `rows` keeps the last axis of elements apart.
  void complete(Call& call, double scale, const Walk& terms, const Walk& elements, bool rows);

  const Loss& loss_;
  const int call_;
  const unsigned wanted_;
  const int inputs_;
  const Caller caller_;
  const Request& request_;

  Kept kept_;
  Array arrays_[kMaxArguments];  // by role: inputs, then targets
  Storage result_type_ = Storage::float64;
  bool single_ = false;  // the arithmetic type is float32
  int terms_ndim_ = 0;
  const npy_intp* terms_shape_ = nullptr;
  npy_intp term_count_ = 0;
  Array weight_{};
  double numbers_[kMaxParameters];
  Array varying_[kMaxParameters];
  Results results_;
  Sequences sequences_;

 private:
  enum class Reduction { mean, sum, none };

  void read_arguments();
  void read_weight();
  void read_parameters();
  void read_reduction();
  PyObject* compute();

  Reduction reduction_ = Reduction::mean;
  double normalizer_ = 0;
};

class PointwiseEvaluation final : public Evaluation {
 public:
  using Evaluation::Evaluation;

 private:
  void read_terms() override;
  bool parameters_may_vary() const override { return true; }
  bool results_may_replace_weight() const override { return true; }
  bool values_are_elements() const override { return true; }
  double weight_sum() override;
  double evaluate(double scale) override;
};

class RowwiseEvaluation final : public Evaluation {
 public:
  using Evaluation::Evaluation;

 private:
  void read_terms() override;
  void prepare() override;
  double weight_sum() override;
  double evaluate(double scale) override;

  void read_axis();
  void read_target(int i, TargetKind kind);
  void read_ignore_index();
  void check_labels();
  const RowwiseLoss& kernels() const;
  npy_intp label_count() const;
  Walk row_walk() const;

  npy_intp row_shape_[kMaxDimensions];  // of all rows
  int axis_ = 0;
  npy_intp classes_ = 0;
  bool labelled_ = false;
  bool ignores_ = false;
  std::int64_t ignore_index_ = 0;
  Array class_weight_{};
  RowwiseCall rows_;
};

class OverlapEvaluation final : public Evaluation {
 public:
  using Evaluation::Evaluation;

 private:
  void read_terms() override;
  double weight_sum() override;
  double evaluate(double scale) override;

  void read_axes();
  void read_axis(PyObject* given);

  bool inside_[kMaxDimensions];          // whether a mask lies along an axis
  npy_intp term_shape_[kMaxDimensions];  // of all masks
  npy_intp elements_ = 0;                // of a mask
};

class OrderedEvaluation final : public Evaluation {
 public:
  using Evaluation::Evaluation;

 private:
  void read_terms() override;
  bool results_may_replace_weight() const override { return true; }
  bool values_are_elements() const override { return true; }
  void prepare() override;
  double weight_sum() override;
  double evaluate(double scale) override;

  void check_weight();

  OrderedCall sample_;
};

class GroupwiseEvaluation final : public Evaluation {
 public:
  using Evaluation::Evaluation;

 private:
  void read_terms() override;
  bool results_may_replace_weight() const override { return groups_.order.empty(); }
  double weight_sum() override;
  double evaluate(double scale) override;

  Walk element_walk() const;

  Groups groups_;
  npy_intp group_count_ = 0;
};

}  // namespace fastloss
