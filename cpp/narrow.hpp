// SPDX-License-Identifier: BSD-3-Clause
// Vectors of floats from and to arrays of 16-bit types. For kernel files only.
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
INLINE void store_past_cache(Float16* p, Bits bits) {
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bits));
  _mm_stream_si128(reinterpret_cast<__m128i*>(p) + 1, _mm256_extracti128_si256(bits, 1));
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
INLINE void store_past_cache(Float16* p, Bits bits) {
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), bits);
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
INLINE void store_past_cache(Float16* p, Bits bits) { __builtin_memcpy(p, &bits, sizeof bits); }
#endif

/// Number i of an array in a format.
template <class T>
INLINE T* at(T* array, Format format, ptrdiff_t i) {
  const ptrdiff_t size = format == Format::same ? sizeof(T) : sizeof(Float16);
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(array) +
                              static_cast<std::uintptr_t>(i * size));
}

INLINE Vec<double> load(const double* array, Format, ptrdiff_t i) {
  return Vec<double>::load(array + i);
}
INLINE Vec<float> load(const float* array, Format format, ptrdiff_t i) {
  if (format == Format::same) return Vec<float>::load(array + i);
  Bits bits;
  __builtin_memcpy(&bits, reinterpret_cast<const Float16*>(array) + i, sizeof bits);
  return format == Format::float16 ? from_float16(bits) : from_bfloat16(bits);
}

/// Past the caches, where addresses are multiples of 16 bytes, or in a format.
template <class T>
INLINE void store_otherwise(bool past_cache, T* array, Format format, ptrdiff_t i, Vec<T> v) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (format != Format::same) {
      const Bits bits = format == Format::float16 ? to_float16(v) : to_bfloat16(v);
      Float16* to = reinterpret_cast<Float16*>(array) + i;
      if (past_cache) {
        store_past_cache(to, bits);
      } else {
        __builtin_memcpy(to, &bits, sizeof bits);
      }
      return;
    }
  }
  if (past_cache) {
    store_past_cache(array + i, v);
  } else {
    v.store(array + i);
  }
}

/// The `count` numbers from number i on.
template <class T>
[[gnu::noinline]] void load_some(const T* array, Format format, ptrdiff_t i, T* to,
                                 ptrdiff_t count) {
  for (ptrdiff_t k = 0; k < count; ++k) {
    if (format == Format::same) {
      to[k] = array[i + k];
    } else if (format == Format::float16) {
      to[k] = static_cast<T>(reinterpret_cast<const Float16*>(array)[i + k]);
    } else {
      to[k] = static_cast<T>(reinterpret_cast<const BFloat16*>(array)[i + k]);
    }
  }
}
template <class T>
[[gnu::noinline]] void store_some(const T* from, T* array, Format format, ptrdiff_t i,
                                  ptrdiff_t count) {
  for (ptrdiff_t k = 0; k < count; ++k) {
    if (format == Format::same) {
      array[i + k] = from[k];
    } else if (format == Format::float16) {
      reinterpret_cast<Float16*>(array)[i + k] = Float16(from[k]);
    } else {
      reinterpret_cast<BFloat16*>(array)[i + k] = BFloat16(from[k]);
    }
  }
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
