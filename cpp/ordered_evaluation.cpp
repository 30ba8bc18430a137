// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

namespace fastloss {

/// One term per element that is an event; all elements are one sample.
void OrderedEvaluation::read_terms() {
  set_terms(scores().ndim(), scores().shape());
  for (int i = 1; i < argument_count(); ++i) require_shape(i, terms_ndim_, terms_shape_);
}

void OrderedEvaluation::check_weight() {
  const Walk walk = Walk::logical(weight_.ndim(), weight_.shape());
  const npy_intp bad = find_negative(*sequences_.add(weight_, walk), weight_.size());
  if (bad < 0) return;
  const auto [number, position] = element(weight_, bad);
  caller_.fail(PyExc_ValueError, "weight",
               "expected numbers >= 0, got " + number + " at index " + position);
}

void OrderedEvaluation::prepare() {
  if (term_count_ == 0) return;
  sample_.level = &active_level();
  const auto [table, index] = loss_.place;
  sample_.loss = &sample_.level->ordered[table]->losses[index];
  sample_.count = term_count_;
  const Walk walk = term_walk();
  sample_.key = keys(arrays_[inputs_], walk);
  sample_.event = sequences_.add(arrays_[inputs_ + 1], walk);
  if (!has(weight_)) return;
  check_weight();
  sample_.weight = sequences_.add(weight_, walk);
}

double OrderedEvaluation::weight_sum() {
  return single_ ? fastloss::weight_sum<float>(sample_) : fastloss::weight_sum<double>(sample_);
}

double OrderedEvaluation::evaluate(double scale) {
  const Walk walk = term_walk();
  sample_.pred = sequences_.add(arrays_[0], walk);
  complete(sample_, scale, walk, walk, false);
  return single_ ? fastloss::run<float>(sample_) : fastloss::run<double>(sample_);
}

}  // namespace fastloss
