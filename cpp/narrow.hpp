// SPDX-License-Identifier: BSD-3-Clause
// Floats from and to arrays of 16-bit types. For kernel files only.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// The upper half of each number, rounded, in the lower half of a word.
INLINE Vec<std::uint32_t> upper_halves(Vec<float> v) {
  using Words = Vec<std::uint32_t>::Raw;
  const auto words = __builtin_bit_cast(Words, v.raw);
  const Words rounded = words + 0x7fff + (words >> 16 & 1);
  const Words quiet = words | 0x400000;
  return ((words & 0x7fffffff) > 0x7f800000 ? quiet : rounded) >> 16;
}

#if defined(__AVX512F__)
using Bits = __m256i;  // as many 16-bit numbers as there are lanes

// With a mask of all lanes: GCC 12 takes the plain ones for uninitialised.
constexpr __mmask16 kAll = 0xffff;
INLINE Vec<float> from_float16(Bits bits) { return _mm512_maskz_cvtph_ps(kAll, bits); }
INLINE Bits to_float16(Vec<float> v) {
  return _mm512_maskz_cvtps_ph(kAll, v.raw, _MM_FROUND_TO_NEAREST_INT);
}
INLINE Vec<float> from_bfloat16(Bits bits) {
  const __m512i wide = _mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, bits), 16);
  return __builtin_bit_cast(Vec<float>, wide);
}
INLINE Bits to_bfloat16(Vec<float> v) {
  return _mm512_maskz_cvtepi32_epi16(kAll, __builtin_bit_cast(__m512i, upper_halves(v)));
}
INLINE void store_past_cache(void* p, Bits bits) {
  _mm_stream_si128(static_cast<__m128i*>(p), _mm256_castsi256_si128(bits));
  _mm_stream_si128(static_cast<__m128i*>(p) + 1, _mm256_extracti128_si256(bits, 1));
}
#elif defined(__AVX2__)
using Bits = __m128i;

INLINE Vec<float> from_float16(Bits bits) { return _mm256_cvtph_ps(bits); }
INLINE Bits to_float16(Vec<float> v) { return _mm256_cvtps_ph(v.raw, _MM_FROUND_TO_NEAREST_INT); }
INLINE Vec<float> from_bfloat16(Bits bits) {
  const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16);
  return __builtin_bit_cast(Vec<float>, wide);
}
INLINE Bits to_bfloat16(Vec<float> v) {
  const auto bits = __builtin_bit_cast(__m256i, upper_halves(v));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0x08);
  return _mm256_castsi256_si128(packed);
}
INLINE void store_past_cache(void* p, Bits bits) {
  _mm_stream_si128(static_cast<__m128i*>(p), bits);
}
#else
struct Bits {
  std::uint16_t of_lane[Vec<float>::lanes];
};

template <class Narrow>
INLINE Vec<float> from_bits(Bits bits) {
  float lanes[Vec<float>::lanes];
  for (int i = 0; i < Vec<float>::lanes; ++i) {
    lanes[i] = static_cast<float>(__builtin_bit_cast(Narrow, bits.of_lane[i]));
  }
  return Vec<float>::load(lanes);
}
template <class Narrow>
INLINE Bits to_bits(Vec<float> v) {
  float lanes[Vec<float>::lanes];
  v.store(lanes);
  Bits bits;
  for (int i = 0; i < Vec<float>::lanes; ++i) bits.of_lane[i] = Narrow(lanes[i]).bits;
  return bits;
}
INLINE Vec<float> from_float16(Bits bits) { return from_bits<Float16>(bits); }
INLINE Bits to_float16(Vec<float> v) { return to_bits<Float16>(v); }
INLINE Vec<float> from_bfloat16(Bits bits) { return from_bits<BFloat16>(bits); }
INLINE Bits to_bfloat16(Vec<float> v) { return to_bits<BFloat16>(v); }
INLINE void store_past_cache(void* p, Bits bits) { __builtin_memcpy(p, &bits, sizeof bits); }
#endif

template <class Narrow>
INLINE Vec<float> load_narrow(const Narrow* p) {
  Bits bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  if constexpr (__is_same(Narrow, Float16)) return from_float16(bits);
  return from_bfloat16(bits);
}
template <class Narrow>
INLINE Bits to_narrow(Vec<float> v) {
  if constexpr (__is_same(Narrow, Float16)) return to_float16(v);
  return to_bfloat16(v);
}

template <class Narrow>
INLINE void widen(const Narrow* from, float* to, ptrdiff_t count) {
  constexpr int lanes = Vec<float>::lanes;
  const ptrdiff_t whole = count - count % lanes;
  for (ptrdiff_t i = 0; i < whole; i += lanes) load_narrow(from + i).store(to + i);
  for (ptrdiff_t i = whole; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

/// Past the caches, `to` is a multiple of 16 bytes.
template <class Narrow>
INLINE void narrow(const float* from, Narrow* to, ptrdiff_t count, bool past_cache) {
  constexpr int lanes = Vec<float>::lanes;
  const ptrdiff_t whole = count - count % lanes;
  for (ptrdiff_t i = 0; i < whole; i += lanes) {
    const Bits bits = to_narrow<Narrow>(Vec<float>::load(from + i));
    if (past_cache) {
      store_past_cache(to + i, bits);
    } else {
      __builtin_memcpy(to + i, &bits, sizeof bits);
    }
  }
  for (ptrdiff_t i = whole; i < count; ++i) to[i] = Narrow(from[i]);
}

/// Copies `count` numbers from number `first` of an array in a format.
template <class T>
[[gnu::noinline]] void copy_in(const T* array, Format format, ptrdiff_t first, T* to,
                               ptrdiff_t count) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (format == Format::float16)
      return widen(reinterpret_cast<const Float16*>(array) + first, to, count);
    if (format == Format::bfloat16)
      return widen(reinterpret_cast<const BFloat16*>(array) + first, to, count);
  }
  __builtin_memcpy(to, array + first, static_cast<std::size_t>(count) * sizeof(T));
}

/// Copies `count` numbers to an array in a format, from its number `first` on.
template <class T>
[[gnu::noinline]] void copy_out(const T* from, T* array, Format format, ptrdiff_t first,
                                ptrdiff_t count, bool past_cache) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (format == Format::float16)
      return narrow(from, reinterpret_cast<Float16*>(array) + first, count, past_cache);
    if (format == Format::bfloat16)
      return narrow(from, reinterpret_cast<BFloat16*>(array) + first, count, past_cache);
  }
  __builtin_memcpy(array + first, from, static_cast<std::size_t>(count) * sizeof(T));
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
