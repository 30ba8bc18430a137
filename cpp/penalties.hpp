// SPDX-License-Identifier: BSD-3-Clause
// Penalties on parameters, element by element, and their proximal steps, which come in the place of
// a gradient. For kernel files only.
#pragma once

#include "losses/terms.hpp"
#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// What is asked of a penalty, and of its proximal step.
struct Penalty {
  static constexpr unsigned results = kValue | kGrad;
  static constexpr bool takes_weights = false;
};
struct ProximalStep {
  static constexpr unsigned results = kGrad;
  static constexpr bool takes_weights = false;
};

/// |x| − s·t where that is positive, with the sign of x; 0 elsewhere.
template <class T>
INLINE T shrunk(T x, T s, T t) {
  const T excess = fma(-s, t, abs(x));
  return select(excess <= T(0), T(0), copysign(excess, x));
}

/// λ·|x|; the slope at 0 is 0.
struct L1 : Penalty {
  static constexpr auto name = "l1";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T x, T strength) {
    return {
        .value = masked_product(strength, abs(x)), .grad = {strength * sign(x)}, .hess = {T(0)}};
  }
};

struct L1Step : ProximalStep {
  static constexpr auto name = "l1.prox";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T x, T step, T strength) {
    return {.value = T(0), .grad = {shrunk(x, step, strength)}, .hess = {T(0)}};
  }
};

/// λ·x²/2.
struct L2 : Penalty {
  static constexpr auto name = "l2";
  static constexpr int parameters = 1;
  template <class T>
  INLINE static Terms<T> terms(T x, T strength) {
    const T grad = masked_product(strength, x);
    return {.value = masked_product(T(0.5) * grad, x), .grad = {grad}, .hess = {strength}};
  }
};

struct L2Step : ProximalStep {
  static constexpr auto name = "l2.prox";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T x, T step, T strength) {
    return {.value = T(0), .grad = {x / fma(step, strength, T(1))}, .hess = {T(0)}};
  }
};

/// λ·(ρ·|x| + (1 − ρ)·x²/2); the slope at 0 is 0.
struct ElasticNet : Penalty {
  static constexpr auto name = "elastic_net";
  static constexpr int parameters = 2;
  template <class T>
  INLINE static Terms<T> terms(T x, T strength, T l1_ratio) {
    const T rest = T(1) - l1_ratio;
    const T size = abs(x);
    const T slope = masked_product(rest, size);
    return {.value = masked_product(masked_product(strength, size), l1_ratio + T(0.5) * slope),
            .grad = {masked_product(strength, sign(x) * (l1_ratio + slope))},
            .hess = {strength * rest}};
  }
};

struct ElasticNetStep : ProximalStep {
  static constexpr auto name = "elastic_net.prox";
  static constexpr int parameters = 3;
  template <class T>
  INLINE static Terms<T> terms(T x, T step, T strength, T l1_ratio) {
    // A product with a ratio of 0 is 0, also of a step that overflows.
    const T whole = min(step * strength, T(Constants<ElementOf<T>>::largest));
    return {.value = T(0),
            .grad = {shrunk(x, whole, l1_ratio) / fma(whole, T(1) - l1_ratio, T(1))},
            .hess = {T(0)}};
  }
};

using Penalties = LossList<L1, L1Step, L2, L2Step, ElasticNet, ElasticNetStep>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
