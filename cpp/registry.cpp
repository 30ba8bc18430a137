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

}  // namespace

std::vector<Signature> kernel_signatures(Family family) {
  std::vector<Signature> signatures;
  const Level& level = levels().front();
  if (family == Family::pointwise) {
    for (int i = 0; i < level.pointwise->count; ++i) {
      signatures.push_back(level.pointwise->losses[i].signature);
    }
  } else {
    for (int i = 0; i < level.rowwise->count; ++i) {
      signatures.push_back(level.rowwise->losses[i].signature);
    }
  }
  return signatures;
}

int register_loss(Family family, std::string name, std::vector<std::string> arguments,
                  const std::vector<std::string>& targets, std::vector<Parameter> parameters) {
  const std::vector<Signature> signatures = kernel_signatures(family);
  const auto kernel = std::find_if(signatures.begin(), signatures.end(),
                                   [&](const Signature& s) { return s.name == name; });
  if (kernel == signatures.end()) {
    throw std::invalid_argument("no kernel is called '" + name + "'");
  }
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
  losses().push_back({std::move(name), family, static_cast<int>(kernel - signatures.begin()),
                      *kernel, std::move(arguments), std::move(roles), std::move(parameters)});
  return static_cast<int>(losses().size()) - 1;
}

const Loss& registered_loss(int number) {
  if (number < 0 || number >= static_cast<int>(losses().size())) {
    throw std::invalid_argument("no loss has this number");
  }
  return losses()[static_cast<std::size_t>(number)];
}

}  // namespace fastloss
