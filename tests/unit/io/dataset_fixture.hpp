#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "poise/io/dataset.hpp"
#include "poise/io/hdf5.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {

class DatasetTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "data.h5";

  static Range mine(Index n) { return block_range(n, world_size(), world_rank()); }

  /// Rank 0 writes a file as a user would, by hand.
  void write_file(const std::function<void(H5File&)>& body) const {
    on_root(MPI_COMM_WORLD, [&] {
      H5File file = H5File::create_alone(path_);
      body(file);  // not closed by `close`, so that it has no checksums of texts: a file of another program
    });
  }
  static void put(H5File& file, const std::string& name, const std::vector<Index>& dims, double value = 0.5) {
    Index entries = 1;
    for (const Index d : dims) entries *= d;
    const std::vector<double> data(static_cast<std::size_t>(entries), value);
    file.write_rows(name, dims, {0, dims[0]}, data);
  }
  static void put_labels(H5File& file, const std::string& name, const std::vector<Index>& labels,
                         Index classes) {
    const auto n = static_cast<Index>(labels.size());
    file.write_rows(name, {n}, {0, n}, std::span(labels));
    if (classes > 0) file.set_attribute(name, "classes", classes);
  }
  /// The message of the error at opening the file, or at reading it; it must be the same error on every
  /// rank.
  std::string message() const {
    std::string text = "nothing was thrown";
    try {
      const Dataset data(MPI_COMM_WORLD, path_);
      (void)data.read_train(mine(data.info().samples));
      (void)data.read_test(mine(data.info().test_samples));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_TRUE(error.collective());
      text = error.what();
    }
    EXPECT_EQ(text, broadcast(MPI_COMM_WORLD, text));
    EXPECT_NE(text.find(path_), std::string::npos) << text;
    return text;
  }
  void expect_message(const std::string& part) const {
    const std::string text = message();
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
};

}  // namespace poise
