// options.txt of a run directory, which -resume reads.
#include <petscsys.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/run/run_options.hpp"
#include "support.hpp"

namespace {

poise::Options declared_options() {
  poise::Options options;
  (void)options.real("gamma", 0.5, {0, 1}, "");
  (void)options.integer("width", 1, {1}, "");
  (void)options.flag("bias", false, "");
  (void)options.text("data", "", "");
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  static const std::string folder = "/dev/shm/poise-fuzz-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/options.txt", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  check(PetscOptionsClear(nullptr));
  check(PetscOptionsSetValue(nullptr, "-resume", "true"));
  check(PetscOptionsSetValue(nullptr, "-run", folder.c_str()));
  fuzz::accepts([&] {
    if (const auto stored = stored_options(MPI_COMM_SELF, "poise-train")) recall(*stored, declared_options());
    declared_options().reject_unknown();
  });
  std::filesystem::remove_all(folder);
  return 0;
}
