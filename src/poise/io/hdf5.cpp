#include "poise/io/hdf5.hpp"

#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <type_traits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/io/hdf5_untrusted.hpp"

#ifndef H5_HAVE_PARALLEL
#error "Poise needs parallel HDF5 (Debian: libhdf5-openmpi-dev)"
#endif

namespace poise {
inline namespace io {
namespace {

static_assert(std::is_same_v<hid_t, std::int64_t> && std::is_same_v<herr_t, int>, "H5Handle assumes these");

/// HDF5's error stack, the API call first and the cause last, one line each; clears it.
std::string error_stack() {
  std::string text;
  const auto append = +[](unsigned, const H5E_error2_t* entry, void* out) noexcept -> herr_t {
    try {
      *static_cast<std::string*>(out) += std::string("\n  ") + entry->func_name + ": " + entry->desc;
    } catch (...) {  // no exception may cross HDF5
      return -1;
    }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

void silence_hdf5() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

/// For one rank. Reports causes that a user can fix, with errno, before HDF5 sees the file.
void require_readable(const std::string& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found)
    throw bad_input("file '" + path + "' does not exist");
  if (std::filesystem::is_directory(status))
    throw bad_input("'" + path + "' is a directory, not an HDF5 file");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw bad_input("cannot read file '" + path + "': " + std::strerror(errno));
  ::close(descriptor);
  silence_hdf5();
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  const std::string stack = error_stack();
  if (is_hdf5 < 0) throw bad_input("cannot read file '" + path + "':" + stack);
  if (is_hdf5 == 0) throw bad_input("file '" + path + "' is not an HDF5 file");
}

void require_creatable(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) throw failure("cannot create file '" + path + "': " + std::strerror(errno));
  ::close(descriptor);
}

H5Handle access_list(MPI_Comm comm, bool parallel) {
  H5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // A file that is replaced by rename needs no lock, and some file systems have no locks.
  bool good = H5Pset_file_locking(access.get(), false, true) >= 0;
  good = good && H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_LATEST) >= 0;
  good = good && H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG) >= 0;
  if (parallel) good = good && H5Pset_fapl_mpio(access.get(), comm, MPI_INFO_NULL) >= 0;
  if (!good) throw failure("cannot set up HDF5:" + error_stack());
  return access;
}

/// HDF5 1.10 cannot continue after a failed close: it keeps the identifier of a freed object and crashes on
/// it when it shuts down. So the program ends here, with a message.
int close_file(hid_t id) {
  char path[4096] = "";
  H5Fget_name(id, path, sizeof path);
  if (H5Fclose(id) < 0)
    abort_world(
        std::make_exception_ptr(failure("cannot close file '" + std::string(path) + "':" + error_stack())));
  return 0;
}

/// For one rank; all ranks then open the file. If all ranks created it together and the close failed on the
/// rank that creates it (as on a network file system), ROMIO would leave the others waiting.
void create_empty(const std::string& path) {
  require_creatable(path);
  silence_hdf5();
  const H5Handle access = access_list(MPI_COMM_SELF, false);
  const H5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), close_file);
  if (!file) throw failure("cannot create file '" + path + "':" + error_stack());
}

/// Files that an exception left open while all ranks wrote them. These are plain identifiers: HDF5 closes the
/// remaining ones in MPI_Finalize.
std::vector<hid_t> abandoned;

/// The file that is written: the error handler does not get its name. All ranks write one file at a time.
std::string written_path;

/// The system's reason, because MPI's own text is often only "input/output error". Empty if errno is no
/// plausible cause: on a rank that did not fail itself it is left from something earlier.
std::string cause_of(int code) {
  for (const int cause : {EIO, ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM, ESTALE, ENOMEM})
    if (code == cause) return std::string(std::strerror(code)) + ", ";
  return {};
}

void end_of_write(MPI_File*, int* code, ...) {
  const std::string cause = cause_of(errno);
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(*code, text, &length);
  abort_world(std::make_exception_ptr(failure("cannot write file '" + written_path + "': " + cause + text)));
}

/// While it lives, the files that MPI opens get an error handler: a rank whose read or write fails prints the
/// error with `path` and aborts the world. The other ranks wait in a collective call that the failed rank
/// cannot reach, and HDF5 offers no way to leave it. Not collective.
class WriteErrorHandler {
 public:
  explicit WriteErrorHandler(const std::string& path);
  ~WriteErrorHandler();
  WriteErrorHandler(const WriteErrorHandler&) = delete;
  WriteErrorHandler& operator=(const WriteErrorHandler&) = delete;

