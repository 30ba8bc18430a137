// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <limits>
#include <type_traits>

#include "blocks.hpp"

namespace fastloss {
namespace {

// Elements that a kernel takes at once: they stay in the second cache.
constexpr ptrdiff_t kBlock = 16384;
// A mask is cut into parts of whole blocks, so many at most.
constexpr ptrdiff_t kParts = 4096;
// Masks that are shared by threads, part by part; of more, each thread takes whole ones.
constexpr ptrdiff_t kShared = 32;
// Small masks that a thread takes at once.
constexpr ptrdiff_t kTerms = 64;

// What an element costs, in elements of a simple loss, for each of the two passes.
constexpr double kProbabilityCost = 1;
constexpr double kLogitCost = 3;
constexpr double kTermCost = 400;

template <class T>
const OverlapKernels<T>& kernels_of(const OverlapLoss& loss) {
  if constexpr (std::is_same_v<T, float>) {
    return loss.float_kernels;
  } else {
    return loss.double_kernels;
  }
}

void accumulate(Totals& totals, const Totals& part) {
  accumulate(totals.true_positive, part.true_positive);
  accumulate(totals.false_positive, part.false_positive);
  accumulate(totals.false_negative, part.false_negative);
}

bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

/// One array of a call: its blocks in place, or through a slice of scratch.
struct Stream {
  const Sequence* sequence = nullptr;
  int slice = -1;
};

template <class T>
class Masks {
 public:
  explicit Masks(const OverlapCall& call)
      : call_(call),
        kernels_(kernels_of<T>(*call.loss)),
        wanted_(kCalls[call.call]),
        from_logits_(call.parameters[0] != 0),
        team_(team_for(work())) {
    pred_ = stream(call.arguments[0]);
    target_ = stream(call.arguments[1]);
    if (wanted_ & kGrad) grad_ = stream(call.grad[0]);
    if (wanted_ & kHess) hess_ = stream(call.hess[0]);
    for (int k = 0; k < call.loss->signature.parameters; ++k) {
      parameters_[k] = static_cast<double>(static_cast<T>(call.parameters[k]));
    }
    past_cache_ = call.elements > kPastCache / static_cast<ptrdiff_t>(sizeof(T)) / call.terms &&
                  grad_.slice < 0 && hess_.slice < 0;
    const ptrdiff_t blocks = (call.elements + kBlock - 1) / kBlock;
    part_ = (blocks + kParts - 1) / kParts * kBlock;
    parts_ = (call.elements + part_ - 1) / part_;
  }

  double run() const {
    const Scratch<T> scratch(team_.threads, slices_, std::min(kBlock, call_.elements));
    const bool shared = parts_ > 1 && call_.terms <= kShared && team_.threads > 1;
    return total_of(shared ? run_shared(scratch) : run_whole(scratch));
  }

 private:
  double work() const {
    const double passes = (wanted_ & ~kValue) != 0 ? 2 : 1;
    const double element = passes * (from_logits_ ? kLogitCost : kProbabilityCost);
    return static_cast<double>(call_.terms) *
           (kTermCost + work_of<T>(element * static_cast<double>(call_.elements)));
  }
  Stream stream(const Sequence* sequence) {
    return {sequence, sequence->contiguous<T>() != nullptr ? -1 : slices_++};
  }

  /// Threads take whole masks.
  Sum run_whole(const Scratch<T>& scratch) const {
    const ptrdiff_t at_once = std::clamp<ptrdiff_t>(kBlock / call_.elements, 1, kTerms);
    const auto body = [&](ptrdiff_t start, ptrdiff_t count, int thread) {
      T value[kTerms];
      for (ptrdiff_t r = 0; r < count; ++r) {
        const double weight = weight_of(start + r);
        Totals totals;
        for (ptrdiff_t part = 0; weight != 0 && part < parts_; ++part) {
          accumulate(totals, totals_of(start + r, part, scratch, thread));
        }
        const OverlapTerm term = weighted_term(totals, weight);
        for (ptrdiff_t part = 0; part < parts_; ++part) {
          write(start + r, part, weight, term, scratch, thread);
        }
        value[r] = static_cast<T>(term.value);
      }
      return sum_of_values(value, start, count);
    };
    return sum_over_blocks(call_.terms, at_once, team_, body);
  }

  /// Threads share each of a few masks. The sums are added up in the same order.
  Sum run_shared(const Scratch<T>& scratch) const {
    const auto chunks = call_.terms * parts_;
    const std::unique_ptr<Totals[]> totals(new Totals[static_cast<std::size_t>(chunks)]);
    parallel_for(chunks, team_, [&](ptrdiff_t chunk, int thread) {
      const ptrdiff_t term = chunk / parts_;
      if (weight_of(term) == 0) return;
      totals[chunk] = totals_of(term, chunk % parts_, scratch, thread);
    });
    OverlapTerm terms[kShared];
    for (ptrdiff_t t = 0; t < call_.terms; ++t) {
      Totals total;
      for (ptrdiff_t part = 0; part < parts_; ++part) {
        accumulate(total, totals[t * parts_ + part]);
      }
      terms[t] = weighted_term(total, weight_of(t));
    }
    parallel_for(chunks, team_, [&](ptrdiff_t chunk, int thread) {
      const ptrdiff_t term = chunk / parts_;
      write(term, chunk % parts_, weight_of(term), terms[term], scratch, thread);
    });
    Sum sum;
    for (ptrdiff_t t = 0; t < call_.terms; ++t) {
      const T value = static_cast<T>(terms[t].value);
      accumulate(sum, sum_of_values(&value, t, 1));
    }
    return sum;
  }

