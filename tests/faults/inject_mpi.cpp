// The calls of MPI and PETSc, operator new and the clock.
#include <mpi.h>
#include <petscsys.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>

#include "faults/fault_plan.hpp"

using namespace faults;

namespace {

/// The files that MPI has open, with their paths.
struct OpenFile {
  MPI_File file;
  char path[256];
} open_files[16];

/// Return value of an MPI_File call that must fail, after its error handler; MPI_SUCCESS if it must not fail.
/// The other ranks do not know: they wait for this rank in a collective call.
int mpi_failure(const char* name, MPI_File file, const char* path = "") {
  for (const auto& open : open_files)
    if (path[0] == '\0' && open.file == file) path = open.path;
  const int error = outcome(name, path);
  if (error <= 0) return MPI_SUCCESS;
  const int code = error == ENOSPC   ? MPI_ERR_NO_SPACE
                   : error == EDQUOT ? MPI_ERR_QUOTA
                   : error == EACCES ? MPI_ERR_ACCESS
                   : error == EROFS  ? MPI_ERR_READ_ONLY
                                     : MPI_ERR_IO;
  errno = error;
  MPI_File_call_errhandler(file, code);
  return code;
}

/// Calls of operator new count from MPI_Init on, because Poise cannot report a lack of memory while libraries
/// are loaded.
bool started = false;

/// Readings of the clock count from the end of MPI_Init on: UCX (of MPICH), while it is loaded, measures the
/// speed of the processor's counter by the time of day, and would wait until the lag has passed.
bool clock_counts = false;

void read_clock() {
  if (clock_counts) (void)outcome("clock");
}

/// MPI_Init or MPI_Init_thread; `init` is the original.
template <class Init>
int start_mpi(Init&& init) {
  started = true;
  if (outcome("MPI_Init") > 0) return MPI_ERR_OTHER;
  const int code = init();
  clock_counts = true;
  return code;
}

PetscClassId poise_class = 0;
int wanted[64], wanted_count = 0;  // PETSc's numbers of the events

bool is_wanted(PetscLogEvent event) {
  return std::find(wanted, wanted + wanted_count, event) != wanted + wanted_count;
}

/// PETSc calls these at the begin and end of a phase, as for -log_view.
PetscErrorCode event_begins(PetscLogEvent event, int, PetscObject, PetscObject, PetscObject, PetscObject) {
  if (is_wanted(event)) phase_begins();
  return 0;
}

PetscErrorCode event_ends(PetscLogEvent event, int, PetscObject, PetscObject, PetscObject, PetscObject) {
  if (is_wanted(event)) phase_ends();
  return 0;
}

}  // namespace

