// SPDX-License-Identifier: BSD-3-Clause
// The drivers and kernels of the package behind a pipe, without Python: for processors that only an
// emulator has. golden_calls.py writes calls to stdin and reads their results from stdout; all
// numbers are as they lie in memory.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string_view>
#include <vector>

#include "../cpp/drivers.hpp"
#include "../cpp/threads.hpp"

namespace fastloss {
namespace {

enum Reduction : std::int64_t { mean, sum, none };

/// What precedes the arrays of a call: inputs, targets, weight, class weights, and each parameter
/// term by term. They are of the arithmetic type but for labels (int64) and class weights and
/// parameters (float64). Before each stands its size in bytes, 0 where it is not given.
struct Header {
  char loss[64];
  std::int64_t item_size;  // of the arithmetic type
  std::int64_t call;       // an index into kCalls
  std::int64_t reduction;
  // pointwise and ordered: elements, and 0; of overlap: masks and their elements; of groupwise:
  // groups, and their elements, all as many
  std::int64_t rows, classes;
  std::int64_t takes_labels, labelled;
  std::int64_t ignores, ignore_index;
  double parameters[kMaxParameters];
};

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "evaluate_calls: %s\n", message);
  std::exit(1);
}

/// False at the end of the input.
bool read(void* to, std::size_t size) {
  const std::size_t got = std::fread(to, 1, size, stdin);
  if (got != size && got != 0) fail("the input ends inside a call");
  return got == size;
}

/// The arrays of one call; they stay where they are. An array has rows of so many columns or, where
/// that is 0, is one plain sequence.
class Arrays {
 public:
  /// The next one of the input, or null.
  const Sequence* next(Storage storage, ptrdiff_t item_size, ptrdiff_t rows, ptrdiff_t columns) {
    std::int64_t size = 0;
    if (!read(&size, sizeof size)) fail("an array is missing");
    if (size == 0) return nullptr;
    const Sequence* array = add(storage, item_size, rows, columns);
    std::vector<char>& bytes = memory_.back();
    if (size != static_cast<std::int64_t>(bytes.size())) fail("an array has another size");
    if (!read(bytes.data(), bytes.size())) fail("an array is missing");
    return array;
  }
  template <class T>
  const Sequence* next(ptrdiff_t rows, ptrdiff_t columns) {
    return next(kStorageOf<T>, sizeof(T), rows, columns);
  }

  /// A new one, to be written with the results.
  template <class T>
  const Sequence* result(ptrdiff_t rows, ptrdiff_t columns) {
    const Sequence* array = add(kStorageOf<T>, sizeof(T), rows, columns);
    results_.push_back(&memory_.back());
    return array;
  }
  void write_results() const {
    for (const auto* bytes : results_) std::fwrite(bytes->data(), 1, bytes->size(), stdout);
  }

 private:
  const Sequence* add(Storage storage, ptrdiff_t item_size, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t row_size = item_size * (columns > 0 ? columns : 1);
    std::vector<char>& bytes = memory_.emplace_back(static_cast<std::size_t>(rows * row_size));
    Sequence& array = arrays_.emplace_back(bytes.data(), storage, false);
    array.append(rows, row_size);
    if (columns > 0) array.append(columns, item_size, false);
    return &array;
  }

  std::deque<std::vector<char>> memory_;
  std::deque<Sequence> arrays_;
  std::vector<const std::vector<char>*> results_;
};

/// Adds outputs to a call, evaluates it, and writes the reduced value and the outputs.
template <class T, class FamilyCall>
void finish(FamilyCall& call, Arrays& arrays, const Header& header, double denominator) {
  const unsigned wanted = kCalls[header.call];
  const int inputs = call.loss->signature.inputs;
  const bool stores = header.reduction == none;
  if (stores && (wanted & kValue) != 0) call.value = arrays.result<T>(header.rows, 0);
  const auto derivatives = [&](const Sequence** of_inputs) {
    for (int k = 0; k < inputs; ++k) of_inputs[k] = arrays.result<T>(header.rows, header.classes);
  };
  if (wanted & kGrad) derivatives(call.grad);
  if (wanted & kHess) derivatives(call.hess);
  call.call = static_cast<int>(header.call);
  call.scale = 1 / denominator;
  const double value = run<T>(call) / denominator;
  if (!stores && (wanted & kValue) != 0) std::fwrite(&value, sizeof value, 1, stdout);
  arrays.write_results();
}

/// The denominator where every term counts; 1 where there is no mean.
template <class T, class FamilyCall>
double sum_of_weights(const FamilyCall& call, const Header& header) {
  if (header.reduction != mean) return 1;
  return call.weight != nullptr ? sum_of<T>(active_level(), *call.weight, header.rows)
                                : static_cast<double>(header.rows);
}

template <class T>
void evaluate(const Header& header, const PointwiseLoss& loss) {
  Arrays arrays;
  PointwiseCall call;
  call.loss = &loss;
  call.count = header.rows;
  for (int k = 0; k < loss.signature.inputs + loss.signature.targets; ++k) {
    const Sequence* argument = arrays.next<T>(call.count, 0);
    if (argument == nullptr) fail("an argument is missing");
    call.arguments[k] = argument;
  }
  call.weight = arrays.next<T>(call.count, 0);
  arrays.next<double>(0, 0);
  call.parameters = header.parameters;
  for (int k = 0; k < loss.signature.parameters; ++k) {
    call.varying[k] = arrays.next<double>(call.count, 0);
  }
  finish<T>(call, arrays, header, sum_of_weights<T>(call, header));
}

