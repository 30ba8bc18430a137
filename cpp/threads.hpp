// SPDX-License-Identifier: BSD-3-Clause
// How many threads a call gets, and the one parallel loop.
#pragma once

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

/// The threads of one call, the caller among them.
struct Team {
  int threads;
  bool wakes;  // those that sleep too
};

/// The team for `work`, counted in float32 elements of a simple loss.
Team team_for(double work);

/// Makes children forked from now on serial. Called once, at import.
void watch_forks();

/// work(context, chunk, thread) for every chunk, on at most the team's threads.
using Work = void (*)(const void* context, ptrdiff_t chunk, int thread);
void run_chunks(ptrdiff_t chunks, Team team, Work work, const void* context);

/// body(chunk, thread) for every chunk; the body must not throw. Throws std::bad_alloc before the
/// first chunk.
template <class Body>
void parallel_for(ptrdiff_t chunks, Team team, const Body& body) {
  const Work work = [](const void* context, ptrdiff_t chunk, int thread) {
    (*static_cast<const Body*>(context))(chunk, thread);
  };
  run_chunks(chunks, team, work, &body);
}

}  // namespace fastloss