#define MPI_CALL(function, parameters, arguments)              \
  int function parameters {                                    \
    const int code = mpi_failure(#function, file);             \
    return code != MPI_SUCCESS ? code : P##function arguments; \
  }
#define MPI_TRANSFER(function, data)                                                                        \
  MPI_CALL(function,                                                                                        \
           (MPI_File file, MPI_Offset at, data * buffer, int count, MPI_Datatype type, MPI_Status* status), \
           (file, at, buffer, count, type, status))

extern "C" {

int MPI_File_open(MPI_Comm comm, const char* path, int mode, MPI_Info info, MPI_File* file) {
  int code = mpi_failure("MPI_File_open", MPI_FILE_NULL, path);
  if (code == MPI_SUCCESS) code = PMPI_File_open(comm, path, mode, info, file);
  for (auto& open : open_files) {
    if (code != MPI_SUCCESS || open.path[0] != '\0') continue;
    open.file = *file;
    std::snprintf(open.path, sizeof open.path, "%s", path);
    break;
  }
  return code;
}

int MPI_File_close(MPI_File* file) {
  if (const int code = mpi_failure("MPI_File_close", *file); code != MPI_SUCCESS) return code;
  for (auto& open : open_files)
    if (open.file == *file) open.path[0] = '\0';
  return PMPI_File_close(file);
}

MPI_TRANSFER(MPI_File_read_at, void)
MPI_TRANSFER(MPI_File_read_at_all, void)
MPI_TRANSFER(MPI_File_write_at, const void)
MPI_TRANSFER(MPI_File_write_at_all, const void)
MPI_CALL(MPI_File_set_size, (MPI_File file, MPI_Offset size), (file, size))
MPI_CALL(MPI_File_sync, (MPI_File file), (file))

int MPI_Init(int* argc, char*** argv) {
  return start_mpi([&] { return PMPI_Init(argc, argv); });
}
int MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  return start_mpi([&] { return PMPI_Init_thread(argc, argv, required, provided); });
}
int MPI_Finalize() {
  return outcome("MPI_Finalize") > 0 ? MPI_ERR_OTHER : PMPI_Finalize();
}
// In brackets: PETSc has a macro of this name.
int(MPI_Allreduce)(const void* in, void* out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  return outcome("MPI_Allreduce") > 0 ? MPI_ERR_OTHER : PMPI_Allreduce(in, out, count, type, op, comm);
}
#if MPI_VERSION >= 4  // PETSc then calls the variant for large counts
int(MPI_Allreduce_c)(const void* in, void* out, MPI_Count count, MPI_Datatype type, MPI_Op op,
                     MPI_Comm comm) {
  return outcome("MPI_Allreduce") > 0 ? MPI_ERR_OTHER : PMPI_Allreduce_c(in, out, count, type, op, comm);
}
#endif

PetscErrorCode PetscInitialize(int* argc, char*** argv, const char* file, const char* help) {
  REAL(PetscInitialize);
  const PetscErrorCode code = real(argc, argv, file, help);
  if (code != 0 || !wants_events()) return code;
#if PETSC_VERSION_GE(3, 20, 0)
  return PetscLogLegacyCallbacksBegin(event_begins, event_ends, nullptr, nullptr);
#else
  return PetscLogSet(event_begins, event_ends);
#endif
}
PetscErrorCode PetscClassIdRegister(const char* name, PetscClassId* id) {
  REAL(PetscClassIdRegister);
  const PetscErrorCode code = real(name, id);
  if (code == 0 && std::strcmp(name, "Poise") == 0) poise_class = *id;
  return code;
}
PetscErrorCode PetscLogEventRegister(const char* name, PetscClassId id, PetscLogEvent* event) {
  REAL(PetscLogEventRegister);
  const PetscErrorCode code = real(name, id, event);
  if (code == 0 && id == poise_class && wants_event(name) && wanted_count < 64)
    wanted[wanted_count++] = *event;
  return code;
}
PetscErrorCode PetscMallocAlign(size_t size, PetscBool clear, int line, const char* function,
                                const char* file, void** out) {
  REAL(PetscMallocAlign);
  return outcome("petsc_malloc") > 0 ? PETSC_ERR_MEM : real(size, clear, line, function, file, out);
}

// The wall clock; MPI_Wtime goes with it.
int clock_gettime(clockid_t clock, timespec* now) noexcept {
  REAL(clock_gettime);
  if (clock == CLOCK_REALTIME) read_clock();
  const int code = real(clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec -= static_cast<time_t>(clock_lag());
  return code;
}
int gettimeofday(timeval* now, void* zone) noexcept {
  REAL(gettimeofday);
  read_clock();
  const int code = real(now, zone);
  now->tv_sec -= static_cast<time_t>(clock_lag());
  return code;
}
time_t time(time_t* out) noexcept {
  REAL(time);
  read_clock();
  const time_t now = real(nullptr) - static_cast<time_t>(clock_lag());
  if (out != nullptr) *out = now;
  return now;
}
double MPI_Wtime() {
  read_clock();
  return PMPI_Wtime() - clock_lag();
}

}  // extern "C"

void* operator new(std::size_t size) {
  if (started && outcome("new") > 0) throw std::bad_alloc();
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (started && outcome("new") > 0) throw std::bad_alloc();
  const auto unit = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(unit, (std::max<std::size_t>(size, 1) + unit - 1) / unit * unit);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
