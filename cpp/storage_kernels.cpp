// SPDX-License-Identifier: BSD-3-Clause
// Conversion at one CPU level between float32 and the 16-bit types that arrays may be stored in.
// Exact one way, rounded to the nearest, ties to even, the other way; a NaN stays one.
#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

using Half = std::uint16_t;
using Word = std::uint32_t;

constexpr Word kSign = 0x80000000, kInfinity = 0x7f800000;

struct Float16 {
  static float widened(Half half) {
    // As a float whose exponent is too small by 112, subnormal or not.
    const Word bits = static_cast<Word>(half & 0x7fff) << 13;
    float x = __builtin_bit_cast(float, bits) * 0x1p112f;
    if (bits >= 0x0f800000) x = __builtin_bit_cast(float, bits | kInfinity);  // inf or NaN
    return __builtin_bit_cast(float, __builtin_bit_cast(Word, x) | static_cast<Word>(half & 0x8000)
                                                                       << 16);
  }
  static Half narrowed(float x) {
    const Word bits = __builtin_bit_cast(Word, x);
    const Word size = bits & ~kSign;
    const Half sign = static_cast<Half>((bits & kSign) >> 16);
    // Normal: the bits that are cut off are rounded away in place.
    const Word rounded = size + 0xfff + ((size >> 13) & 1);
    Word half = (rounded >> 13) - (112 << 10);
    // Subnormal: an addition to 1/2 aligns and rounds.
    if (size < 0x38800000) {
      const float aligned = __builtin_bit_cast(float, size) + 0.5f;
      half = __builtin_bit_cast(Word, aligned) - 0x3f000000;
    }
    if (size >= 0x477ff000) half = size > kInfinity ? 0x7e00 : 0x7c00;
    return static_cast<Half>(half | sign);
  }
};

struct BFloat16 {
  static float widened(Half half) {
    return __builtin_bit_cast(float, static_cast<Word>(half) << 16);
  }
  static Half narrowed(float x) {
    const Word bits = __builtin_bit_cast(Word, x);
    const Word rounded = bits + 0x7fff + ((bits >> 16) & 1);
    const Word quiet = bits | 0x400000;
    return static_cast<Half>(((bits & ~kSign) > kInfinity ? quiet : rounded) >> 16);
  }
};

template <class Type>
void widen(const Half* from, float* to, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; ++i) to[i] = Type::widened(from[i]);
}
template <class Type>
void narrow(const float* from, Half* to, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; ++i) to[i] = Type::narrowed(from[i]);
}

}  // namespace

constinit const StorageKernels storage_kernels = {{&widen<Float16>, &narrow<Float16>},
                                                  {&widen<BFloat16>, &narrow<BFloat16>}};

}  // namespace fastloss::FASTLOSS_LEVEL
