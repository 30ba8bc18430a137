// SPDX-License-Identifier: BSD-3-Clause
#include "threads.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <cmath>

namespace fastloss {
namespace {

// Below this much work a thread costs more than it saves.
constexpr double kWorkPerThread = 32768;

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

}  // namespace

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

int threads_for(double work) {
  if (work < 2 * kWorkPerThread) return 1;
  return static_cast<int>(std::min<double>(available_threads(), work / kWorkPerThread));
}

void watch_forks() {
  // OpenMP's threads do not survive a fork, and a child that waits for them hangs.
  pthread_atfork(nullptr, nullptr, [] { forked = true; });
}

}  // namespace fastloss
