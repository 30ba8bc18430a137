// SPDX-License-Identifier: BSD-3-Clause
#include "threads.hpp"

#include <omp.h>
#include <pthread.h>
#include <signal.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace fastloss {
namespace {

// Below this much work, some 2 µs, a thread that is awake costs more than it saves; below this much
// in all, some 60 µs, to wake one does.
constexpr double kWorkPerThread = 6000;
constexpr double kWorthWaking = 200000;

std::atomic<int> process_request{0};
thread_local int local_request = 0;
std::atomic<int> quota{0};
std::atomic<bool> forked{false};

int usable_cpus() {
#if defined(__linux__)
  cpu_set_t set;  // fails where there are more CPUs than it holds: then OpenMP's count stands
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return omp_get_num_procs();
}

int request() {
  return local_request > 0 ? local_request : process_request.load(std::memory_order_relaxed);
}

using Clock = std::chrono::steady_clock;

// How often a thread looks for news before it sleeps: some ten microseconds.
constexpr int kPatience = 1000;

// Calls no further apart than this are worth waking a thread for that will be awake for the next.
constexpr std::chrono::microseconds kCloseCalls{20};

template <class T>
T wait_until_not(const std::atomic<T>& variable, T old) {
  for (int looks = 0;; ++looks) {
    const T now = variable.load(std::memory_order_acquire);
    if (now != old) return now;
    if (looks >= kPatience) variable.wait(old, std::memory_order_acquire);
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

/// Where a crew's threads may run: wherever their caller may, but for the CPU that it is on. A
/// thread that starts or wakes is often put behind its caller though other CPUs are idle, and stays
/// there for milliseconds, longer than most calls take.
class Places {
 public:
#if defined(__linux__)
  /// Sends a thread that has just been started.
  void send(pthread_t thread) {
    find();
    if (CPU_COUNT(&places_) > 0) pthread_setaffinity_np(thread, sizeof places_, &places_);
  }
  /// Called by each thread of the crew.
  void join() {
    const int number = joined_.fetch_add(1, std::memory_order_relaxed);
    const auto thread = static_cast<pid_t>(syscall(SYS_gettid));
    if (number < kMost) threads_[number].store(thread, std::memory_order_release);
  }
  /// Sends all that have joined.
  void send_all() {
    find();
    const int joined = std::min(joined_.load(std::memory_order_relaxed), kMost);
    for (; sent_ < joined; ++sent_) {
      const pid_t thread = threads_[sent_].load(std::memory_order_acquire);
      if (thread == 0) break;
      sched_setaffinity(thread, sizeof places_, &places_);
    }
  }

 private:
  static constexpr int kMost = 256;  // threads; more of them stay where they are

  /// Where the places are others than before, nobody has been sent there.
  void find() {
    cpu_set_t places;
    if (sched_getaffinity(0, sizeof places, &places) != 0) return;
    CPU_CLR(static_cast<unsigned>(sched_getcpu()), &places);
    if (CPU_COUNT(&places) == 0 || CPU_EQUAL(&places, &places_)) return;
    places_ = places;
    sent_ = 0;
  }

  std::atomic<int> joined_{0};
  std::atomic<pid_t> threads_[kMost]{};
  int sent_ = 0;
  cpu_set_t places_{};
#else
  void send(pthread_t) {}
  void join() {}
  void send_all() {}
#endif
};

/// OpenMP's threads, inside parallel regions that they never leave. At the end of a region OpenMP
/// spins for milliseconds, and then both whoever comes next (a BLAS, say) and the thread that is
/// waited for lack a core. Here they sleep soon, and a caller waits for none that has not begun.
/// A short call takes those that are awake, and wakes the others only where calls come in a row.
class Crew {
 public:
  /// False, and nothing done, while another call has the crew.
  bool run(ptrdiff_t chunks, Team team, Work work, const void* context) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    const bool wakes = team.wakes || Clock::now() - last_call_ < kCloseCalls;
    const int most = wakes ? team.threads : std::min(team.threads, capacity_);
    const int threads = static_cast<int>(std::min<ptrdiff_t>(most, chunks));
    if (threads > capacity_) {
      shares_.reset(new Share[static_cast<std::size_t>(threads)]);
      hire(threads - capacity_);
    }
    for (int t = 0; t < threads; ++t) {
      shares_[t].next = chunks * t / threads;
      shares_[t].end = chunks * (t + 1) / threads;
    }
    threads_ = threads;
    work_ = work;
    context_ = context;
    joined_.store(1, std::memory_order_relaxed);
    inside_.store(0, std::memory_order_release);
    jobs_.fetch_add(1, std::memory_order_release);
    if (wakes) wake(threads - 1);
    work_through(0);
    unsigned inside = inside_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
    while (inside != kClosed) inside = wait_until_not(inside_, inside);
    last_call_ = Clock::now();
    return true;
  }

 private:
  /// A contiguous part of the chunks: its thread begins with it, the others help to finish it.
  struct alignas(64) Share {
    std::atomic<ptrdiff_t> next;
    ptrdiff_t end;
  };
  static constexpr unsigned kClosed = 1u << 31;

  void wake(int count) {
    places_.send_all();
    if (count == capacity_ - 1) return jobs_.notify_all();
    for (int i = 0; i < count; ++i) jobs_.notify_one();
  }

  void hire(int count) {
    capacity_ += count;  // also where fewer come: the job is done without them
    try {
      std::thread first([this, count] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
#pragma omp parallel num_threads(count)
        serve();
      });
      places_.send(first.native_handle());  // and with it those that it starts
      first.detach();
    } catch (const std::system_error&) {
    }
  }

  [[noreturn]] void serve() {
    places_.join();
    for (unsigned seen = 0;;) {
      seen = wait_until_not(jobs_, seen);
      unsigned inside = inside_.load(std::memory_order_acquire);
      while ((inside & kClosed) == 0 &&
             !inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) {
      }
      if ((inside & kClosed) != 0) continue;  // too late
      const int thread = joined_.fetch_add(1, std::memory_order_relaxed);
      if (thread < threads_) work_through(thread);
      inside_.fetch_sub(1, std::memory_order_acq_rel);
      inside_.notify_all();
    }
  }

  void work_through(int thread) {
    for (int helped = 0; helped < threads_; ++helped) {
      Share& share = shares_[(thread + helped) % threads_];
      for (;;) {
        const ptrdiff_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= share.end) break;
        work_(context_, chunk, thread);
      }
    }
  }

