// SPDX-License-Identifier: BSD-3-Clause
// The partial likelihood of proportional hazards: one sample in the order of its times.
#pragma once

#include "../exact_arithmetic.hpp"
#include "../kernels.hpp"
#include "../rows.hpp"
#include "../sums.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

// ---- hazards of any size ------------------------------------------------------------------------

// A hazard eˣ is a number times e^(256·steps), with the number between e⁻¹²⁸ and e¹²⁸: no spread of
// x overflows, and none costs digits. Numbers that are added up are lifted, so that four steps
// below the largest they are still normal.
constexpr double kStep = 256;
constexpr double kStepDown = 0x1.9755956ad4e9cp-370;  // e⁻²⁵⁶
constexpr double kLift = 0x1p400;

/// x·e^(−256·steps) for steps >= 0; 0 where no sum beside which it is small would show it.
INLINE double stepped_down(double x, double steps) {
  if (!(steps <= 3)) return x * 0;  // NaN stays
  for (; steps > 0; --steps) x *= kStepDown;
  return x;
}

INLINE RunningSum stepped_down(Sum sum, double steps) {
  return {{stepped_down(sum.high, steps), stepped_down(sum.low, steps)}};
}

/// Σ of hazards: what additions lose is kept, so that what remains without the largest is exact.
struct HazardSum {
  double steps = -__builtin_inf();
  ExactSum<double> lifted = {0, 0};

  INLINE void add(double x, double its_steps) {
    if (its_steps > steps) {
      const double down = its_steps - steps;
      lifted = {stepped_down(lifted.high, down), stepped_down(lifted.low, down)};
      steps = its_steps;
    } else if (its_steps != steps) {
      x = stepped_down(x, steps - its_steps);
    }
    const ExactSum<double> sum = exact_sum(lifted.high, x);
    lifted = {sum.high, lifted.low + sum.low};
  }
  /// What remains, lifted, without a part that has as many steps.
  INLINE double without(HazardSum part) const {
    const double rest = (lifted.high - part.lifted.high) + (lifted.low - part.lifted.low);
    return select(rest < 0, 0.0, rest);
  }
};

// ---- the events at one time ---------------------------------------------------------------------

/// Σ w/s and Σ w/s² over the terms of events, of weight w, with the hazards s that are at risk.
struct Inverses {
  double sum, square;
};

/// Of all events at one time. What they make of their own hazards differs from what they make of
/// the others where ties count less and less.
struct Events {
  Inverses others, own;
  double log_ratio;  // of s to all that are at risk, in the mean
};

/// Each of them has all that are at risk.
INLINE Events breslow(double weight, double at_risk) {
  const Inverses all = {weight / at_risk, weight / at_risk / at_risk};
  return {all, all, 0};
}

/// The k-th of `count`, from 0, lacks k/count of the hazards that have an event, `tied`; `rest` are
/// the others at risk.
inline Events efron(double count, double weight, double tied, double rest) {
  using V = Vec<double>;
  constexpr double numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
  LaneSum others, others_square, own, own_square, logs;
  for (double first = 0; first < count; first += kBlockLanes<double>) {
    for (int position = 0; position < kVectorsPerBlock; ++position) {
      const V k = V(first) + V::load(numbers + position * V::lanes);
      const auto exists = k < V(count);
      const V kept = select(exists, (V(count) - k) / V(count), V(0));
      const V at_risk = fma(kept, V(tied), V(rest));
      const V inverse = select(exists, V(1) / at_risk, V(0));
      const V kept_inverse = kept * inverse;
      const V lacking = k / V(count) * V(tied / (tied + rest));
      const V log_ratio = select(lacking < V(0.5), log1p(-lacking), log(at_risk / V(tied + rest)));
      others.add_of_any_sign(inverse, position);
      others_square.add_of_any_sign(inverse * inverse, position);
      own.add_of_any_sign(kept_inverse, position);
      own_square.add_of_any_sign(kept_inverse * kept_inverse, position);
      logs.add_of_any_sign(select(exists, log_ratio, V(0)), position);
    }
  }
  const auto mean = [count](const LaneSum& lanes) { return rounded(lanes.total()) / count; };
  return {{weight * mean(others), weight * mean(others_square)},
          {weight * mean(own), weight * mean(own_square)},
          mean(logs)};
}

