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

int numbers_of(const PointwiseLoss&) { return 0; }
int numbers_of(const RowwiseLoss& loss) { return loss.numbers; }
int numbers_of(const OverlapLoss&) { return 0; }
int numbers_of(const OrderedLoss&) { return 0; }
int numbers_of(const GroupwiseLoss&) { return 0; }

/// Calls f(signature, how many of its targets are a number per row, place) for each loss.
template <class F>
void for_each_kernel(Family family, F f) {
  const auto all_of = [&](const auto& tables) {
    for (int t = 0; t < static_cast<int>(std::size(tables)); ++t) {
      for (int i = 0; i < tables[t]->count; ++i) {
        const auto& loss = tables[t]->losses[i];
        f(loss.signature, numbers_of(loss), Place{t, i});
      }
    }
  };
  const Level& level = levels().front();
  switch (family) {
    case Family::pointwise:
      return all_of(level.pointwise);
    case Family::rowwise:
      return all_of(level.rowwise);
    case Family::overlap:
      return all_of(level.overlap);
    case Family::ordered:
      return all_of(level.ordered);
    case Family::groupwise:
      return all_of(level.groupwise);
    case Family::row_function: {
      const RowwiseTable* const tables[] = {level.row_functions};
      return all_of(tables);
    }
    case Family::penalty:
    case Family::proximal_step: {
      const PointwiseTable* const tables[] = {level.penalties};
      return all_of(tables);
    }
  }
}

}  // namespace

std::vector<Signature> kernel_signatures(Family family) {
  std::vector<Signature> signatures;
  for_each_kernel(family, [&](const Signature& s, int, Place) { signatures.push_back(s); });
  return signatures;
}

int register_loss(Family family, std::string name, std::vector<std::string> arguments,
                  const std::vector<Target>& targets, std::vector<Parameter> parameters,
                  int options) {
  const Signature* kernel = nullptr;
  int numbers = 0;
  Place place{};
  for_each_kernel(family, [&](const Signature& signature, int its_numbers, Place its_place) {
    if (signature.name != name) return;
    kernel = &signature;
    numbers = its_numbers;
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
    const bool is_target = std::any_of(targets.begin(), targets.end(),
                                       [&](const Target& t) { return t.name == argument; });
    roles.push_back(is_target ? input_count + seen_targets++ : inputs++);
  }
  std::vector<TargetKind> kinds;
  for (const Target& target : targets) kinds.push_back(target.kind);
  for (int k = 0; k < target_count; ++k) {
    const TargetKind kind = kinds[static_cast<std::size_t>(k)];
    if ((kind == TargetKind::number) != (k >= target_count - numbers) ||
        (kind >= TargetKind::labels && k > 0)) {
      throw std::invalid_argument(name + ": the kernel takes targets of other kinds");
    }
  }
  losses().push_back({std::move(name), family, place, *kernel, std::move(arguments),
                      std::move(roles), std::move(kinds), std::move(parameters), options});
  return static_cast<int>(losses().size()) - 1;
}

int row_length(const Loss& loss) {
  const auto [table, index] = loss.place;
  return loss.family == Family::rowwise ? levels().front().rowwise[table]->losses[index].row_length
                                        : 0;
}

const Loss& registered_loss(int number) {
  if (number < 0 || number >= static_cast<int>(losses().size())) {
    throw std::invalid_argument("no loss has this number");
  }
  return losses()[static_cast<std::size_t>(number)];
}

}  // namespace fastloss
