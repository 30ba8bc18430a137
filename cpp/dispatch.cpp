// SPDX-License-Identifier: BSD-3-Clause
#include "dispatch.hpp"

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fastloss {
namespace {

[[maybe_unused]] bool always() { return true; }

#define FASTLOSS_TABLE_OF(level, name) &level::name##_table,
#define FASTLOSS_LEVEL_OF(level, runs_here)              \
  {#level,                                               \
   {FASTLOSS_POINTWISE_LISTS(FASTLOSS_TABLE_OF, level)}, \
   {FASTLOSS_ROWWISE_LISTS(FASTLOSS_TABLE_OF, level)},   \
   {FASTLOSS_OVERLAP_LISTS(FASTLOSS_TABLE_OF, level)},   \
   {FASTLOSS_ORDERED_LISTS(FASTLOSS_TABLE_OF, level)},   \
   {FASTLOSS_GROUPWISE_LISTS(FASTLOSS_TABLE_OF, level)}, \
   &level::row_function_table,                           \
   &level::penalty_table,                                \
   &level::sum_kernels,                                  \
   &level::narrow_kernels,                               \
   &level::roofline_kernel,                              \
   &level::elementary_table,                             \
   runs_here}

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

/// Whether the operating system saves these parts of the register state (XCR0).
bool os_saves(std::uint64_t parts) {
  constexpr unsigned osxsave = 1u << 27;
  if ((cpuid(1).ecx & osxsave) == 0) return false;
  unsigned low, high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (((static_cast<std::uint64_t>(high) << 32) | low) & parts) == parts;
}

constexpr bool has(unsigned flags, unsigned wanted) { return (flags & wanted) == wanted; }

/// x86-64-v3: AVX2, FMA, BMI1, BMI2, F16C, LZCNT, MOVBE.
bool runs_avx2() {
  constexpr unsigned ecx1 = bit_FMA | bit_MOVBE | bit_AVX | bit_F16C;
  constexpr unsigned ebx7 = bit_BMI | bit_AVX2 | bit_BMI2;
  return has(cpuid(1).ecx, ecx1) && has(cpuid(7).ebx, ebx7) &&
         has(cpuid(0x80000001).ecx, bit_LZCNT) && os_saves(0x6);
}

/// x86-64-v4: AVX-512 F, BW, CD, DQ, VL on top of v3.
bool runs_avx512() {
  constexpr unsigned ebx7 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  return runs_avx2() && has(cpuid(7).ebx, ebx7) && os_saves(0xe6);
}

constexpr Level kLevels[] = {
#if defined(FASTLOSS_HAS_baseline)
    FASTLOSS_LEVEL_OF(baseline, always),
#endif
#if defined(FASTLOSS_HAS_avx2)
    FASTLOSS_LEVEL_OF(avx2, runs_avx2),
#endif
#if defined(FASTLOSS_HAS_avx512)
    FASTLOSS_LEVEL_OF(avx512, runs_avx512),
#endif
};

#else

constexpr Level kLevels[] = {
    FASTLOSS_LEVEL_OF(neon, always),
};

#endif
#undef FASTLOSS_LEVEL_OF
#undef FASTLOSS_TABLE_OF

const Level* highest() {
  const Level* best = &kLevels[0];
  for (const Level& level : kLevels) {
    if (level.runs_here()) best = &level;
  }
  return best;
}

std::atomic<const Level*> active{highest()};

}  // namespace

std::span<const Level> levels() { return kLevels; }

const Level& active_level() { return *active.load(std::memory_order_relaxed); }

bool activate_level(std::string_view name) {
  for (const Level& level : kLevels) {
    if (level.name == name && level.runs_here()) {
      active.store(&level, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

}  // namespace fastloss
