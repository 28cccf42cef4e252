#pragma once

#include <mpi.h>

#include <filesystem>
#include <random>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"

namespace poise {

/// A folder that all ranks share, removed at the end. Collective on the world.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    const auto name = "poise-io-" + std::to_string(std::random_device{}());
    path_ = broadcast(MPI_COMM_WORLD, (std::filesystem::temp_directory_path() / name).string());
    on_root(MPI_COMM_WORLD, [&] { std::filesystem::create_directories(path_); });
  }
  ~TemporaryFolder() {
    MPI_Barrier(MPI_COMM_WORLD);
    std::error_code ignored;
    if (rank_ == 0) std::filesystem::remove_all(path_, ignored);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  int rank_ = 0;
  std::string path_;
};

inline int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

inline int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

/// The message of the error that `body` throws, or a text that there was no error.
template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace poise
