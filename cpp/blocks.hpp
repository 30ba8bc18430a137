// SPDX-License-Identifier: BSD-3-Clause
// How a driver cuts its work: into blocks that a kernel takes at once, and into chunks of blocks
// that go to threads. Both depend on the size of the work alone, so that sums do too.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

#include "drivers.hpp"
#include "threads.hpp"

namespace fastloss {

/// Results of more bytes than this go past the caches: the last level does not hold them anyway.
constexpr ptrdiff_t kPastCache = ptrdiff_t{24} << 20;

/// Adds a part to a running sum and keeps what rounding loses.
inline void accumulate(Sum& sum, Sum part) {
  const double high = sum.high + part.high;
  const double rounded = high - sum.high;
  sum.low += part.low + ((sum.high - (high - rounded)) + (part.high - rounded));
  sum.high = high;
}

/// The kernel that adds up numbers of type T.
template <class T>
auto sum_kernel(const Level& level) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return level.sums->float_sum;
  } else {
    return level.sums->double_sum;
  }
}

/// How many float32 elements of a simple loss cost as much as one term: `cost` of them in float32.
template <class T>
double work_of(double cost) {
  return cost * sizeof(T) / sizeof(float);
}

/// Runs body(start, count, thread) -> Sum over blocks of `block` items and adds up in order.
/// At most kMaxChunks partial sums are kept, however long the work.
template <class Body>
Sum sum_over_blocks(ptrdiff_t items, ptrdiff_t block, Team team, const Body& body) {
  constexpr ptrdiff_t kMaxChunks = 4096;
  if (items <= block) return body(ptrdiff_t{0}, items, 0);
  const ptrdiff_t blocks = (items + block - 1) / block;
  const ptrdiff_t per_chunk = (blocks + kMaxChunks - 1) / kMaxChunks;
  const ptrdiff_t chunks = (blocks + per_chunk - 1) / per_chunk;
  const std::unique_ptr<Sum[]> sums(new Sum[static_cast<std::size_t>(chunks)]);
  parallel_for(chunks, team, [&](ptrdiff_t chunk, int thread) {
    Sum sum;
    const ptrdiff_t end = std::min(items, (chunk + 1) * per_chunk * block);
    for (ptrdiff_t start = chunk * per_chunk * block; start < end; start += block) {
      accumulate(sum, body(start, std::min(block, end - start), thread));
    }
    sums[chunk] = sum;
  });
  Sum sum = sums[0];
  for (ptrdiff_t chunk = 1; chunk < chunks; ++chunk) accumulate(sum, sums[chunk]);
  return sum;
}

/// Uninitialised memory for every thread, in slices that do not share cache lines. What small calls
/// need of it lies in the object itself.
template <class T>
class Scratch {
 public:
  /// `length` numbers for each of `slices` slices of each of `threads` threads.
  Scratch(int threads, int slices, ptrdiff_t length) : slices_(slices) {
    ptrdiff_t bytes;
    if (__builtin_add_overflow(length, kLine - 1, &stride_)) throw std::bad_alloc();
    stride_ &= -kLine;
    if (__builtin_mul_overflow(stride_, static_cast<ptrdiff_t>(sizeof(T)), &bytes) ||
        __builtin_mul_overflow(bytes, slices, &bytes) ||
        __builtin_mul_overflow(bytes, threads, &bytes)) {
      throw std::bad_alloc();
    }
    if (bytes > kSmall) {
      const auto size = static_cast<std::size_t>(bytes);
      large_.reset(::operator new(size, std::align_val_t{64}));
    }
    memory_ = static_cast<T*>(bytes > kSmall ? large_.get() : small_);
  }
  T* slice(int thread, int slice) const {
    return memory_ + (static_cast<ptrdiff_t>(thread) * slices_ + slice) * stride_;
  }

 private:
  static constexpr ptrdiff_t kLine = 64 / sizeof(T);
  static constexpr ptrdiff_t kSmall = 1024;
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  int slices_;
  ptrdiff_t stride_;
  T* memory_;
  std::unique_ptr<void, Free> large_;
  alignas(64) std::byte small_[kSmall];
};

}  // namespace fastloss
