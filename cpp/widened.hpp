// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic in double precision for all lanes of a vector of floats, as far as formulas of rows
// need it, and what makes them independent of how many rows they see at once.
#pragma once

#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <>
struct Float<Widened> : Float<double> {};

struct WidenedMask {
  Mask<double> low, high;
};

/// f of each half.
INLINE Widened each_half(auto f, auto... x) { return {f(x.low...), f(x.high...)}; }

INLINE Widened operator+(Widened a, Widened b) { return {a.low + b.low, a.high + b.high}; }
INLINE Widened operator-(Widened a, Widened b) { return {a.low - b.low, a.high - b.high}; }
INLINE Widened operator*(Widened a, Widened b) { return {a.low * b.low, a.high * b.high}; }
INLINE Widened operator/(Widened a, Widened b) { return {a.low / b.low, a.high / b.high}; }
INLINE Widened operator-(Widened a) { return {-a.low, -a.high}; }
INLINE WidenedMask operator<(Widened a, Widened b) { return {a.low < b.low, a.high < b.high}; }
INLINE WidenedMask operator>(Widened a, Widened b) { return {a.low > b.low, a.high > b.high}; }
INLINE WidenedMask operator<=(Widened a, Widened b) { return {a.low <= b.low, a.high <= b.high}; }
INLINE WidenedMask operator>=(Widened a, Widened b) { return {a.low >= b.low, a.high >= b.high}; }
INLINE WidenedMask operator==(Widened a, Widened b) { return {a.low == b.low, a.high == b.high}; }
INLINE WidenedMask operator!=(Widened a, Widened b) { return {a.low != b.low, a.high != b.high}; }
INLINE WidenedMask operator&(WidenedMask a, WidenedMask b) {
  return {a.low & b.low, a.high & b.high};
}
INLINE WidenedMask operator|(WidenedMask a, WidenedMask b) {
  return {a.low | b.low, a.high | b.high};
}
INLINE bool any(WidenedMask condition) { return any(condition.low | condition.high); }
INLINE Widened select(WidenedMask condition, Widened a, Widened b) {
  return {select(condition.low, a.low, b.low), select(condition.high, a.high, b.high)};
}
INLINE Widened fma(Widened a, Widened b, Widened c) {
  return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)};
}
INLINE Widened abs(Widened x) {
  return each_half([](auto half) { return abs(half); }, x);
}
INLINE Widened copysign(Widened magnitude, Widened sign) {
  return each_half([](auto a, auto b) { return copysign(a, b); }, magnitude, sign);
}
INLINE Widened sqrt(Widened x) {
  return each_half([](auto half) { return sqrt(half); }, x);
}
INLINE Widened exp(Widened x) {
  return each_half([](auto half) { return exp(half); }, x);
}
INLINE Widened tanh(Widened x) {
  return each_half([](auto half) { return tanh(half); }, x);
}
INLINE Widened pow(Widened x, Widened y) {
  return each_half([](auto a, auto b) { return pow(a, b); }, x, y);
}
INLINE Widened times_power_of_two(Widened x, Widened n) {
  return each_half([](auto a, auto b) { return times_power_of_two(a, b); }, x, n);
}
INLINE ExactSum<Widened> in_halves(ExactSum<Vec<double>> low, ExactSum<Vec<double>> high) {
  return {{low.high, high.high}, {low.low, high.low}};
}
INLINE ExactSum<Widened> log1p_sum(Widened x) {
  return in_halves(log1p_sum(x.low), log1p_sum(x.high));
}
INLINE ExactSum<Widened> exact_product(Widened a, Widened b) {
  return in_halves(exact_product(a.low, b.low), exact_product(a.high, b.high));
}

// ---- one number per row -------------------------------------------------------------------------

/// Numbers of double precision for as many rows as Element has numbers for.
template <class Element>
struct Doubles {
  using type = double;
};
template <>
struct Doubles<Vec<double>> {
  using type = Vec<double>;
};
template <>
struct Doubles<Vec<float>> {
  using type = Widened;
};

/// What the elements of rows of T are in double precision, a vector at a time.
template <class T>
using Wide = typename Doubles<Vec<T>>::type;

template <class A, class B>
constexpr bool same = false;
template <class A>
constexpr bool same<A, A> = true;

/// The same numbers in another type, rounded if need be; one number is spread over all lanes.
template <class To, class From>
INLINE To convert(From x) {
  if constexpr (same<To, From>) {
    return x;
  } else if constexpr (same<From, Widened>) {
    return narrow(x);
  } else if constexpr (same<From, Vec<float>>) {
    return widen(x);
  } else {
    return To(x);
  }
}

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
