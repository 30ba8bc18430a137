// SPDX-License-Identifier: BSD-3-Clause
// Arrays of any layout and storage type as sequences of numbers: what lies oddly in memory is
// gathered block by block into contiguous scratch of the arithmetic type, and scattered back.
#pragma once

#include <cstddef>
#include <cstdint>

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
  float32,
  float64,
};

template <class T>
constexpr Storage kStorageOf = Storage::boolean;
template <>
inline constexpr Storage kStorageOf<float> = Storage::float32;
template <>
inline constexpr Storage kStorageOf<double> = Storage::float64;

constexpr int kMaxDimensions = 64;

/// An array as the sequence of its elements in C order of the dimensions appended to it. Lengths
/// are positive. An integer beyond int64 is gathered as the largest one.
class Sequence {
 public:
  Sequence() = default;
  Sequence(void* data, Storage storage, bool swapped)
      : data_(static_cast<char*>(data)), storage_(storage), swapped_(swapped) {}
  Sequence(const Sequence& other) { *this = other; }
  Sequence& operator=(const Sequence& other) {  // not the dimensions that are not there
    data_ = other.data_;
    storage_ = other.storage_;
    swapped_ = other.swapped_;
    dimensions_ = other.dimensions_;
    for (int d = 0; d < dimensions_; ++d) {
      lengths_[d] = other.lengths_[d];
      strides_[d] = other.strides_[d];
    }
    return *this;
  }

  /// Adds the next faster dimension; `stride` is in bytes, 0 where the array is broadcast.
  void append(ptrdiff_t length, ptrdiff_t stride, bool may_merge = true);

  /// The elements themselves, if they lie as contiguous, aligned, native numbers of type T.
  template <class T>
  T* contiguous() const {
    const bool adjacent = dimensions_ == 0 || (dimensions_ == 1 && strides_[0] == sizeof(T));
    return adjacent && is_plain<T>() ? reinterpret_cast<T*>(data_) : nullptr;
  }
  /// Whether every run along the last dimension lies so.
  template <class T>
  bool has_contiguous_rows() const {
    if (!is_plain<T>() || strides_[dimensions_ - 1] != sizeof(T)) return false;
    for (int d = 0; d < dimensions_ - 1; ++d) {
      if (strides_[d] % static_cast<ptrdiff_t>(alignof(T)) != 0) return false;
    }
    return true;
  }
  /// The first element of a run along the last dimension.
  template <class T>
  T* row(ptrdiff_t index) const {
    char* address = data_;
    for (int d = dimensions_ - 2; d > 0; --d) {
      address += index % lengths_[d] * strides_[d];
      index /= lengths_[d];
    }
    if (dimensions_ > 1) address += index * strides_[0];
    return reinterpret_cast<T*>(address);
  }

  /// Copies elements [start, start + count) to contiguous memory. To is float, double or int64.
  template <class To>
  void gather(ptrdiff_t start, ptrdiff_t count, To* to) const;
  /// Copies contiguous numbers to elements [start, start + count) of a float32 or float64 array.
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

  char* data_ = nullptr;
  Storage storage_ = Storage::float64;
  bool swapped_ = false;
  int dimensions_ = 0;
  ptrdiff_t lengths_[kMaxDimensions];
  ptrdiff_t strides_[kMaxDimensions];
};

}  // namespace fastloss