  std::mutex mutex_;
  int capacity_ = 1;  // threads, a caller among them
  std::unique_ptr<Share[]> shares_{new Share[1]};
  Clock::time_point last_call_;
  Places places_;

  // The job; written while nobody is inside.
  int threads_ = 0;
  Work work_ = nullptr;
  const void* context_ = nullptr;

  alignas(64) std::atomic<unsigned> jobs_{0};          // how many there have been
  alignas(64) std::atomic<unsigned> inside_{kClosed};  // threads at work, but for the caller
  std::atomic<int> joined_{0};                         // how many have been, with the caller
};

}  // namespace

void run_chunks(ptrdiff_t chunks, Team team, Work work, const void* context) {
  static Crew& crew = *new Crew;  // never destroyed: its threads outlive all static objects
  if (team.threads > 1 && crew.run(chunks, team, work, context)) return;
  for (ptrdiff_t chunk = 0; chunk < chunks; ++chunk) work(context, chunk, 0);
}

void set_process_threads(int n) { process_request = n; }
void set_local_threads(int n) { local_request = n; }
int local_threads() { return local_request; }
void set_cpu_quota(int cpus) { quota = cpus; }

int available_threads() {
  if (forked.load(std::memory_order_relaxed)) return 1;
  if (const int asked = request(); asked > 0) return asked;
  int threads = std::min(omp_get_max_threads(), usable_cpus());
  if (const int cpus = quota.load(std::memory_order_relaxed); cpus > 0) {
    threads = std::min(threads, cpus);
  }
  return std::max(threads, 1);
}

Team team_for(double work) {
  if (work < 2 * kWorkPerThread) return {1, false};
  const double most = std::min<double>(available_threads(), work / kWorkPerThread);
  return {static_cast<int>(most), work >= kWorthWaking};
}

void watch_forks() {
  // OpenMP's threads do not survive a fork, and a child that waits for them hangs.
  pthread_atfork(nullptr, nullptr, [] { forked = true; });
}

}  // namespace fastloss
