// SPDX-License-Identifier: BSD-3-Clause
// The groupwise family at one CPU level: the elements of a group in their order in, its term out.
// For kernel files only, each of which makes the entry table of one list of losses.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Loss, int... calls>
constexpr GroupwiseLoss entry_of(Numbers<calls...>) {
  return {{Loss::name, 1, 2, Loss::parameters},
          Loss::order,
          Loss::tabulate,
          {&Loss::template run<kCalls[calls]>...}};
}

template <class Losses>
struct Entries;
template <class... Losses>
struct Entries<LossList<Losses...>> {
  static constexpr GroupwiseLoss entries[] = {entry_of<Losses>(CountUp<kCallCount>::type{})...};
  static constexpr GroupwiseTable table = {entries, sizeof...(Losses)};
};

template <class Losses>
constexpr GroupwiseTable kTable = Entries<Losses>::table;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
