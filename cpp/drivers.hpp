// SPDX-License-Identifier: BSD-3-Clause
// The families' drivers: a checked call in, results written, sums returned. They own threads,
// blocks, scratch and the order of summation; they know no formula and no Python.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch.hpp"
#include "layout.hpp"

namespace fastloss {

double total_of(Sum sum);

/// Σ of a sequence of weights, as numbers of the arithmetic type T, each of them so many times.
template <class T>
double sum_of(const Level& level, const Sequence& values, ptrdiff_t count, ptrdiff_t times = 1);

/// What the calls of all families have in common.
struct Call {
  int call = 0;  // index into kCalls
  const double* parameters = nullptr;
  double scale = 1;                 // grad and hess are multiplied by it
  const Sequence* value = nullptr;  // null: the values are summed
  const Sequence* grad[kMaxInputs] = {};
  const Sequence* hess[kMaxInputs] = {};
};

struct PointwiseCall : Call {
  const PointwiseLoss* loss = nullptr;
  ptrdiff_t count = 0;  // terms, at least one
  const Sequence* arguments[kMaxArguments];
  const Sequence* weight = nullptr;              // null: every weight is 1
  const Sequence* varying[kMaxParameters] = {};  // a parameter that varies from term to term
};

/// Returns Σ of the weighted values if they are wanted and not stored.
/// Throws std::bad_alloc before anything is written.
template <class T>
double run(const PointwiseCall& call);

struct RowwiseCall : Call {
  const RowwiseLoss* loss = nullptr;
  const Level* level = nullptr;
  ptrdiff_t rows = 0, classes = 0;  // at least one of each
  // The classes are the last dimension, kept apart; targets that are numbers have no classes.
  const Sequence* arguments[kMaxArguments];
  const Sequence* labels = nullptr;            // null: the targets are rows
  const std::int64_t* ignore_index = nullptr;  // null: no label is ignored
  const Sequence* weight = nullptr;            // one per row; null: every weight is 1
  const double* class_weight = nullptr;        // one per class; null: every one is 1
};

template <class T>
double run(const RowwiseCall& call);

/// The row of the first label outside [0, classes) that is not ignored, or -1.
ptrdiff_t find_bad_label(const RowwiseCall& call);

/// The denominator of the mean: Σₙ wₙ Σₖ cwₖ·yₙₖ.
template <class T>
double weight_sum(const RowwiseCall& call);

struct OverlapCall : Call {
  const OverlapLoss* loss = nullptr;
  ptrdiff_t terms = 0, elements = 0;  // at least one of each
  // Prediction and target: the elements of the first term, those of the second, and so on.
  const Sequence* arguments[kMaxArguments];
  const Sequence* weight = nullptr;  // one per term; null: every weight is 1
};

template <class T>
double run(const OverlapCall& call);

/// Keys that are compared as they are: no bit of an integer is lost.
struct Keys {
  enum Kind { numbers, integers, unsigned_integers };
  const Sequence* sequence = nullptr;  // the bits of unsigned integers, as those of signed ones
  Kind kind = numbers;
};

/// Which elements have the same key, by ascending keys.
struct Groups {
  std::vector<ptrdiff_t> starts;  // of each group, and the end of the last
  std::vector<ptrdiff_t> order;   // the elements; empty if it is theirs
};
Groups find_groups(const Keys& keys, ptrdiff_t count);

struct OrderedCall : Call {
  const OrderedLoss* loss = nullptr;
  const Level* level = nullptr;
  ptrdiff_t count = 0;  // elements, at least one
  const Sequence* pred = nullptr;
  Keys key;
  const Sequence* event = nullptr;
  const Sequence* weight = nullptr;  // null: every weight is 1
};

template <class T>
double run(const OrderedCall& call);

/// The denominator of the mean: Σ of the weights of events.
template <class T>
double weight_sum(const OrderedCall& call);

struct GroupwiseCall : Call {
  const GroupwiseLoss* loss = nullptr;
  const Level* level = nullptr;
  const Groups* groups = nullptr;  // at least one
  const Sequence* pred = nullptr;
  const Sequence* target = nullptr;
  const Sequence* weight = nullptr;  // one per group; null: every weight is 1
};

template <class T>
double run(const GroupwiseCall& call);

/// The number of the first one below 0, or -1.
ptrdiff_t find_negative(const Sequence& numbers, ptrdiff_t count);

}  // namespace fastloss