 private:
  MPI_Errhandler before_ = MPI_ERRHANDLER_NULL, handler_ = MPI_ERRHANDLER_NULL;
};

WriteErrorHandler::WriteErrorHandler(const std::string& path) {
  written_path = path;
  check_mpi(MPI_File_get_errhandler(MPI_FILE_NULL, &before_));
  check_mpi(MPI_File_create_errhandler(end_of_write, &handler_));
  check_mpi(MPI_File_set_errhandler(MPI_FILE_NULL, handler_));
}

WriteErrorHandler::~WriteErrorHandler() {
  MPI_File_set_errhandler(MPI_FILE_NULL, before_);
  MPI_Errhandler_free(&before_);
  // MPICH gives a file no reference of its own to the handler, but releases one when the file is closed.
#ifndef MPICH_VERSION
  MPI_Errhandler_free(&handler_);
#endif
}

/// Collective. Call after all ranks called HDF5. Returns if all ranks failed, or none. A rank that failed
/// aborts the world if some rank did not fail, or does not arrive here within some seconds: the state of HDF5
/// then differs between ranks, and closing the file could wait for ever.
void require_same_fate(MPI_Comm comm, const std::exception_ptr& error) {
  constexpr double patience = 5.0;  // seconds; if a rank is slower, only the orderly end is lost
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  int failed = error ? 1 : 0;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, comm, &request));
  if (!error) {
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
    return;
  }
  const double begin = steady_seconds();
  int here = 0;
  while (here == 0 && steady_seconds() - begin < patience) {
    check_mpi(MPI_Test(&request, &here, MPI_STATUS_IGNORE));
    ::usleep(1000);
  }
  if (here == 0 || failed < size) abort_world(error);
}

constexpr int seconds_to_close = 30;

/// Collective.
void close_abandoned() {
  for (const hid_t id : std::exchange(abandoned, {})) close_file(id);
}

}  // namespace

void H5File::together(const std::function<void()>& body, int seconds) const {
  std::exception_ptr error;
  try {
    std::optional<CrashGuard> guard;
    if (!writing_) guard.emplace(path_, seconds);
    body();
  } catch (...) {
    error = std::current_exception();
  }
  if (parallel_) require_same_fate(comm_, error);
  agree(comm_, error);
}

Error H5File::error(const std::string& what) const {
  const std::string stack = error_stack();
  const std::string message =
      what + (writing_ ? " in file '" : " of file '") + path_ + (stack.empty() ? "'" : "':" + stack);
  return writing_ ? failure(message) : bad_input(message);
}

std::uint64_t H5File::size() const {
  hsize_t bytes = 0;
  together([&] { checked(H5Fget_filesize(file_.get(), &bytes), "cannot get the size"); });
  return bytes;
}

H5File::~H5File() {
  // Closing is collective, but the exception may be on one rank only, which then ends the program.
  if (file_ && parallel_ && std::uncaught_exceptions() > 0) abandoned.push_back(file_.release());
  std::optional<CrashGuard> guard;  // closing frees what HDF5 has read of a possibly damaged file
  if (file_ && !writing_) guard.emplace(path_, seconds_to_close);
  file_ = {};
}

void require_parallel_name(const std::string& path) {
  if (path.find(':') == std::string::npos) return;
  throw Error(ExitCode::bad_input,
              "'" + path +
                  "' cannot be written in parallel: MPI takes the text before a colon as the kind of file "
                  "system; choose a name without a colon",
              true);
}

H5File H5File::begin(MPI_Comm comm, const std::string& path, bool writing, bool parallel) {
  H5File file(comm, path, writing, parallel);
  if (parallel) close_abandoned();  // all ranks are here, so no rank uses those files any more
  if (writing && parallel) require_parallel_name(path);
  on_root(comm, [&] { writing ? create_empty(path) : require_readable(path); });
  file.together([&] {
    silence_hdf5();
    std::optional<WriteErrorHandler> handler;
    if (parallel) handler.emplace(path);
    const H5Handle access = access_list(comm, parallel);
    const hid_t id = H5Fopen(path.c_str(), writing ? H5F_ACC_RDWR : H5F_ACC_RDONLY, access.get());
    file.file_ = H5Handle(file.checked(id, "cannot open the root"), close_file);
    file.links_ = links_of_this_file();
  });
  return file;
}

