// SPDX-License-Identifier: BSD-3-Clause
// How many threads a call gets, and the one parallel loop.
#pragma once

#include <omp.h>

#include <cstddef>

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

/// body(chunk, thread) for every chunk, each thread a contiguous part of them; fewer threads than
/// asked for may come. The body must not throw.
template <class Body>
void parallel_for(ptrdiff_t chunks, int threads, const Body& body) {
  if (threads <= 1) {
    for (ptrdiff_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const ptrdiff_t team = omp_get_num_threads();
    const ptrdiff_t each = chunks / team, more = chunks % team;
    const ptrdiff_t begin = thread * each + (thread < more ? thread : more);
    const ptrdiff_t end = begin + each + (thread < more ? 1 : 0);
    for (ptrdiff_t chunk = begin; chunk < end; ++chunk) body(chunk, thread);
  }
}

}  // namespace fastloss
