// SPDX-License-Identifier: BSD-3-Clause
#include "registry.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>

namespace fastloss {
namespace {

std::deque<Loss>& losses() {  // filled at import, only read later; a deque does not move them
  static std::deque<Loss> all;
  return all;
}

/// Calls f(signature, place) for each loss of a family.
template <class F>
void for_each_kernel(Family family, F f) {
  const auto all_of = [&](const auto& table, int number) {
    for (int i = 0; i < table.count; ++i) f(table.losses[i].signature, Place{number, i});
  };
  const Level& level = levels().front();
  if (family == Family::rowwise) return all_of(*level.rowwise, 0);
  for (int t = 0; t < kPointwiseTables; ++t) all_of(*level.pointwise[t], t);
}

}  // namespace

std::vector<Signature> kernel_signatures(Family family) {
  std::vector<Signature> signatures;
  for_each_kernel(family, [&](const Signature& s, Place) { signatures.push_back(s); });
  return signatures;
}

int register_loss(Family family, std::string name, std::vector<std::string> arguments,
                  const std::vector<std::string>& targets, std::vector<Parameter> parameters) {
  const Signature* kernel = nullptr;
  Place place{};
  for_each_kernel(family, [&](const Signature& signature, Place its_place) {
    if (signature.name != name) return;
    kernel = &signature;
    place = its_place;
  });
  if (kernel == nullptr) throw std::invalid_argument("no kernel is called '" + name + "'");
  const int target_count = static_cast<int>(targets.size());
  const int input_count = static_cast<int>(arguments.size()) - target_count;
  if (kernel->inputs != input_count || kernel->targets != target_count ||
      kernel->parameters != static_cast<int>(parameters.size())) {
    throw std::invalid_argument(name + ": the kernel takes " + std::to_string(kernel->inputs) +
                                " inputs, " + std::to_string(kernel->targets) + " targets and " +
                                std::to_string(kernel->parameters) + " parameters");
  }
  std::vector<int> roles;
  int inputs = 0, seen_targets = 0;
  for (const std::string& argument : arguments) {
    const bool is_target = std::find(targets.begin(), targets.end(), argument) != targets.end();
    roles.push_back(is_target ? input_count + seen_targets++ : inputs++);
  }
  losses().push_back({std::move(name), family, place, *kernel, std::move(arguments),
                      std::move(roles), std::move(parameters)});
  return static_cast<int>(losses().size()) - 1;
}

const Loss& registered_loss(int number) {
  if (number < 0 || number >= static_cast<int>(losses().size())) {
    throw std::invalid_argument("no loss has this number");
  }
  return losses()[static_cast<std::size_t>(number)];
}

}  // namespace fastloss
