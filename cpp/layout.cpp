// SPDX-License-Identifier: BSD-3-Clause
#include "layout.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "dispatch.hpp"
#include "transpose.hpp"

namespace fastloss {
namespace {

template <class Stored, bool swapped>
Stored load(const char* address) {
  std::array<char, sizeof(Stored)> bytes;
  std::memcpy(bytes.data(), address, sizeof(Stored));
  if constexpr (swapped) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Stored>(bytes);
}

template <class Stored, bool swapped>
void store(char* address, Stored x) {
  auto bytes = std::bit_cast<std::array<char, sizeof(Stored)>>(x);
  if constexpr (swapped) std::reverse(bytes.begin(), bytes.end());
  std::memcpy(address, bytes.data(), sizeof(Stored));
}

struct Boolean {
  unsigned char byte;
  template <class To>
  explicit operator To() const {
    return static_cast<To>(byte != 0);
  }
};

/// A strided matrix of stored numbers against a contiguous one of numbers.
struct Matrix {
  ptrdiff_t rows, columns;
  ptrdiff_t row_stride, column_stride;  // bytes

  /// copy(byte offset, index) of elements of `size` bytes, along whichever dimension lies closer in
  /// memory.
  template <ptrdiff_t size, class Copy>
  void for_each(Copy copy) const {
    if (rows > 1 && std::abs(row_stride) < std::abs(column_stride)) {
      for (ptrdiff_t j = 0; j < columns; ++j) {
        for_each_of_line<size>(rows, row_stride, [&](ptrdiff_t offset, ptrdiff_t i) {
          copy(offset + j * column_stride, i * columns + j);
        });
      }
    } else {
      for (ptrdiff_t i = 0; i < rows; ++i) {
        for_each_of_line<size>(columns, column_stride, [&](ptrdiff_t offset, ptrdiff_t j) {
          copy(i * row_stride + offset, i * columns + j);
        });
      }
    }
  }

