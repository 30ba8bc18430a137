// SPDX-License-Identifier: BSD-3-Clause
// The losses as Python declared them: what their arguments are called and may be.
#pragma once

#include <Python.h>

#include <string>
#include <vector>

#include "drivers.hpp"

namespace fastloss {

enum class Family {
  pointwise,
  rowwise,
  overlap,
  ordered,
  groupwise,
  row_function,
  penalty,
  proximal_step,
};

/// What a parameter may be: numbers, or one of a few words, of which a kernel gets the place.
struct Domain {
  std::string description;  // what was expected, for messages
  double low, high;
  bool includes_low, includes_high;
  bool is_flag;      // True or False
  double when_none;  // what None stands for; NaN where None is not allowed
  std::vector<std::string> words;

  bool is_number() const { return !is_flag && words.empty(); }
  bool contains(double x) const {
    return (includes_low ? x >= low : x > low) && (includes_high ? x <= high : x < high);
  }
};

struct Parameter {
  std::string name;
  Domain domain;
  PyObject* default_object;  // known by its identity; held for ever
  double default_number;
};

/// What a target has: the shape of the inputs, be it numbers or keys that are only compared, or per
/// row a number or a label.
enum class TargetKind { whole, key, number, labels, labels_or_whole };

struct Target {
  std::string name;
  TargetKind kind;
};

/// Where a loss's kernels are on every level.
struct Place {
  int table, index;  // in one of the family's tables
};

struct Loss {
  std::string name;
  Family family;
  Place place;
  Signature signature;
  std::vector<std::string> arguments;  // in the order of the call
  std::vector<int> roles;              // where the kernel has each: inputs first, then targets
  std::vector<TargetKind> target_kinds;
  std::vector<Parameter> parameters;
  int options;  // of its family

  bool takes_labels() const {
    return !target_kinds.empty() && target_kinds.front() >= TargetKind::labels;
  }
};

/// Adds a loss and returns its number. Throws std::invalid_argument if no kernel has this name or
/// its kernel takes other numbers of arguments.
int register_loss(Family family, std::string name, std::vector<std::string> arguments,
                  const std::vector<Target>& targets, std::vector<Parameter> parameters,
                  int options);

const Loss& registered_loss(int number);

/// Which length each row of a loss has; 0: any.
int row_length(const Loss& loss);

/// The signatures of a family's kernels.
std::vector<Signature> kernel_signatures(Family family);

}  // namespace fastloss
