#include "poise/io/hdf5_untrusted.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>

#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

namespace poise {
inline namespace io {
namespace {

constexpr std::ptrdiff_t deepest_group = 32;
constexpr std::size_t longest_name = 1024;

/// Size in bytes of an array of this shape; empty if the product of its nonzero sides overflows an Index.
std::optional<std::uint64_t> bytes_of(std::uint64_t entry_bytes, const std::vector<hsize_t>& dims) {
  Index bytes = static_cast<Index>(std::max<std::uint64_t>(1, entry_bytes));
  bool empty = false;
  for (const hsize_t d : dims) {
    if (__builtin_mul_overflow(bytes, std::max<hsize_t>(1, d), &bytes)) return std::nullopt;
    empty = empty || d == 0;
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

std::string find_foreign_storage(hid_t creation) {
  // Call before asking for the data space, which opens the sources of a virtual data set.
  if (H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
    return "lies in other files: copy it into this one (h5repack, or h5py)";
  return {};
}

/// Finds the first filter that is not known or comes twice; sets whether the data are deflated.
std::string find_foreign_filter(hid_t creation, bool& deflated) {
  std::set<H5Z_filter_t> seen;
  const int count = H5Pget_nfilters(creation);
  if (count < 0) return "has filters that cannot be read: it is damaged";
  for (int i = 0; i < count; ++i) {
    std::size_t values = 0;
    unsigned flags = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    const bool known =
        filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
    if (!known || !seen.insert(filter).second)
      return fmt::format(
          "is packed by the HDF5 filter {}{}: store it with gzip compression or none (h5repack -f GZIP=4, or "
          "h5py)",
          filter, known ? " twice" : ", which is not read");
  }
  deflated = seen.count(H5Z_FILTER_DEFLATE) != 0;
  return {};
}

}  // namespace

std::string find_defect(std::int64_t data_set, std::uint64_t file_bytes) {
  const std::string damaged = "cannot be read: it is damaged";
  const std::string too_large = "claims more data than the file holds: it is damaged, or was never filled";
  const H5Handle creation(H5Dget_create_plist(data_set), H5Pclose);
  if (!creation) return damaged;
  if (auto foreign = find_foreign_storage(creation.get()); !foreign.empty()) return foreign;
  bool deflated = false;
  if (auto foreign = find_foreign_filter(creation.get(), deflated); !foreign.empty()) return foreign;

  const H5Handle space(H5Dget_space(data_set), H5Sclose);
  const H5Handle type(H5Dget_type(data_set), H5Tclose);
  if (!space || !type) return damaged;
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) return damaged;
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  if (H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr) < 0) return damaged;
  const std::uint64_t room = file_bytes * (deflated ? largest_expansion : 1);
  const std::uint64_t entry_bytes = H5Tget_size(type.get());
  const auto bytes = bytes_of(entry_bytes, dims);
  if (!bytes || *bytes > room) return too_large;
  if (*bytes == 0 || H5Pget_nfilters(creation.get()) == 0) return {};
  // HDF5 always unpacks whole chunks, even if only a part is read.
  std::vector<hsize_t> chunk(dims.size());
  if (H5Pget_chunk(creation.get(), rank, chunk.data()) < 0) return damaged;
  const auto chunk_bytes = bytes_of(entry_bytes, chunk);
  return !chunk_bytes || *chunk_bytes > room ? too_large : "";
}

H5Handle links_of_this_file() {
  H5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);  // includes the properties of links
  const auto refuse = +[](const char*, const char*, const char* target, const char* object, unsigned*, hid_t,
                          void*) -> herr_t {
    H5Epush2(H5E_DEFAULT, __FILE__, "Poise", __LINE__, H5E_ERR_CLS, H5E_LINK, H5E_TRAVERSE,
             "it is a link to %s of another file, %s: copy the data into this one", object, target);
    return -1;
  };
  H5Pset_elink_cb(access.get(), refuse, nullptr);
  return access;
}

std::vector<std::string> walk_objects(std::int64_t file) {
  // Not H5Ovisit, because its recursion is as deep as the groups are nested.
  const auto append = +[](hid_t, const char* name, const H5L_info_t* link, void* out) noexcept -> herr_t {
    try {
      if (link->type == H5L_TYPE_HARD) static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    } catch (...) {  // no exception may cross HDF5
      return -1;
    }
    return 0;
  };
  std::vector<std::string> names{"/"};
  std::vector<std::string> groups{""};
  H5O_info_t info;
  if (H5Oget_info2(file, &info, H5O_INFO_BASIC) < 0) throw bad_input("cannot list the contents");
  std::set<haddr_t> seen{info.addr};
  while (!groups.empty()) {
    const std::string group = groups.back();
    groups.pop_back();
    std::vector<std::string> links;
    hsize_t position = 0;
    // Not H5_ITER_INC: HDF5 1.10 then fills a table first, and frees entries that it has not filled if a read
    // fails.
    if (H5Literate_by_name(file, (group + "/").c_str(), H5_INDEX_NAME, H5_ITER_NATIVE, &position, append,
                           &links, H5P_DEFAULT) < 0)
      throw bad_input("cannot list the contents of " + group + "/");
    std::sort(links.begin(), links.end());
    for (const auto& link : links) {
      const std::string name = group + "/" + link;
      if (link.size() > longest_name) throw bad_input("a name of more than 1024 characters");
      if (std::count(name.begin(), name.end(), '/') > deepest_group)
        throw bad_input("groups nested more than 32 deep");
      if (H5Oget_info_by_name2(file, name.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        throw bad_input("cannot read " + name);
      if (!seen.insert(info.addr).second) continue;
      names.push_back(name);
      if (info.type == H5O_TYPE_GROUP) groups.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISE_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POISE_ADDRESS_SANITIZER
#endif
#if defined(POISE_ADDRESS_SANITIZER)
constexpr bool active = false;
#else
constexpr bool active = true;
#endif

constexpr std::array<int, 6> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};
std::array<struct sigaction, signals.size()> before;
stack_t stack_before;
std::array<char, std::size_t{1} << 16> stack_of_handler;  // a full stack may be the cause of the crash
const char* guarded_path = "";

/// Prints the message in one piece, so that no output of other ranks comes between. Calls only functions that
/// a signal handler may call.
void report(const char* problem) {
  static std::array<char, 8192> text;
  std::size_t length = 0;
  for (const char* part :
       {"poise: error: file '", guarded_path, problem, ": it is damaged; remove it, or make it again\n"}) {
    const std::size_t size = std::min(std::strlen(part), text.size() - length);
    std::memcpy(text.data() + length, part, size);
    length += size;
  }
  (void)!::write(STDERR_FILENO, text.data(), length);
}

void set_timer(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_VIRTUAL, &timer, nullptr);
}

/// The signal handler. HDF5, the heap and MPI may be in any state, so nothing can be saved any more. The
/// alarm ends the program if MPI_Abort hangs.
void end_program(int signal) {
  for (const int s : signals) std::signal(s, SIG_DFL);
  report(signal == SIGVTALRM ? "' makes HDF5 loop for ever" : "' makes HDF5 crash");
  std::signal(SIGALRM, SIG_DFL);
  ::alarm(5);
  constexpr int code = static_cast<int>(ExitCode::bad_input);
  wait_until_read();
  MPI_Abort(MPI_COMM_WORLD, code);
  ::_exit(code);
}

}  // namespace

CrashGuard::CrashGuard(const std::string& path, int seconds) {
  if (!active) return;
  guarded_path = path.c_str();
  stack_t stack{};
  stack.ss_sp = stack_of_handler.data();
  stack.ss_size = stack_of_handler.size();
  ::sigaltstack(&stack, &stack_before);
  struct sigaction action {};
  action.sa_handler = end_program;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &action, &before[i]);
  set_timer(seconds);
}

CrashGuard::~CrashGuard() {
  if (!active) return;
  set_timer(0);
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before[i], nullptr);
  ::sigaltstack(&stack_before, nullptr);
}

}  // namespace io
}  // namespace poise
