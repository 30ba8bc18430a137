// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

namespace fastloss {

/// One term per group: the elements of one id, by ascending ids.
void GroupwiseEvaluation::read_terms() {
  for (int i = 1; i < argument_count(); ++i) require_shape(i, scores().ndim(), scores().shape());
  const Array& ids = arrays_[argument_count() - 1];
  if (!ids.is_integer()) {
    caller_.fail(PyExc_TypeError, name_of(number_of(argument_count() - 1)),
                 "expected integers, the ids of groups, got floats");
  }
  if (ids.size() > 0) groups_ = find_groups(keys(ids, element_walk()), ids.size());
  group_count_ = groups_.starts.empty() ? 0 : static_cast<npy_intp>(groups_.starts.size()) - 1;
  set_terms(1, &group_count_);
}

Walk GroupwiseEvaluation::element_walk() const {
  return Walk::logical(scores().ndim(), scores().shape());
}

double GroupwiseEvaluation::weight_sum() {
  return single_ ? sum_of_weights<float>() : sum_of_weights<double>();
}

double GroupwiseEvaluation::evaluate(double scale) {
  GroupwiseCall call;
  call.level = &active_level();
  const auto [table, index] = loss_.place;
  call.loss = &call.level->groupwise[table]->losses[index];
  call.groups = &groups_;
  const Walk elements = element_walk();
  call.pred = sequences_.add(arrays_[0], elements);
  call.target = sequences_.add(arrays_[1], elements);
  if (has(weight_)) call.weight = sequences_.add(weight_, term_walk());
  complete(call, scale, term_walk(), elements, false);
  return single_ ? fastloss::run<float>(call) : fastloss::run<double>(call);
}

}  // namespace fastloss
