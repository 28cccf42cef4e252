// Faults on demand. The library of these files, preloaded (LD_PRELOAD) into a program, counts the calls of a
// rank and makes chosen ones fail:
//
//   POISE_FAULT="call=pwrite rank=1 nth=3 path=checkpoints event=Checkpoint do=EIO"
//
//   call   a name of the table in fault_plan.cpp (open stands for openat, creat and fopen, too, and so on);
//          `io` for all of libc's, `mpi_io` for all of MPI_File
//   rank   of the world, or `all` (the default)
//   nth    which of the matching calls, from 1 (the default); `3+` is the third and all later ones
//   path   part of the path of the file (behind the descriptor); a call without a file never matches
//   event  PETSc log event that is under way, as Poise marks its phases; `call=event` is the beginning of one
//   do     an errno's name: the call is not made and fails so. `short`: half of the bytes are transferred.
//          `throw` (new): std::bad_alloc. `kill`: SIGKILL; `torn`: after half of the bytes. TERM, INT, USR1,
//          USR2: the signal, then the call. `back=60` (clock): from then on the clock is 60 seconds behind.
//
// POISE_FAULT_LOG=FILE gets a line for each fault, so that a test knows that there was one.
// POISE_FAULT_COUNT=PREFIX: at its end rank r writes to PREFIX.r how many calls of each kind matched path and
// event.
#pragma once

#include <dlfcn.h>

// The function that this library stands before.
#define REAL(function) \
  static const auto real = reinterpret_cast<decltype(&function)>(dlsym(RTLD_NEXT, #function))

namespace faults {

/// What must become of a call; above 0: it is not made and fails with this errno.
enum Outcome { go_on = 0, half = -1, half_then_kill = -2 };

/// Counts a call of this name, carries out what kills or signals, and says what must become of the call.
int outcome(const char* name, const char* path = "");
/// The same for a call that works on a file descriptor.
int outcome(const char* name, int descriptor);

/// Whether the faults ask for PETSc's log events, and for this one. A phase is under way from begin to end.
bool wants_events();
bool wants_event(const char* name);
void phase_begins();
void phase_ends();

/// Seconds by which the wall clock is behind.
double clock_lag();

}  // namespace faults
