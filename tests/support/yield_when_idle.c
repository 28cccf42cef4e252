/* Preloaded into the tests with MPICH. MPICH over UCX polls for messages and keeps the processor, so that ranks which
   share a core wait 5 ms for a message. With this library a rank gives the processor away whenever no message has come;
   the wait is then 50 microseconds. Open MPI does the same by mpi_yield_when_idle. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>

unsigned ucp_worker_progress(void* worker) {
  static unsigned (*progress)(void*);
  if (progress == 0) *(void**)&progress = dlsym(RTLD_NEXT, "ucp_worker_progress");
  const unsigned events = progress(worker);
  if (events == 0) sched_yield();
  return events;
}
