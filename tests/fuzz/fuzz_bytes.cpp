// Any bytes as an HDF5 file, to every reader. HDF5 1.10 itself crashes and loops on some (see CrashGuard), so
// this target is for use by hand only. HDF5's own checksums are taken as right, so that mutations get behind
// them.
#include <cstring>

#include "poise/io/checkpoint.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/run_file.hpp"
#include "support.hpp"

/// In place of HDF5's: a checksum is stored behind what it is of.
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
