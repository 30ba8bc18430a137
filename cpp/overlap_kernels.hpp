// SPDX-License-Identifier: BSD-3-Clause
// The overlap family at one CPU level: masks in; totals first, then derivatives. For kernel files
// only, each of which makes the entry table of one list of losses.
#pragma once

#include "kernels.hpp"
#include "rows.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

/// What an element adds to the totals.
template <class Number>
struct Shares {
  Number true_positive, false_positive, false_negative;
};
/// Of a probability p, and 1 − p rounded.
template <class Number>
INLINE Shares<Number> shares_of(Number p, Number complement, Number t) {
  if constexpr (has_fma) {
    return {p * t, fma(-p, t, p), complement * t};
  } else {
    return {p * t, p * (Number(1) - t), complement * t};
  }
}
/// Of a float p alone: its product is exact.
INLINE Shares<Widened> shares_of(Widened p, Widened t) {
  const Widened product = p * t;
  return {product, p - product, t - product};
}
INLINE Shares<ExactSum<Vec<double>>> shares_of(Vec<double> p, Vec<double> t) {
  const auto product = exact_product(p, t);
  const auto less_product = [&](Vec<double> a) {
    const auto [high, lost] = exact_difference(a, product.high);
    return ExactSum<Vec<double>>{high, lost - product.low};
  };
  return {product, less_product(p), less_product(t)};
}

/// Whole vectors go past the caches where that is asked for.
template <class T>
INLINE void store(WholeSpan<T> span, T* to, Vec<T> v, bool past_cache) {
  store_maybe_past_cache(past_cache, to + span.start, v);
}
template <class T>
INLINE void store(PartSpan<T> span, T* to, Vec<T> v, bool) {
  span.store(to, v);
}

/// The two passes over the elements of a mask.
template <class T, bool from_logits>
struct MaskKernel {
  using V = Vec<T>;
  using Number = typename Doubles<V>::type;

  static Totals totals(const T* pred, const T* target, ptrdiff_t count) {
    InnerSum<T> true_positive, false_positive, false_negative;
    const auto add = [&](const auto& shares, int position) {
      true_positive.add(shares.true_positive, position);
      false_positive.add(shares.false_positive, position);
      false_negative.add(shares.false_negative, position);
    };
    for_each_vector_of<T>(count, [&](auto span, int position) {
      const Number t = convert<Number>(span.load(target, V(0)));
      if constexpr (from_logits) {
        const V logit = span.load(pred, V(-Constants<T>::infinity));
        const Sigmoids<V> s = sigmoids(logit);
        const V smaller = s.smaller * V(s.unit);
        const auto below = logit < V(0);
        const Number p = convert<Number>(select(below, smaller, s.larger));
        add(shares_of(p, convert<Number>(select(below, s.larger, smaller)), t), position);
      } else {
        add(shares_of(convert<Number>(span.load(pred, V(0))), t), position);
      }
    });
    const auto plain = [](ExactSum<double> sum) { return Sum{sum.high, sum.low}; };
    return {plain(true_positive.total()), plain(false_positive.total()),
            plain(false_negative.total())};
  }

  template <bool want_hess>
  static void derivatives(const OverlapTask<T>& given) {
    const OverlapTask<T> task = given;  // which stores cannot change
    const OverlapTerm& term = task.term;
    const Number grad_background(term.grad[0]), grad_foreground(term.grad[1]);
    const Number turn_background(term.turn[0]), turn_foreground(term.turn[1]);
    // A logit x moves its p by dp/dx = p(1 − p), in units, and d²p/dx² = (1 − 2p)·dp/dx.
    constexpr double unit = from_logits ? Sigmoids<V>::unit : 1;
    const Number grad_factor(unit * term.slope * task.factor), hess_factor(unit * task.factor);
    for_each_vector_of<T>(task.count, [&](auto span, int) {
      const Number t = convert<Number>(span.load(task.target, V(0)));
      const Number rest = Number(1) - t;
      Number g = fma(t, grad_foreground, rest * grad_background);
      Number turned = fma(t, turn_foreground, rest * turn_background);
      if constexpr (from_logits) {
        const V logit = span.load(task.pred, V(0));
        const Sigmoids<V> s = sigmoids(logit);
        const V difference = select(logit < V(0), s.difference, -s.difference);
        const Number by_logit = convert<Number>(s.smaller * s.larger);
        const Number bend = Number(term.slope) * convert<Number>(difference);
        g = g * by_logit;
        turned = fma(turned, by_logit * Number(unit), bend);
      }
      store(span, task.grad, convert<V>(grad_factor * g), task.past_cache);
      if constexpr (want_hess) {
        store(span, task.hess, convert<V>(hess_factor * (g * turned)), task.past_cache);
      }
    });
    if (task.past_cache) finish_past_cache();
  }
};

template <class T>
constexpr OverlapKernels<T> kOverlapKernels = {
    {&MaskKernel<T, false>::totals, &MaskKernel<T, true>::totals},
    {&MaskKernel<T, false>::template derivatives<false>,
     &MaskKernel<T, true>::template derivatives<false>},
    {&MaskKernel<T, false>::template derivatives<true>,
     &MaskKernel<T, true>::template derivatives<true>}};

template <class Loss, int... parameters>
OverlapTerm term_of(const Totals& totals, const double* parameter, Numbers<parameters...>) {
  return Loss::term(totals, parameter[1 + parameters]...);  // the first one is whether logits come
}
template <class Loss>
OverlapTerm term(const Totals& totals, const double* parameters) {
  return term_of<Loss>(totals, parameters, typename CountUp<Loss::parameters - 1>::type{});
}

template <class Losses>
struct Entries;
template <class... Losses>
struct Entries<LossList<Losses...>> {
  static constexpr int count = sizeof...(Losses);
  static constexpr OverlapLoss entries[] = {{{Losses::name, 1, 1, Losses::parameters},
                                             &term<Losses>,
                                             kOverlapKernels<float>,
                                             kOverlapKernels<double>}...};
};

template <class Losses>
constexpr OverlapTable kTable = {Entries<Losses>::entries, Entries<Losses>::count};

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
