#pragma once

#include <gtest/gtest.h>
#include <petscsys.h>
#include <zlib.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/io/dataset.hpp"
#include "poise_data/poise_data.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise::data {

/// Runs poise-data as its main does, on files that the test makes. Collective on the world.
class ImporterTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string out_ = folder_ / "out.h5";

  void SetUp() override { PetscOptionsClear(nullptr); }
  void TearDown() override { PetscOptionsClear(nullptr); }

  /// Rank 0 writes a file into the folder; its path.
  std::string put(const std::string& name, const std::string& bytes) const {
    const std::string path = folder_ / name;
    on_root(MPI_COMM_WORLD, [&] { std::ofstream(path, std::ios::binary) << bytes; });
    return path;
  }
  std::string put_compressed(const std::string& name, const std::string& bytes) const {
    const std::string path = folder_ / name;
    on_root(MPI_COMM_WORLD, [&] {
      gzFile file = gzopen(path.c_str(), "wb");
      gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
      gzclose(file);
    });
    return path;
  }
  /// The output of the command; `options` as on the command line; -out is added.
  std::string run(const std::string& command, const std::string& options) const {
    PetscOptionsClear(nullptr);
    PetscOptionsInsertString(nullptr, (options + " -out " + out_).c_str());
    return run_poise_data(MPI_COMM_WORLD, {command}, false);
  }
  Dataset imported(const std::string& options) const {
    (void)run("import", options + " -force true");
    return {MPI_COMM_WORLD, out_};
  }
  /// The error of an import that must fail with bad_input on every rank and leave no file.
  std::string import_error(const std::string& options) const {
    std::string text = "nothing was thrown";
    try {
      (void)run("import", options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input) << error.what();
      EXPECT_TRUE(error.collective());
      text = error.what();
    }
    on_root(MPI_COMM_WORLD, [&] {
      EXPECT_FALSE(std::filesystem::exists(out_)) << text;
      EXPECT_FALSE(std::filesystem::exists(out_ + ".tmp")) << text;
      std::filesystem::remove(out_);
    });
    return text;
  }
  void expect_error(const std::string& options, const std::string& part) const {
    const std::string text = import_error(options);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
};

/// IDX bytes: header, then data.
inline std::string idx_bytes(const std::vector<std::uint32_t>& shape, const std::string& data,
                             char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(shape.size())};
  for (const std::uint32_t extent : shape)
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(extent >> shift));
  return bytes + data;
}

/// NPY bytes: magic, header padded to 64 bytes, then data.
inline std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& data,
                             bool fortran = false, int version = 1) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  const std::size_t prefix = version == 1 ? 10 : 12;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY" + std::string{static_cast<char>(version), 0};
  for (std::size_t i = 0; i < prefix - 8; ++i) bytes.push_back(static_cast<char>(header.size() >> (8 * i)));
  return bytes + header + data;
}

/// The bytes of numbers of type T, in the byte order of this machine or in the opposite order.
template <class T>
std::string bytes_of(const std::vector<T>& values, bool swapped = false) {
  std::string bytes;
  for (const T value : values) {
    std::string one(sizeof(T), '\0');
    std::memcpy(one.data(), &value, sizeof(T));
    if (swapped) one = std::string(one.rbegin(), one.rend());
    bytes += one;
  }
  return bytes;
}

}  // namespace poise::data
