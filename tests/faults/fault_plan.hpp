// Faults on demand. The library of these files is preloaded (LD_PRELOAD) into a program. It counts the calls
// of a rank and makes chosen calls fail:
//
//   POISE_FAULT="call=pwrite rank=1 nth=3 path=checkpoints event=CheckpointWrite do=EIO"
//
//   call   a name of the table in fault_plan.cpp (open stands for openat, creat and fopen, too, and so on);
//          `io`: all file calls of libc; `mpi_io`: all calls of MPI_File
//   rank   of the world, or `all` (the default)
//   nth    number of the matching call, from 1 (the default); `3+`: the third and all later calls
//   path   part of the path of the file; a call without a file never matches
//   event  PETSc log event (phase of Poise) during the call; `call=event` is the beginning of an event
//   do     name of an errno: the call fails with it, without effect. `short`: half of the bytes are moved.
//          `throw` (new): std::bad_alloc. `kill`: SIGKILL; `torn`: after half of the bytes. TERM, INT, USR1,
//          USR2: the signal, then the call. `back=60` (clock): from then on the clock is 60 seconds behind.
//
// POISE_FAULT_LOG=FILE gets a line per fault, so that a test knows that the fault happened.
// POISE_FAULT_COUNT=PREFIX: at its end rank r writes to PREFIX.r how many calls of each kind matched path and
// event.
#pragma once

#include <dlfcn.h>

// The original function behind the function of this library.
#define REAL(function) \
  static const auto real = reinterpret_cast<decltype(&function)>(dlsym(RTLD_NEXT, #function))

namespace faults {

/// What to do with a call; above 0: it fails with this errno, without effect.
enum Outcome { go_on = 0, half = -1, half_then_kill = -2 };

/// Counts a call of this name, sends signals of the fault, and returns what to do with the call.
int outcome(const char* name, const char* path = "");
/// The same for a call that works on a file descriptor.
int outcome(const char* name, int descriptor);

/// Whether a fault needs PETSc's log events, and whether it needs this event. A phase lasts from begin to
/// end.
bool wants_events();
bool wants_event(const char* name);
void phase_begins();
void phase_ends();

/// Seconds by which the wall clock is behind.
double clock_lag();

}  // namespace faults