H5File H5File::open(MPI_Comm comm, const std::string& path) {
  return begin(comm, path, false, false);  // POSIX I/O: a rank that fails leaves no other rank waiting
}

H5File H5File::create(MPI_Comm comm, const std::string& path) {
  return begin(comm, path, true, true);
}

H5File H5File::open_alone(const std::string& path) {
  return begin(MPI_COMM_SELF, path, false, false);
}

H5File H5File::create_alone(const std::string& path) {
  return begin(MPI_COMM_SELF, path, true, false);
}

H5File H5File::create_in_memory(const std::string& path) {
  H5File file(MPI_COMM_SELF, path, true, false);
  silence_hdf5();
  const H5Handle access = access_list(MPI_COMM_SELF, false);
  constexpr std::size_t growth = std::size_t{1} << 20;
  // HDF5 before 2025 clears the "open for writing" mark in the image of a file whose superblock has a
  // checksum, but does not update the checksum (HDFGroup/hdf5 #1915), so that nobody can open the file. The
  // oldest format has no checksum.
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  file.checked(H5Pset_fapl_core(access.get(), growth, false), "cannot use memory");
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get());
  file.file_ = H5Handle(file.checked(id, "cannot create the root"), close_file);
  file.links_ = links_of_this_file();
  return file;
}

std::string H5File::image() const {
  checked(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), "cannot flush the memory");
  const ssize_t size = checked(H5Fget_file_image(file_.get(), nullptr, 0), "cannot get the bytes");
  std::string bytes(static_cast<std::size_t>(size), '\0');
  checked(H5Fget_file_image(file_.get(), bytes.data(), bytes.size()), "cannot get the bytes");
  return bytes;
}

void H5File::close() {
  if (!file_) return;
  // Flush and close are collective inside HDF5: a rank whose flush fails must not close without the others.
  const auto flush = [&] {
    together([&] { checked(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), "cannot flush the data"); });
  };
  if (writing_) {
    flush();
    seal_texts();
    flush();
  }
  together([&] { close_file(file_.release()); });
}

bool H5File::exists(const std::string& name) const {
  bool found = true;
  together([&] {
    // H5Lexists returns an error, not "no", if a parent group is missing.
    std::size_t end = 0;
    while (found && (end = name.find_first_not_of('/', end)) != std::string::npos) {
      end = std::min(name.find('/', end), name.size());
      const std::string part = name.substr(0, end);
      found = checked(H5Lexists(file_.get(), part.c_str(), links_.get()), "cannot look for " + part) > 0;
    }
  });
  return found;
}

H5Handle H5File::open_object(const std::string& name) const {
  return {checked(H5Oopen(file_.get(), name.c_str(), links_.get()), "cannot open " + name), H5Oclose};
}

H5Handle H5File::open_data_set(const std::string& name) const {
  H5Handle set(checked(H5Dopen2(file_.get(), name.c_str(), links_.get()), "cannot open data set " + name),
               H5Dclose);
  if (writing_) return set;
  hsize_t bytes = 0;
  checked(H5Fget_filesize(file_.get(), &bytes), "cannot get the size");
  if (const std::string defect = find_defect(set.get(), bytes); !defect.empty())
    throw bad_input("data set " + name + " of file '" + path_ + "' " + defect);
  return set;
}

std::vector<std::string> H5File::objects() const {
  std::vector<std::string> names;
  together([&] {
    try {
      names = walk_objects(file_.get());
    } catch (const Error& e) {
      throw error(e.what());
    }
  });
  return names;
}

bool H5File::is_group(const std::string& name) const {
  bool group = false;
  together([&] { group = H5Iget_type(open_object(name).get()) == H5I_GROUP; });
  return group;
}

void H5File::create_group(const std::string& name) {
  if (exists(name)) return;
  together([&] {
    const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links.get(), 1);
    const hid_t id = H5Gcreate2(file_.get(), name.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT);
    const H5Handle group(checked(id, "cannot create group " + name), H5Gclose);
  });
}

}  // namespace io
}  // namespace poise
