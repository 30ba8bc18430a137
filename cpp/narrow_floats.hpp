// SPDX-License-Identifier: BSD-3-Clause
// The 16-bit types that arrays may be stored in. Widening is exact; narrowing rounds to the
// nearest, ties to even; a NaN stays one. Always inlined: no code of a CPU level leaves its object
// file.
#pragma once

#include <cstddef>
#include <cstdint>

#define ALWAYS_INLINE [[gnu::always_inline]] inline

namespace fastloss {

/// Rounded so that rounding once more, to no more than half of the digits, gives what rounding once
/// would: towards 0, with the last bit set where that lost anything.
ALWAYS_INLINE float rounded_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  auto bits = __builtin_bit_cast(std::uint32_t, nearest);
  const double size = x < 0 ? -x : x;
  const double nearest_size = nearest < 0 ? -static_cast<double>(nearest) : nearest;
  if (nearest_size > size) --bits;
  if (nearest_size != size && x == x) bits |= 1;
  return __builtin_bit_cast(float, bits);
}

/// IEEE 754's binary16.
struct Float16 {
  std::uint16_t bits;

  Float16() = default;
  ALWAYS_INLINE explicit Float16(float x) {
    const auto word = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t size = word & 0x7fffffff;
    std::uint32_t half = ((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10);
    // Where it will be subnormal, adding 1/2 aligns it with the result's last place and rounds.
    const float aligned = __builtin_bit_cast(float, size) + 0.5f;
    const std::uint32_t subnormal = __builtin_bit_cast(std::uint32_t, aligned) - 0x3f000000;
    half = size < 0x38800000 ? subnormal : half;
    half = size >= 0x477ff000 ? (size > 0x7f800000 ? 0x7e00 : 0x7c00) : half;
    bits = static_cast<std::uint16_t>(half | (word >> 16 & 0x8000));
  }
  ALWAYS_INLINE explicit Float16(double x) : Float16(rounded_to_odd(x)) {}
  ALWAYS_INLINE explicit operator float() const {
    const std::uint32_t size = static_cast<std::uint32_t>(bits & 0x7fff) << 13;
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
    const float scaled = __builtin_bit_cast(float, size) * 0x1p112f;  // the difference in bias
    const auto finite = __builtin_bit_cast(std::uint32_t, scaled);
    const std::uint32_t word = size >= 0x0f800000 ? size | 0x7f800000 : finite;
    return __builtin_bit_cast(float, word | sign);
  }
  ALWAYS_INLINE explicit operator double() const { return static_cast<float>(*this); }
};

/// The upper half of a float32.
struct BFloat16 {
  std::uint16_t bits;

  BFloat16() = default;
  ALWAYS_INLINE explicit BFloat16(float x) {
    const auto word = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t rounded = word + 0x7fff + (word >> 16 & 1);
    const std::uint32_t quiet = word | 0x400000;
    bits = static_cast<std::uint16_t>(((word & 0x7fffffff) > 0x7f800000 ? quiet : rounded) >> 16);
  }
  ALWAYS_INLINE explicit BFloat16(double x) : BFloat16(rounded_to_odd(x)) {}
  ALWAYS_INLINE explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
  ALWAYS_INLINE explicit operator double() const { return static_cast<float>(*this); }
};

}  // namespace fastloss

#undef ALWAYS_INLINE