/// What the events up to a time make of a hazard.
struct Past {
  double steps = __builtin_inf();  // of what they have at risk
  RunningSum sum = {}, square = {};

  INLINE void step_to(double to) {
    if (to == steps) return;
    const double down = steps - to;
    sum = stepped_down(sum, down);
    square = stepped_down(stepped_down(square, down), down);
    steps = to;
  }
  INLINE void add(Inverses events) {
    sum.add(events.sum);
    square.add(events.square);
  }
  INLINE Inverses inverses() const { return {rounded(sum), rounded(square)}; }
};

// ---- the loss -----------------------------------------------------------------------------------

/// log(1 + ratio) + offset: exact also where the sum is next to 0 because both are.
struct Logarithm {
  double offset, ratio;
};

/// log(sum·2^exponent / hazard).
INLINE Logarithm log_of_quotient(ExactSum<double> sum, double hazard, double exponent_of_sum) {
  using C = Constants<double>;
  constexpr double log_2 = C::log_2_high + C::log_2_low;
  constexpr double largest = 1000;
  const auto power = [](double n) {
    return power_of_two<double>(to_bits(n + (C::rounder + Float<double>::exponent_bias)));
  };
  const double quotient = sum.high / hazard;
  if (!(quotient < C::infinity)) return {0, quotient};
  // As 2ⁿ⁺ᵉ (1 + ratio), preferably with n = −e.
  const double plain = max(-largest, min(largest, -exponent_of_sum));
  const bool is_plain = quotient >= power(plain - 1) && quotient * 0x1p-64 < power(plain);
  const double n = is_plain ? plain : max(-largest, min(largest, exponent(quotient).n));
  const double unit = power(-n);
  const double others = (sum.high * unit - hazard) + sum.low * unit;
  return {(n + exponent_of_sum) * log_2, others / hazard};
}

/// Of each event: log Σ wⱼ exp(xⱼ) over all at risk, which are those of its time and later, less
/// its own x.
struct Cox {
  static constexpr auto name = "cox";
  static constexpr int targets = 2;
  static constexpr int parameters = 1;  // ties: 0 Breslow's, 1 Efron's

  /// The weights come in a unit in which the largest is in [1, 2).
  struct Sample {
    const double *hazard, *steps, *weight;
    double weight_unit, weight_exponent;

    INLINE double weight_of(ptrdiff_t i) const {
      return weight != nullptr ? weight[i] * weight_unit : 1;
    }
    INLINE double weighted(ptrdiff_t i) const { return hazard[i] * weight_of(i); }

    INLINE Logarithm log_of_share(const HazardSum& at_risk, ptrdiff_t i) const {
      const double down = at_risk.steps == steps[i] ? 0 : at_risk.steps - steps[i];
      const bool is_far = down >= 2;
      Logarithm log = log_of_quotient(
          at_risk.lifted, is_far ? hazard[i] : stepped_down(hazard[i], down), weight_exponent);
      if (is_far) log.offset = log.offset + kStep * down;
      return log;
    }

    /// Σ wp and Σ w(p − p²) over terms of events of weight w, where p is the share of this hazard
    /// in what is at risk.
    struct Slopes {
      double grad, hess;
    };
    INLINE Slopes slopes(Inverses events, double their_steps, ptrdiff_t i) const {
      const double down = their_steps - steps[i];
      const double own = hazard[i] * (1 / kLift);
      const double sum = stepped_down(own * events.sum, down);
      const double square = own * (own * weight_of(i)) * events.square;
      const double rest = sum - stepped_down(stepped_down(square, down), down);
      return {sum, select(rest < 0, 0.0, rest)};
    }
  };

