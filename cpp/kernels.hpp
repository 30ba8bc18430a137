// SPDX-License-Identifier: BSD-3-Clause
// What passes between the drivers and the kernels: plain data, the same for every CPU level.
#pragma once

#include <cstddef>
#include <cstdint>

#include "narrow_floats.hpp"

namespace fastloss {

using std::ptrdiff_t;

constexpr int kMaxInputs = 4;      // differentiable inputs of one loss
constexpr int kMaxArguments = 8;   // its inputs and targets together
constexpr int kMaxParameters = 8;  // its own parameters

/// A sum in two doubles: the rounded sum, and what the roundings lost.
struct Sum {
  double high = 0;
  double low = 0;
};

/// What a call wants of each term. The five calls of a loss are five of these sets.
enum Wanted : unsigned { kValue = 1, kGrad = 2, kHess = 4 };
constexpr unsigned kCalls[] = {kValue, kGrad, kValue | kGrad, kGrad | kHess,
                               kValue | kGrad | kHess};
constexpr int kCallCount = 5;

/// The losses of a family, known to the compiler: its registry.
template <class... Losses>
struct LossList {};

struct Signature {
  const char* name;
  int inputs;
  int targets;
  int parameters;
};

// ---- pointwise: one term per element ------------------------------------------------------------

/// How the numbers of an array are stored: as they are computed with, or in 16 bits.
enum class Format : unsigned char { same, float16, bfloat16 };

/// A block of consecutive terms; every array is contiguous. Those that have a format may be of a
/// 16-bit type, where they are computed with in float; all others are of the arithmetic type.
template <class T>
struct PointwiseTask {
  ptrdiff_t count;
  const T* arguments[kMaxArguments];  // inputs, then targets
  Format argument_format[kMaxArguments];
  const T* weight;                      // null: every weight is 1
  const T* parameters[kMaxParameters];  // one number each or, if they vary, one per term
  T scale;                              // grad and hess are multiplied by it
  bool past_cache;                      // store past the caches; results are 16-byte aligned
  T* value;                             // null: the values are summed instead
  T* grad[kMaxInputs];                  // null in a varying kernel: not wanted
  T* hess[kMaxInputs];
  Format value_format, grad_format[kMaxInputs], hess_format[kMaxInputs];
  bool narrow;  // any format is of 16 bits
};

/// Returns the sum of the weighted values where they are summed.
template <class T>
using PointwiseKernel = Sum (*)(const PointwiseTask<T>&);

template <class T>
struct PointwiseKernels {
  PointwiseKernel<T> plain[kCallCount];
  PointwiseKernel<T> weighted[kCallCount];
  PointwiseKernel<T> varying;  // parameters that vary from term to term; computes everything
};

struct PointwiseLoss {
  Signature signature;
  double cost;  // of a term, in those of a simple loss
  PointwiseKernels<float> float_kernels;
  PointwiseKernels<double> double_kernels;
};

// ---- row-wise: one term per row of scores -------------------------------------------------------

constexpr int kScratchRows = 2;

/// Rows with no more classes are computed one in each lane: another order of sums than that of
/// long rows, so that it depends on the number of classes alone.
constexpr ptrdiff_t kShortRow = 64;

/// Labels of rows that are ignored: no value, no gradient.
constexpr std::int64_t kIgnored = -1;

/// An array with a number for each class of each row, of the arithmetic type. Either each row is
/// contiguous, or, of short rows only, each class.
template <class T>
struct RowArray {
  T* const* lines;  // the beginning of each row, or of each class
  bool by_class;
};

/// Some rows. One whose weight is 0 or whose label is kIgnored gets zeros, whatever it holds. A
/// target is a row, or a number, or, if it is the first one, a label.
template <class T>
struct RowwiseTask {
  ptrdiff_t rows;
  ptrdiff_t classes;
  RowArray<T> arguments[kMaxArguments];  // inputs, then targets; they are not written
  const T* numbers[kMaxArguments];       // in the place of each target that is one per row
  const std::int64_t* labels;            // null: no target is one
  const T* weight;                       // one per row; null: every weight is 1
  const T* class_weight;                 // one per class; null: every one is 1
  double class_weight_sum;
  const T* parameters;
  double scale;  // grad and hess are multiplied by it
  T* value;      // one per row
  RowArray<T> grad[kMaxInputs], hess[kMaxInputs];
  T* scratch;  // kScratchRows rows
};

template <class T>
using RowwiseKernel = void (*)(const RowwiseTask<T>&);

struct RowwiseLoss {
  Signature signature;
  int numbers;      // of the targets: the last ones are a number per row
  int row_length;   // which every row has; 0: any
  int more_labels;  // than a row has scores
  double cost;      // of an element, in those of a cross-entropy
  RowwiseKernel<float> float_kernels[kCallCount];
  RowwiseKernel<double> double_kernels[kCallCount];
};

/// A function of rows has the kernel of a single call, the one that writes what it returns of a
/// row: in the place of the gradient, or of the value.
enum class RowFunctionResult { number = 0, row = 1 };  // indices into kCalls

// ---- overlap: one term per mask -----------------------------------------------------------------

/// What the elements of a mask add up to, with predictions p and targets t.
struct Totals {
  Sum true_positive;   // Σ p·t
  Sum false_positive;  // Σ p·(1 − t)
  Sum false_negative;  // Σ (1 − p)·t
};

/// A term, and what its derivatives by an element of target t are made of: slope·g and g·turn,
/// where g = (1 − t)·grad[0] + t·grad[1] and turn = (1 − t)·turn[0] + t·turn[1]. The first of each
/// pair is of the background, whose elements add false positives; the second of the foreground,
/// whose elements turn false negatives into true positives.
struct OverlapTerm {
  double value;
  double slope;
  double grad[2];
  double turn[2];
};

/// Consecutive elements of a mask; every array is contiguous and of the arithmetic type.
template <class T>
struct OverlapTask {
  ptrdiff_t count;
  const T* pred;  // not read where the predictions are probabilities
  const T* target;
  OverlapTerm term;  // finite
  double factor;     // grad and hess are multiplied by it
  bool past_cache;   // store past the caches; results are 16-byte aligned
  T* grad;
  T* hess;
};

/// They do not depend on the loss, but on whether predictions are logits, and what is wanted.
template <class T>
struct OverlapKernels {
  Totals (*totals[2])(const T* pred, const T* target, ptrdiff_t count);
  void (*grad[2])(const OverlapTask<T>&);
  void (*grad_and_hess[2])(const OverlapTask<T>&);
};

struct OverlapLoss {
  Signature signature;  // whose first parameter tells whether predictions are logits
  OverlapTerm (*term)(const Totals& totals, const double* parameters);
  OverlapKernels<float> float_kernels;
  OverlapKernels<double> double_kernels;
};

// ---- ordered: one sample, in which a term depends on all that come later in an order ------------

constexpr int kOrderedScratch = 2;

/// The elements from the last to the first, those at the same place side by side; in double
/// precision, whatever the arithmetic type. The kernel may use all that it can write as scratch.
struct OrderedTask {
  ptrdiff_t count;
  double* pred;
  const double* weight;          // positive; null: every weight is 1
  const unsigned char* event;    // whether an element has a term
  const unsigned char* is_last;  // whether it is the last one at its place
  const double* parameters;
  double scale;   // grad and hess are multiplied by it
  double* value;  // where there is no term, 0
  double* grad;
  double* hess;
  double* scratch[kOrderedScratch];  // `count` numbers each
};

using OrderedKernel = void (*)(const OrderedTask&);

struct OrderedLoss {
  Signature signature;
  OrderedKernel kernels[kCallCount];
};

// ---- groupwise: one term per group of elements --------------------------------------------------

constexpr int kGroupwiseScratch = 3;
constexpr int kPlaceColumns = 3;

/// What the elements of a group are sorted by, the largest first; where that is equal, by the
/// other.
enum class GroupOrder { by_pred, by_target };

/// The elements of one group, in double precision, whatever the arithmetic type. Arrays have room
/// for whole logical blocks. Derivatives are stored where they are wanted.
struct GroupwiseTask {
  ptrdiff_t count;
  const double* pred;
  const double* target;
  const double* best_target;  // the targets, the largest first
  const double* places;       // what the loss has tabulated, if it does: kPlaceColumns columns
  ptrdiff_t place_stride;     // from one column to the next
  const double* parameters;
  double factor;  // grad and hess are multiplied by it
  double* value;  // of the group
  double* grad;
  double* hess;
  double* scratch[kGroupwiseScratch];
};
using GroupwiseKernel = void (*)(const GroupwiseTask&);

struct GroupwiseLoss {
  Signature signature;
  GroupOrder order;
  /// Tabulates what depends on the place in a group alone, for so many; or null.
  void (*tabulate)(double* places, ptrdiff_t count, ptrdiff_t stride);
  GroupwiseKernel kernels[kCallCount];
};

// ---- sums, for the denominators of means --------------------------------------------------------

/// Σ values·weights, or Σ values where weights is null.
struct SumKernels {
  Sum (*float_sum)(const float* values, const float* weights, ptrdiff_t count);
  Sum (*double_sum)(const double* values, const double* weights, ptrdiff_t count);
};

// ---- 16-bit types -------------------------------------------------------------------------------

struct NarrowKernels {
  void (*widen_float16)(const Float16* from, float* to, ptrdiff_t count);
  void (*narrow_float16)(const float* from, Float16* to, ptrdiff_t count);
  void (*widen_bfloat16)(const BFloat16* from, float* to, ptrdiff_t count);
  void (*narrow_bfloat16)(const float* from, BFloat16* to, ptrdiff_t count);
};

// ---- reads and writes alone, for the roofline ---------------------------------------------------

/// Each of the outputs becomes the sum of the inputs, modulo 2³².
struct WordsTask {
  ptrdiff_t count;  // words of each array
  int input_count, output_count;
  const std::uint32_t* inputs[kMaxArguments];
  std::uint32_t* outputs[kMaxArguments];
  bool past_cache;  // store past the caches; outputs are 16-byte aligned
};
using WordsKernel = void (*)(const WordsTask&);

// ---- elementary functions, one by one -----------------------------------------------------------

/// result = f(x) or f(x, y) for each of `count` elements; result may be x or y itself.
template <class T>
using ElementaryKernel = void (*)(const T* x, const T* y, T* result, ptrdiff_t count);

struct ElementaryFunction {
  const char* name;
  int arguments;  // 1 or 2
  ElementaryKernel<float> float_kernel;
  ElementaryKernel<double> double_kernel;
};

// ---- the entry tables: all that a kernel file exports -------------------------------------------

/// One of several: the family has too many losses for a single file.
struct PointwiseTable {
  const PointwiseLoss* losses;
  int count;
};
/// The lists of pointwise losses, each with a kernel file and an entry table.
#define FASTLOSS_POINTWISE_LISTS(f, level)                                                  \
  f(level, regression) f(level, robust) f(level, binary) f(level, margins) f(level, counts) \
      f(level, survival)
/// The same of row-wise losses.
#define FASTLOSS_ROWWISE_LISTS(f, level)                                                        \
  f(level, cross_entropy) f(level, labels) f(level, multiclass_margins) f(level, distributions) \
      f(level, multilabel) f(level, embeddings) f(level, boxes) f(level, similarities)
/// Of overlap losses.
#define FASTLOSS_OVERLAP_LISTS(f, level) f(level, segmentation)
/// Of ordered losses.
#define FASTLOSS_ORDERED_LISTS(f, level) f(level, cox)
/// And of groupwise losses.
#define FASTLOSS_GROUPWISE_LISTS(f, level) f(level, ranking)
#define FASTLOSS_COUNT(level, name) +1
constexpr int kPointwiseTables = FASTLOSS_POINTWISE_LISTS(FASTLOSS_COUNT, );
constexpr int kRowwiseTables = FASTLOSS_ROWWISE_LISTS(FASTLOSS_COUNT, );
constexpr int kOverlapTables = FASTLOSS_OVERLAP_LISTS(FASTLOSS_COUNT, );
constexpr int kOrderedTables = FASTLOSS_ORDERED_LISTS(FASTLOSS_COUNT, );
constexpr int kGroupwiseTables = FASTLOSS_GROUPWISE_LISTS(FASTLOSS_COUNT, );
#undef FASTLOSS_COUNT
struct RowwiseTable {
  const RowwiseLoss* losses;
  int count;
};
struct OverlapTable {
  const OverlapLoss* losses;
  int count;
};
struct OrderedTable {
  const OrderedLoss* losses;
  int count;
};
struct GroupwiseTable {
  const GroupwiseLoss* losses;
  int count;
};
struct ElementaryTable {
  const ElementaryFunction* functions;
  int count;
};

#define FASTLOSS_DECLARE_POINTWISE(level, name) extern const PointwiseTable name##_table;
#define FASTLOSS_DECLARE_ROWWISE(level, name) extern const RowwiseTable name##_table;
#define FASTLOSS_DECLARE_OVERLAP(level, name) extern const OverlapTable name##_table;
#define FASTLOSS_DECLARE_ORDERED(level, name) extern const OrderedTable name##_table;
#define FASTLOSS_DECLARE_GROUPWISE(level, name) extern const GroupwiseTable name##_table;
#define FASTLOSS_DECLARE_LEVEL(level)                         \
  namespace level {                                           \
  FASTLOSS_POINTWISE_LISTS(FASTLOSS_DECLARE_POINTWISE, level) \
  FASTLOSS_ROWWISE_LISTS(FASTLOSS_DECLARE_ROWWISE, level)     \
  FASTLOSS_OVERLAP_LISTS(FASTLOSS_DECLARE_OVERLAP, level)     \
  FASTLOSS_ORDERED_LISTS(FASTLOSS_DECLARE_ORDERED, level)     \
  FASTLOSS_GROUPWISE_LISTS(FASTLOSS_DECLARE_GROUPWISE, level) \
  extern const RowwiseTable row_function_table;               \
  extern const PointwiseTable penalty_table;                  \
  extern const SumKernels sum_kernels;                        \
  extern const NarrowKernels narrow_kernels;                  \
  extern const WordsKernel roofline_kernel;                   \
  extern const ElementaryTable elementary_table;              \
  }
FASTLOSS_DECLARE_LEVEL(baseline)
FASTLOSS_DECLARE_LEVEL(avx2)
FASTLOSS_DECLARE_LEVEL(avx512)
FASTLOSS_DECLARE_LEVEL(neon)
#undef FASTLOSS_DECLARE_LEVEL
#undef FASTLOSS_DECLARE_POINTWISE
#undef FASTLOSS_DECLARE_ROWWISE
#undef FASTLOSS_DECLARE_OVERLAP
#undef FASTLOSS_DECLARE_ORDERED
#undef FASTLOSS_DECLARE_GROUPWISE

}  // namespace fastloss
