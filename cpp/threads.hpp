// SPDX-License-Identifier: BSD-3-Clause
// How many threads a call gets, and the one parallel loop.
#pragma once

#include <omp.h>

#include <atomic>
#include <cstddef>
#include <memory>

namespace fastloss {

using std::ptrdiff_t;

/// Asks for n threads, in the process or in the calling thread, which goes first; 0 takes it back.
void set_process_threads(int n);
void set_local_threads(int n);
int local_threads();

/// The CPUs' worth of time that a container grants; 0 for no limit.
void set_cpu_quota(int cpus);

/// What a large call gets: the number asked for or else the least of OpenMP's limit, the CPUs that
/// the process may run on, and the quota. 1 in a forked child, whatever was asked for.
int available_threads();

/// How many of them are worth their start for `work`, counted in elements of a simple loss.
int threads_for(double work);

/// Makes children forked from now on serial. Called once, at import.
void watch_forks();

// How often a thread that is done looks for the others before it sleeps: some ten microseconds.
constexpr int kPatience = 10000;

/// One thread's part of a loop, which others may help to finish.
struct alignas(64) Share {
  std::atomic<ptrdiff_t> next;
  ptrdiff_t end;
};

/// body(chunk, thread) for every chunk. Each thread begins with a contiguous part and then helps
/// the others, so a thread that comes late or not at all, on a busy machine, holds nothing up.
/// The body must not throw. Throws std::bad_alloc before the first chunk.
template <class Body>
void parallel_for(ptrdiff_t chunks, int threads, const Body& body) {
  if (threads <= 1) {
    for (ptrdiff_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
    return;
  }
  const std::unique_ptr<Share[]> shares(new Share[static_cast<std::size_t>(threads)]);
  for (int t = 0; t < threads; ++t) {
    shares[t].next = chunks * t / threads;
    shares[t].end = chunks * (t + 1) / threads;
  }
  std::atomic<int> finished{0};
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    for (int helped = 0; helped < threads; ++helped) {
      Share& share = shares[(thread + helped) % threads];
      for (;;) {
        const ptrdiff_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= share.end) break;
        body(chunk, thread);
      }
    }
    // OpenMP's barrier spins, and would keep the thread that it waits for from running.
    finished.fetch_add(1, std::memory_order_acq_rel);
    finished.notify_all();
    const int team = omp_get_num_threads();
    for (int looks = 0;; ++looks) {
      const int done = finished.load(std::memory_order_acquire);
      if (done == team) break;
      if (looks >= kPatience) finished.wait(done, std::memory_order_acquire);
    }
  }
}

}  // namespace fastloss
