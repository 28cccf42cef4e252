// Any bytes as an HDF5 file, for every reader. HDF5 1.10 itself crashes or loops on some inputs (see
// CrashGuard), so this target is only for use by hand. HDF5's own checksums always pass, so that changed
// bytes reach the code behind the checks.
#include <cstring>

#include "poise/io/checkpoint.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/run_file.hpp"
#include "support.hpp"

/// In the place of HDF5's function: returns the stored checksum, which lies behind the data.
extern "C" std::uint32_t H5_checksum_metadata(const void* data, std::size_t size, std::uint32_t /*start*/) {
  std::uint32_t stored = 0;
  std::memcpy(&stored, static_cast<const char*>(data) + size, sizeof stored);
  return stored;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  const fuzz::File file(std::string(reinterpret_cast<const char*>(data), size));
  fuzz::accepts([&] {
    const Dataset set(MPI_COMM_SELF, file.path());
    (void)set.read_train({0, set.info().samples});
    (void)set.read_test({0, set.info().test_samples});
    (void)set.read_teacher();
  });
  fuzz::accepts([&] { (void)RunFile::load(MPI_COMM_SELF, file.path()); });
  fuzz::accepts([&] { (void)Checkpoint::open_unverified(MPI_COMM_SELF, file.path()).config(); });
  return 0;
}
