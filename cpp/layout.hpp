// SPDX-License-Identifier: BSD-3-Clause
// Arrays of any layout and storage type as sequences of numbers: what lies oddly in memory is
// gathered block by block into contiguous scratch of the arithmetic type, and scattered back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "narrow_floats.hpp"

namespace fastloss {

using std::ptrdiff_t;

enum class Storage : unsigned char {
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  bfloat16,
  float32,
  float64,
};

template <class T>
constexpr Storage kStorageOf = Storage::boolean;
template <>
inline constexpr Storage kStorageOf<float> = Storage::float32;
template <>
inline constexpr Storage kStorageOf<double> = Storage::float64;
template <>
inline constexpr Storage kStorageOf<Float16> = Storage::float16;
template <>
inline constexpr Storage kStorageOf<BFloat16> = Storage::bfloat16;

constexpr int kMaxDimensions = 64;

/// An array as the sequence of its elements in C order of the dimensions appended to it. Lengths
/// are positive. An integer beyond int64 is gathered as the largest one.
class Sequence {
 public:
  Sequence() = default;  // nothing is set, since a call has places for more of them than it needs
  Sequence(void* data, Storage storage, bool swapped)
      : data_(static_cast<char*>(data)), storage_(storage), swapped_(swapped), dimensions_(0) {}
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  /// Adds the next faster dimension; `stride` is in bytes, 0 where the array is broadcast.
  void append(ptrdiff_t length, ptrdiff_t stride, bool may_merge = true) {
    if (may_merge) {
      if (length == 1) return;
      if (dimensions_ > 0 && along_[dimensions_ - 1].stride == length * stride) {
        along_[dimensions_ - 1].length *= length;
        along_[dimensions_ - 1].stride = stride;
        return;
      }
    }
    along_[dimensions_++] = {length, stride};
  }
  /// The same from the last to the first.
  void append_backwards(ptrdiff_t length, ptrdiff_t stride) {
    data_ += stride * (length - 1);
    append(length, -stride);
  }

  /// The elements themselves, if they lie as contiguous, aligned, native numbers of type T.
  template <class T>
  T* contiguous() const {
    const bool adjacent = dimensions_ == 0 || (dimensions_ == 1 && along_[0].stride == sizeof(T));
    return adjacent && is_plain<T>() ? reinterpret_cast<T*>(data_) : nullptr;
  }
  /// The same of elements [start, start + count), at least one.
  template <class T>
  T* contiguous(ptrdiff_t start, ptrdiff_t count) const {
    const int last = dimensions_ - 1;
    if (!is_plain<T>() || last < 0) return contiguous<T>();
    if (along_[last].stride != sizeof(T)) return nullptr;
    char* address = data_;
    for (int d = last; d >= 0; --d) {
      const ptrdiff_t index = start % along_[d].length;
      if (d == last && along_[d].length - index < count) return nullptr;
      address += index * along_[d].stride;
      start /= along_[d].length;
    }
    return reinterpret_cast<std::uintptr_t>(address) % alignof(T) == 0
               ? reinterpret_cast<T*>(address)
               : nullptr;
  }
  /// Whether every run along the last dimension lies so.
  template <class T>
  bool has_contiguous_rows() const {
    if (!is_plain<T>() || along_[dimensions_ - 1].stride != sizeof(T)) return false;
    for (int d = 0; d < dimensions_ - 1; ++d) {
      if (along_[d].stride % static_cast<ptrdiff_t>(alignof(T)) != 0) return false;
    }
    return true;
  }
  /// The first element of a run along the last dimension.
  template <class T>
  T* row(ptrdiff_t index) const {
    char* address = data_;
    for (int d = dimensions_ - 2; d > 0; --d) {
      address += index % along_[d].length * along_[d].stride;
      index /= along_[d].length;
    }
    if (dimensions_ > 1) address += index * along_[0].stride;
    return reinterpret_cast<T*>(address);
  }

  /// The first elements of `count` such runs.
  template <class T>
  void rows(ptrdiff_t start, ptrdiff_t count, T** first) const {
    const Dimension along = dimensions_ > 1 ? along_[dimensions_ - 2] : Dimension{1, 0};
    while (count > 0) {
      const ptrdiff_t adjacent = std::min(count, along.length - start % along.length);
      char* address = row<char>(start);
      for (ptrdiff_t i = 0; i < adjacent; ++i) {
        *first++ = reinterpret_cast<T*>(address + i * along.stride);
      }
      start += adjacent;
      count -= adjacent;
    }
  }

  /// Whether elements of consecutive runs lie closer in memory than those of one.
  bool has_runs_side_by_side() const {
    if (dimensions_ < 2) return false;
    return std::abs(along_[dimensions_ - 2].stride) < std::abs(along_[dimensions_ - 1].stride);
  }
  /// Sets `columns` to the sequence of the first elements of `count` runs, then the second ones,
  /// and so on, in which these are the runs. False if the runs do not lie in one row.
  bool transpose(ptrdiff_t start, ptrdiff_t count, Sequence& columns) const {
    const auto [length, stride] = along_[dimensions_ - 2];
    if (start % length + count > length) return false;
    columns.data_ = row<char>(start);
    columns.storage_ = storage_;
    columns.swapped_ = swapped_;
    columns.dimensions_ = 2;
    columns.along_[0] = along_[dimensions_ - 1];
    columns.along_[1] = {count, stride};
    return true;
  }

  /// Copies elements [start, start + count) to contiguous memory. To is float, double or int64.
  template <class To>
  void gather(ptrdiff_t start, ptrdiff_t count, To* to) const;
  /// Copies contiguous numbers to elements [start, start + count) of an array of floats.
  template <class From>
  void scatter(const From* from, ptrdiff_t start, ptrdiff_t count) const;

 private:
  template <class T>
  bool is_plain() const {
    return storage_ == kStorageOf<T> && !swapped_ &&
           reinterpret_cast<std::uintptr_t>(data_) % alignof(T) == 0;
  }
  template <class Copy>
  void for_each_run(ptrdiff_t start, ptrdiff_t count, Copy copy) const;

  struct Dimension {
    ptrdiff_t length, stride;
  };

  char* data_;
  Storage storage_;
  bool swapped_;
  int dimensions_;
  Dimension along_[kMaxDimensions];
};

}  // namespace fastloss
