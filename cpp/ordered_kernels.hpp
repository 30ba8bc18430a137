// SPDX-License-Identifier: BSD-3-Clause
// The ordered family at one CPU level: a sample in the order of its keys in, its terms and their
// sum out. For kernel files only, each of which makes the entry table of one list of losses.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Loss, int... calls>
constexpr OrderedLoss entry_of(Numbers<calls...>) {
  return {{Loss::name, 1, Loss::targets, Loss::parameters},
          {&Loss::template run<kCalls[calls]>...}};
}

template <class Losses>
struct Entries;
template <class... Losses>
struct Entries<LossList<Losses...>> {
  static constexpr OrderedLoss entries[] = {entry_of<Losses>(CountUp<kCallCount>::type{})...};
  static constexpr OrderedTable table = {entries, sizeof...(Losses)};
};

template <class Losses>
constexpr OrderedTable kTable = Entries<Losses>::table;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