  double weight_of(ptrdiff_t term) const {
    T weight = 1;
    if (call_.weight != nullptr) call_.weight->gather(term, 1, &weight);
    return static_cast<double>(weight);
  }

  /// Calls body(first element, count) for the blocks of a part of a mask.
  template <class Body>
  void for_each_block(ptrdiff_t term, ptrdiff_t part, Body body) const {
    const ptrdiff_t end = std::min(call_.elements, (part + 1) * part_);
    for (ptrdiff_t first = part * part_; first < end; first += kBlock) {
      body(term * call_.elements + first, std::min(kBlock, end - first));
    }
  }
  const T* read(const Stream& s, ptrdiff_t start, ptrdiff_t count, const Scratch<T>& scratch,
                int thread) const {
    if (const T* in_place = s.sequence->contiguous<T>(start, count)) return in_place;
    T* packed = scratch.slice(thread, s.slice);
    s.sequence->gather(start, count, packed);
    return packed;
  }

  Totals totals_of(ptrdiff_t term, ptrdiff_t part, const Scratch<T>& scratch, int thread) const {
    Totals totals;
    for_each_block(term, part, [&](ptrdiff_t start, ptrdiff_t count) {
      const T* pred = read(pred_, start, count, scratch, thread);
      const T* target = read(target_, start, count, scratch, thread);
      accumulate(totals, kernels_.totals[from_logits_](pred, target, count));
    });
    return totals;
  }

  /// The value times the weight. Derivatives stay finite, since they may meet a 0.
  OverlapTerm weighted_term(const Totals& totals, double weight) const {
    if (weight == 0) return {};
    OverlapTerm term = call_.loss->term(totals, parameters_);
    constexpr double largest = std::numeric_limits<double>::max();
    term.value *= weight;
    term.slope = std::clamp(term.slope, -largest, largest);
    for (double& x : term.grad) x = std::clamp(x, -largest, largest);
    for (double& x : term.turn) x = std::clamp(x, -largest, largest);
    return term;
  }

  void write(ptrdiff_t term, ptrdiff_t part, double weight, const OverlapTerm& derivatives,
             const Scratch<T>& scratch, int thread) const {
    if ((wanted_ & ~kValue) == 0) return;
    const auto kernel =
        ((wanted_ & kHess) != 0 ? kernels_.grad_and_hess : kernels_.grad)[from_logits_];
    for_each_block(term, part, [&](ptrdiff_t start, ptrdiff_t count) {
      const auto place = [&](const Stream& s) -> T* {
        if (s.sequence == nullptr) return nullptr;
        if (T* in_place = s.sequence->contiguous<T>(start, count)) return in_place;
        return scratch.slice(thread, s.slice);
      };
      OverlapTask<T> task;
      task.count = count;
      task.term = derivatives;
      task.factor = call_.scale * weight;
      task.grad = place(grad_);
      task.hess = place(hess_);
      task.past_cache = past_cache_ && is_aligned(task.grad) && is_aligned(task.hess);
      if (weight == 0) {
        std::fill_n(task.grad, count, T(0));
        if (task.hess != nullptr) std::fill_n(task.hess, count, T(0));
      } else {
        task.pred = from_logits_ ? read(pred_, start, count, scratch, thread) : nullptr;
        task.target = read(target_, start, count, scratch, thread);
        kernel(task);
      }
      for (const auto& [s, result] : {std::pair(grad_, task.grad), std::pair(hess_, task.hess)}) {
        if (s.slice >= 0 && result == scratch.slice(thread, s.slice)) {
          s.sequence->scatter(result, start, count);
        }
      }
    });
  }

  /// Stores the values, or adds them up.
  Sum sum_of_values(const T* value, ptrdiff_t start, ptrdiff_t count) const {
    Sum sum;
    if ((wanted_ & kValue) != 0 && call_.value != nullptr) {
      call_.value->scatter(value, start, count);
    } else if ((wanted_ & kValue) != 0) {
      for (ptrdiff_t r = 0; r < count; ++r) accumulate(sum, {static_cast<double>(value[r]), 0});
    }
    return sum;
  }

  const OverlapCall& call_;
  const OverlapKernels<T>& kernels_;
  const unsigned wanted_;
  const bool from_logits_;
  const Team team_;
  bool past_cache_ = false;
  int slices_ = 0;
  Stream pred_, target_, grad_, hess_;
  double parameters_[kMaxParameters];
  ptrdiff_t part_, parts_;  // elements of each but the last, and how many there are
};

}  // namespace

template <class T>
double run(const OverlapCall& call) {
  return Masks<T>(call).run();
}

template double run<float>(const OverlapCall&);
template double run<double>(const OverlapCall&);

}  // namespace fastloss