  /// Replaces each x by its steps, and keeps its hazard as scratch.
  static Sample sample_of(const OrderedTask& task) {
    using V = Vec<double>;
    constexpr double rounder = Constants<double>::rounder;
    for_each_vector_of<double>(task.count, [&](auto span, int) {
      const V x = span.load(task.pred, V(0));
      const V ratio = x * V(1 / kStep);
      const V nearest = (ratio + V(rounder)) - V(rounder);
      const V steps = select(abs(ratio) < V(0x1p51), nearest, ratio);
      const V hazard = exp(fma(V(-kStep), steps, x)) * V(kLift);
      span.store(task.pred, steps);
      span.store(task.scratch[0], select(x == V(-__builtin_inf()), V(0), hazard));
    });
    double largest = task.weight == nullptr ? 1 : 0;
    for (ptrdiff_t i = 0; task.weight != nullptr && i < task.count; ++i)
      largest = max(largest, task.weight[i]);
    const std::int64_t biased = to_bits(largest) >> Float<double>::fraction_bits;
    const std::int64_t e = biased < 1 ? 1 : biased > 2045 ? 2045 : biased;
    const auto unit = from_bits<double>((2046 - e) << Float<double>::fraction_bits);
    return {task.scratch[0], task.pred, task.weight, unit, static_cast<double>(e - 1023)};
  }

  template <unsigned wanted>
  static void run(const OrderedTask& task) {
    constexpr bool has_value = (wanted & kValue) != 0;
    constexpr bool has_derivatives = (wanted & (kGrad | kHess)) != 0;
    const bool is_efron = task.parameters[0] != 0;
    const Sample sample = sample_of(task);
    double* const offset = task.scratch[1];

    // From the last time to the first: all at risk, kept in the place of the results.
    HazardSum running;
    for (ptrdiff_t i = 0; i < task.count; ++i) {
      running.add(sample.weighted(i), sample.steps[i]);
      if (!task.is_last[i]) continue;
      task.value[i] = running.steps;
      task.grad[i] = running.lifted.high;
      task.hess[i] = running.lifted.low;
    }

    // From the first time to the last: the terms of its events, and the events up to then.
    Past past;
    for (ptrdiff_t start, end = task.count; end > 0; end = start) {
      const ptrdiff_t last = end - 1;
      const HazardSum at_risk = {task.value[last], {task.grad[last], task.hess[last]}};
      HazardSum tied = {at_risk.steps, {0, 0}};
      RunningSum weight;
      double count = 0;
      start = end;
      do {
        if (!task.event[--start]) continue;
        tied.add(sample.weighted(start), sample.steps[start]);
        weight.add(sample.weight_of(start));
        ++count;
      } while (start > 0 && !task.is_last[start - 1]);
      const double all = rounded(at_risk.lifted), with_events = rounded(tied.lifted);
      const double rest = at_risk.without(tied);
      Events events = {};
      if (count > 0) {
        events = is_efron && count > 1
                     ? efron(count, rounded(weight), with_events / kLift, rest / kLift)
                     : breslow(rounded(weight), all / kLift);
        past.step_to(at_risk.steps);
      }
      const Inverses before = past.inverses();
      past.add(events.others);
      const Inverses up_to_now = past.inverses();
      for (ptrdiff_t i = start; i < end; ++i) {
        const bool is_event = task.event[i] != 0;
        if constexpr (has_value) {
          Logarithm log = {};
          if (is_event) log = sample.log_of_share(at_risk, i);
          offset[i] = log.offset + (is_event ? events.log_ratio : 0);
          task.value[i] = log.ratio;
        }
        if constexpr (has_derivatives) {
          auto [grad, hess] = sample.slopes(is_event ? before : up_to_now, past.steps, i);
          if (is_event && count == 1) {  // its share is all but the rest
            const double others = rest / all;
            grad = grad - others;
            hess = hess + others * (with_events / all);
          } else if (is_event) {
            const auto own = sample.slopes(events.own, past.steps, i);
            grad = grad + (own.grad - 1);
            hess = hess + own.hess;
          }
          const double factor = task.weight != nullptr ? task.scale * task.weight[i] : task.scale;
          task.grad[i] = factor * grad;
          task.hess[i] = factor * hess;
        }
      }
    }
    if constexpr (!has_value) return;
    for_each_vector_of<double>(task.count, [&](auto span, int) {
      using V = Vec<double>;
      const V log = span.load(offset, V(0)) + log1p(span.load(task.value, V(0)));
      const V factor = task.weight != nullptr ? span.load(task.weight, V(0)) : V(1);
      span.store(task.value, factor * log);
    });
  }
};

using CoxLosses = LossList<Cox>;

}  // namespace
}  // namespace fastloss::FASTLOSS_LEVEL
