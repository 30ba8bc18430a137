// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

namespace fastloss {

/// One term per element.
void PointwiseEvaluation::read_terms() {
  set_terms(scores().ndim(), scores().shape());
  for (int i = 1; i < argument_count(); ++i) {
    if (is_target(i) && argument(i).ndim() == 0) continue;  // stands for all
    require_shape(i, terms_ndim_, terms_shape_);
  }
}

double PointwiseEvaluation::weight_sum() {
  return single_ ? sum_of_weights<float>() : sum_of_weights<double>();
}

double PointwiseEvaluation::evaluate(double scale) {
  PointwiseCall call;
  const auto [table, index] = loss_.place;
  const Level& level = active_level();
  const bool is_loss = loss_.family == Family::pointwise;
  call.loss = &(is_loss ? level.pointwise[table] : level.penalties)->losses[index];
  call.count = term_count_;
  // Terms are summed in C order whatever the layout; where nothing is summed, the order in
  // which they lie in memory is the faster one.
  const Walk walk = sums_values() ? term_walk() : Walk::memory(scores());
  for (int k = 0; k < argument_count(); ++k) call.arguments[k] = sequences_.add(arrays_[k], walk);
  if (has(weight_)) call.weight = sequences_.add(weight_, walk);
  for (int k = 0; k < loss_.signature.parameters; ++k) {
    if (has(varying_[k])) call.varying[k] = sequences_.add(varying_[k], walk);
  }
  complete(call, scale, walk, walk, false);
  return single_ ? fastloss::run<float>(call) : fastloss::run<double>(call);
}

}  // namespace fastloss