template <class T>
void evaluate(const Header& header, const RowwiseLoss& loss) {
  Arrays arrays;
  RowwiseCall call;
  call.loss = &loss;
  call.level = &active_level();
  call.rows = header.rows;
  call.classes = header.classes;
  for (int k = 0; k < loss.signature.inputs + loss.signature.targets; ++k) {
    const int all = loss.signature.inputs + loss.signature.targets;
    const bool labels = k == loss.signature.inputs && header.labelled != 0;
    const bool number = k >= all - loss.numbers;
    const Sequence* argument = labels ? arrays.next(Storage::int64, 8, call.rows, 0)
                                      : arrays.next<T>(call.rows, number ? 0 : call.classes);
    if (argument == nullptr) fail("an argument is missing");
    if (labels) {
      call.labels = argument;
    } else {
      call.arguments[k] = argument;
    }
  }
  if (header.ignores) call.ignore_index = &header.ignore_index;
  call.weight = arrays.next<T>(call.rows, 0);
  if (const Sequence* class_weight = arrays.next<double>(call.classes + loss.more_labels, 0)) {
    call.class_weight = class_weight->contiguous<double>();
  }
  call.parameters = header.parameters;
  for (int k = 0; k < loss.signature.parameters; ++k) arrays.next<double>(0, 0);
  const bool sums_labels = header.reduction == mean && header.takes_labels != 0;
  finish<T>(call, arrays, header,
            sums_labels ? weight_sum<T>(call) : sum_of_weights<T>(call, header));
}

template <class T>
void evaluate(const Header& header, const OverlapLoss& loss) {
  Arrays arrays;
  OverlapCall call;
  call.loss = &loss;
  call.terms = header.rows;
  call.elements = header.classes;
  for (int k = 0; k < 2; ++k) {
    call.arguments[k] = arrays.next<T>(call.terms, call.elements);
    if (call.arguments[k] == nullptr) fail("an argument is missing");
  }
  call.weight = arrays.next<T>(call.terms, 0);
  call.parameters = header.parameters;
  for (int k = 0; k < 1 + loss.signature.parameters; ++k) arrays.next<double>(0, 0);
  finish<T>(call, arrays, header, sum_of_weights<T>(call, header));
}

template <class T>
void evaluate(const Header& header, const OrderedLoss& loss) {
  Arrays arrays;
  OrderedCall call;
  call.loss = &loss;
  call.level = &active_level();
  call.count = header.rows;
  call.pred = arrays.next<T>(call.count, 0);
  call.key = {arrays.next<T>(call.count, 0), Keys::numbers};
  call.event = arrays.next<T>(call.count, 0);
  if (call.event == nullptr) fail("an argument is missing");
  call.weight = arrays.next<T>(call.count, 0);
  arrays.next<double>(0, 0);
  call.parameters = header.parameters;
  for (int k = 0; k < loss.signature.parameters; ++k) arrays.next<double>(0, 0);
  finish<T>(call, arrays, header, header.reduction == mean ? weight_sum<T>(call) : 1);
}

template <class T>
void evaluate(const Header& header, const GroupwiseLoss& loss) {
  Arrays arrays;
  GroupwiseCall call;
  call.loss = &loss;
  call.level = &active_level();
  call.pred = arrays.next<T>(header.rows, header.classes);
  call.target = arrays.next<T>(header.rows, header.classes);
  const ptrdiff_t count = header.rows * header.classes;
  const Sequence* ids = arrays.next(Storage::int64, 8, count, 0);
  if (ids == nullptr) fail("an argument is missing");
  const Groups groups = find_groups({ids, Keys::integers}, count);
  call.groups = &groups;
  call.weight = arrays.next<T>(header.rows, 0);
  arrays.next<double>(0, 0);
  call.parameters = header.parameters;
  for (int k = 0; k < loss.signature.parameters; ++k) arrays.next<double>(0, 0);
  finish<T>(call, arrays, header, sum_of_weights<T>(call, header));
}

template <class Table>
bool evaluate_if_in(const Table& table, const Header& header) {
  for (int i = 0; i < table.count; ++i) {
    const auto& loss = table.losses[i];
    if (std::string_view(loss.signature.name) != header.loss) continue;
    if (header.item_size == sizeof(float)) {
      evaluate<float>(header, loss);
    } else {
      evaluate<double>(header, loss);
    }
    return true;
  }
  return false;
}

}  // namespace
}  // namespace fastloss

int main(int count, char** arguments) {
  using namespace fastloss;
  if (count > 1 && !activate_level(arguments[1])) fail("this level does not run here");
  set_process_threads(3);
  const Level& level = active_level();
  for (Header header; read(&header, sizeof header);) {
    header.loss[sizeof header.loss - 1] = '\0';
    bool found =
        evaluate_if_in(*level.row_functions, header) || evaluate_if_in(*level.penalties, header);
    for (const RowwiseTable* table : level.rowwise) found = found || evaluate_if_in(*table, header);
    for (const PointwiseTable* table : level.pointwise) {
      found = found || evaluate_if_in(*table, header);
    }
    for (const OverlapTable* table : level.overlap) found = found || evaluate_if_in(*table, header);
    for (const OrderedTable* table : level.ordered) found = found || evaluate_if_in(*table, header);
    for (const GroupwiseTable* table : level.groupwise) {
      found = found || evaluate_if_in(*table, header);
    }
    if (!found) fail("no kernel has this name");
  }
  return 0;
}