 private:
  /// Of adjacent elements the compiler makes vectors.
  template <ptrdiff_t size, class Copy>
  static void for_each_of_line(ptrdiff_t count, ptrdiff_t stride, Copy copy) {
    if (stride == size) {
      for (ptrdiff_t k = 0; k < count; ++k) copy(k * size, k);
    } else {
      for (ptrdiff_t k = 0; k < count; ++k) copy(k * stride, k);
    }
  }
};

template <class T>
constexpr bool kIsNarrow = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

template <class To, class Stored>
To convert(Stored x) {
  if constexpr (std::is_same_v<To, std::int64_t> && std::is_same_v<Stored, std::uint64_t>) {
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    return x > static_cast<std::uint64_t>(largest) ? largest : static_cast<std::int64_t>(x);
  } else if constexpr (kIsNarrow<Stored>) {
    return static_cast<To>(static_cast<float>(x));
  } else {
    return static_cast<To>(x);
  }
}

/// Whether elements of type T in consecutive rows are adjacent.
template <class T>
bool has_rows_side_by_side(const Matrix& matrix) {
  return matrix.rows > 1 && matrix.row_stride == sizeof(T) &&
         std::abs(matrix.column_stride) > matrix.row_stride;
}

void widen(const Float16* from, float* to, ptrdiff_t count) {
  active_level().narrow->widen_float16(from, to, count);
}
void widen(const BFloat16* from, float* to, ptrdiff_t count) {
  active_level().narrow->widen_bfloat16(from, to, count);
}
void narrow(const float* from, Float16* to, ptrdiff_t count) {
  active_level().narrow->narrow_float16(from, to, count);
}
void narrow(const float* from, BFloat16* to, ptrdiff_t count) {
  active_level().narrow->narrow_bfloat16(from, to, count);
}

/// Whether every row is contiguous and aligned.
template <class T>
bool has_plain_rows(const char* address, const Matrix& matrix) {
  constexpr auto size = static_cast<ptrdiff_t>(sizeof(T));
  return matrix.column_stride == size && matrix.row_stride % size == 0 &&
         reinterpret_cast<std::uintptr_t>(address) % alignof(T) == 0;
}

template <class Stored, bool swapped, class To>
void gather_matrix(const char* from, const Matrix& matrix, To* to) {
  if constexpr (kIsNarrow<Stored> && std::is_same_v<To, float> && !swapped) {
    if (has_plain_rows<Stored>(from, matrix)) {
      for (ptrdiff_t i = 0; i < matrix.rows; ++i) {
        const auto* row = reinterpret_cast<const Stored*>(from + i * matrix.row_stride);
        widen(row, to + i * matrix.columns, matrix.columns);
      }
      return;
    }
  }
  if constexpr (std::is_same_v<Stored, To> && std::is_floating_point_v<To> && !swapped) {
    if (has_rows_side_by_side<To>(matrix)) {
      const auto [rows, columns, row_stride, column_stride] = matrix;
      return Transposition<To>{rows, columns, column_stride}.to_contiguous(from, to);
    }
  }
  matrix.for_each<sizeof(Stored)>([&](ptrdiff_t offset, ptrdiff_t index) {
    to[index] = convert<To>(load<Stored, swapped>(from + offset));
  });
}

template <class From, class Stored, bool swapped>
void scatter_matrix(const From* from, const Matrix& matrix, char* to) {
  if constexpr (kIsNarrow<Stored> && std::is_same_v<From, float> && !swapped) {
    if (has_plain_rows<Stored>(to, matrix)) {
      for (ptrdiff_t i = 0; i < matrix.rows; ++i) {
        auto* row = reinterpret_cast<Stored*>(to + i * matrix.row_stride);
        narrow(from + i * matrix.columns, row, matrix.columns);
      }
      return;
    }
  }
  if constexpr (std::is_same_v<Stored, From> && !swapped) {
    if (has_rows_side_by_side<From>(matrix)) {
      const auto [rows, columns, row_stride, column_stride] = matrix;
      return Transposition<From>{rows, columns, column_stride}.to_side_by_side(from, to);
    }
  }
  matrix.for_each<sizeof(Stored)>([&](ptrdiff_t offset, ptrdiff_t index) {
    store<Stored, swapped>(to + offset, static_cast<Stored>(from[index]));
  });
}

/// Calls f with a value of the stored type and whether it is byte-swapped, as constants.
template <class F>
void with_storage(Storage storage, bool swapped, F f) {
  const auto with = [&](auto zero) {
    if (swapped) {
      f(zero, std::true_type{});
    } else {
      f(zero, std::false_type{});
    }
  };
  switch (storage) {
    case Storage::boolean:
      return with(Boolean{});
    case Storage::int8:
      return with(std::int8_t{});
    case Storage::int16:
      return with(std::int16_t{});
    case Storage::int32:
      return with(std::int32_t{});
    case Storage::int64:
      return with(std::int64_t{});
    case Storage::uint8:
      return with(std::uint8_t{});
    case Storage::uint16:
      return with(std::uint16_t{});
    case Storage::uint32:
      return with(std::uint32_t{});
    case Storage::uint64:
      return with(std::uint64_t{});
    case Storage::float16:
      return with(Float16{});
    case Storage::bfloat16:
      return with(BFloat16{});
    case Storage::float32:
      return with(float{});
    case Storage::float64:
      return with(double{});
  }
}

}  // namespace

/// copy(address, matrix, position of its first element in the range) for maximal matrices.
template <class Copy>
void Sequence::for_each_run(ptrdiff_t start, ptrdiff_t count, Copy copy) const {
  if (count == 0) return;
  if (dimensions_ == 0) return copy(data_, Matrix{1, 1, 0, 0}, ptrdiff_t{0});
  ptrdiff_t index[kMaxDimensions];
  char* address = data_;
  for (int d = dimensions_ - 1; d >= 0; --d) {
    index[d] = start % along_[d].length;
    start /= along_[d].length;
    address += index[d] * along_[d].stride;
  }
  const int last = dimensions_ - 1;
  const auto [length, stride] = along_[last];
  for (ptrdiff_t done = 0; done < count;) {
    const ptrdiff_t left = count - done;
    ptrdiff_t steps;  // along the last dimension but one
    if (last > 0 && index[last] == 0 && left >= length) {
      steps = std::min(left / length, along_[last - 1].length - index[last - 1]);
      copy(address, Matrix{steps, length, along_[last - 1].stride, stride}, done);
      done += steps * length;
    } else {
      const ptrdiff_t columns = std::min(left, length - index[last]);
      copy(address, Matrix{1, columns, 0, stride}, done);
      done += columns;
      address -= index[last] * stride;
      index[last] = 0;
      steps = 1;
    }
    if (done == count) return;
    index[last - 1] += steps;
    address += steps * along_[last - 1].stride;
    for (int d = last - 1; d > 0 && index[d] == along_[d].length; --d) {
      index[d] = 0;
      address += along_[d - 1].stride - along_[d].length * along_[d].stride;
      ++index[d - 1];
    }
  }
}

template <class To>
void Sequence::gather(ptrdiff_t start, ptrdiff_t count, To* to) const {
  with_storage(storage_, swapped_, [&](auto zero, auto swapped) {
    for_each_run(start, count, [&](const char* from, const Matrix& matrix, ptrdiff_t position) {
      gather_matrix<decltype(zero), swapped.value>(from, matrix, to + position);
    });
  });
}

template <class From>
void Sequence::scatter(const From* from, ptrdiff_t start, ptrdiff_t count) const {
  with_storage(storage_, swapped_, [&](auto zero, auto swapped) {
    if constexpr (std::is_floating_point_v<decltype(zero)> || kIsNarrow<decltype(zero)>) {
      for_each_run(start, count, [&](char* to, const Matrix& matrix, ptrdiff_t position) {
        scatter_matrix<From, decltype(zero), swapped.value>(from + position, matrix, to);
      });
    }
  });
}

template void Sequence::gather(ptrdiff_t, ptrdiff_t, float*) const;
template void Sequence::gather(ptrdiff_t, ptrdiff_t, double*) const;
template void Sequence::gather(ptrdiff_t, ptrdiff_t, std::int64_t*) const;
template void Sequence::scatter(const float*, ptrdiff_t, ptrdiff_t) const;
template void Sequence::scatter(const double*, ptrdiff_t, ptrdiff_t) const;

}  // namespace fastloss
