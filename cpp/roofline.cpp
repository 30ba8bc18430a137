// SPDX-License-Identifier: BSD-3-Clause
#include "roofline.hpp"

#include <algorithm>

#include "arguments.hpp"
#include "dispatch.hpp"
#include "threads.hpp"

namespace fastloss {
namespace {

using Word = std::uint32_t;

constexpr ptrdiff_t kBlock = 4096;  // words that a kernel takes at once, as in the losses
constexpr std::size_t kMostArrays = kMaxArguments;

/// The arrays' words; their common number goes to `count`, which is -1 before the first one.
std::vector<Word*> words_of(const std::vector<py::object>& arrays, bool written, bool past_cache,
                            ptrdiff_t& count) {
  if (arrays.empty() || arrays.size() > kMostArrays) {
    throw py::value_error("move_bytes: expected 1 to " + std::to_string(kMostArrays) +
                          " inputs and outputs");
  }
  std::vector<Word*> words;
  for (const py::object& object : arrays) {
    auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
    if (!PyArray_Check(object.ptr()) || !PyArray_IS_C_CONTIGUOUS(array) ||
        (written && !PyArray_ISWRITEABLE(array))) {
      throw py::type_error("move_bytes: expected contiguous arrays and writable outputs");
    }
    const ptrdiff_t bytes = PyArray_NBYTES(array);
    auto* const data = static_cast<Word*>(PyArray_DATA(array));
    const auto address = reinterpret_cast<std::uintptr_t>(data);
    if (bytes % 4 != 0 || (count >= 0 && bytes / 4 != count)) {
      throw py::value_error("move_bytes: expected one number of bytes, a multiple of 4");
    }
    if (address % (written && past_cache ? 16 : 4) != 0) {
      throw py::value_error("move_bytes: expected aligned arrays");
    }
    count = bytes / 4;
    words.push_back(data);
  }
  return words;
}

}  // namespace

void move_bytes(const std::vector<py::object>& inputs, const std::vector<py::object>& outputs,
                bool past_cache) {
  ptrdiff_t count = -1;
  const std::vector<Word*> from = words_of(inputs, false, past_cache, count);
  const std::vector<Word*> to = words_of(outputs, true, past_cache, count);
  const WordsKernel kernel = *active_level().roofline;

  const py::gil_scoped_release release;
  parallel_for((count + kBlock - 1) / kBlock, team_for(static_cast<double>(count)),
               [&](ptrdiff_t block, int) {
                 const ptrdiff_t start = block * kBlock;
                 WordsTask task{};
                 task.count = std::min(kBlock, count - start);
                 task.input_count = static_cast<int>(from.size());
                 task.output_count = static_cast<int>(to.size());
                 for (std::size_t k = 0; k < from.size(); ++k) task.inputs[k] = from[k] + start;
                 for (std::size_t k = 0; k < to.size(); ++k) task.outputs[k] = to[k] + start;
                 task.past_cache = past_cache;
                 kernel(task);
               });
}

}  // namespace fastloss
