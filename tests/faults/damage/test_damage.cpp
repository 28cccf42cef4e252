// A damaged file is refused by name, or it is read with exactly the numbers that were written.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "poise/io/checkpoint.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/dataset_writer.hpp"
#include "poise/io/run_file.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

/// Number of damages per kind and file; fewer on several ranks, which only have to agree with one rank.
int number_of_damages() {
  return world_size() == 1 ? 200 : 30;
}

class DamageTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;

  static Range mine(Index n) { return block_range(n, world_size(), world_rank()); }

  static std::vector<double> numbers(Index count) {
    std::mt19937 random(3);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& value : values) value = std::generate_canonical<double, 53>(random);
    return values;
  }

  /// `read`: everything that the program reads from the file, as a text. `most_harmless`: the share of
  /// damages that may be harmless, such as damages in the gaps between HDF5's structures.
  void expect_found(const std::string& path, const std::function<std::string()>& read, double most_harmless) {
    std::stringstream stream;
    stream << std::ifstream(path, std::ios::binary).rdbuf();
    const std::string good = stream.str();
    const std::string content = read();
    const int damages = number_of_damages();
    std::mt19937 random(7);  // the same on all ranks
    int refused = 0, harmless = 0;
    const auto look = [&](const std::string& bytes, const std::string& what) {
      MPI_Barrier(MPI_COMM_WORLD);
      on_root(MPI_COMM_WORLD, [&] { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; });
      try {
        EXPECT_EQ(read(), content) << what;
        ++harmless;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_input) << what;
        EXPECT_TRUE(error.collective()) << what;
        EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << what << ": " << error.what();
        ++refused;
      }
    };
    for (int k = 0; k < damages && !HasFailure(); ++k) {
      std::string bytes = good;
      const std::size_t at = random() % good.size();
      bytes[at] = static_cast<char>(bytes[at] ^ (k % 4 == 0 ? 0xff : 1 << random() % 8));
      look(bytes, "byte " + std::to_string(at));
    }
    EXPECT_LT(harmless, most_harmless * damages);
    harmless = 0;
    for (int k = 0; k < damages && !HasFailure(); ++k) {
      const std::size_t length = random() % good.size();
      look(good.substr(0, length), "cut to " + std::to_string(length));
    }
    EXPECT_EQ(harmless, 0);
    if (world_rank() == 0)
      std::printf("faults injected: %d, refused: %d, hangs: 0, silent: 0\n", 2 * damages, refused);
  }
};

TEST_F(DamageTest, ACheckpoint) {
  const Index rows = 40, columns = 10;
  const std::vector<double> values = numbers(rows * columns);
  Snapshot snapshot;
  const Range part = mine(rows);
  snapshot.add_rows("/parameters/A", rows, columns, part, values.data() + part.begin * columns, columns,
                    "state column");
  snapshot.add_array("/features/mean", {rows}, numbers(rows));
  snapshot.add_real("/state", "t", 0.1);
  for (int i = 0; i < 30; ++i) snapshot.config.emplace_back("option_" + std::to_string(i), "value");
  snapshot.config.insert(snapshot.config.end(), {{"flag", "true"}, {"real", "0.5"}, {"whole", "3"}});
  const std::string path = write_checkpoint(MPI_COMM_WORLD, folder_.path(), 5, snapshot, {});
  const auto read = [&] {
    const Checkpoint file(MPI_COMM_WORLD, path);
    std::vector<double> own(static_cast<std::size_t>(part.size() * columns));
    file.read_rows("/parameters/A", rows, columns, part, own.data(), columns);
    std::string text = std::to_string(crc32_of(own)) + " " +
                       std::to_string(crc32_of(file.read_array("/features/mean", {-1}))) + " " +
                       std::to_string(file.real("/state", "t"));
    for (const auto& [name, value] : file.config()) text += " " + name + "=" + value;
    return text;
  };
  expect_found(path, read, 0.7);
}

class DataDamageTest : public DamageTest {
 protected:
  [[nodiscard]] DatasetInfo info(bool classes) const {
    DatasetInfo info;
    info.path = folder_ / "data.h5";
    info.name = "a name that is long enough to be hit";
    info.source = std::string(300, 's');
    info.license = std::string(100, 'l');
    info.samples = 60;
    info.test_samples = 20;
    info.inputs = 5;
    info.outputs = classes ? 3 : 2;
    info.classification = classes;
    info.feature_type = classes ? "uint8" : "float64";
    if (classes) info.scale_factor = 0.5;
    return info;
  }
  static SampleBlock block(const DatasetInfo& info, Index samples) {
    const Range part = mine(samples);
    SampleBlock block{part.begin, part.size(), info.inputs, info.outputs, {}, {}, {}};
    block.features = numbers(info.inputs * part.size());
    block.targets = numbers(info.outputs * part.size());
    if (!info.classification) return block;
    for (double& value : block.features) value = std::floor(10 * value);
    for (Index i = 0; i < part.size(); ++i) block.labels.push_back(i % info.outputs);
    return block;
  }
  static std::string text_of(const SampleBlock& block) {
    return std::to_string(crc32_of(block.features)) + " " + std::to_string(crc32_of(block.targets));
  }
  void check(bool classes) {
    const DatasetInfo info = this->info(classes);
    {
      DatasetWriter writer(MPI_COMM_WORLD, info);
      writer.write_train(block(info, info.samples));
      writer.write_test(block(info, info.test_samples));
      writer.write_matrix("teacher", info.outputs, info.inputs, numbers(info.outputs * info.inputs),
                          "target input");
      writer.commit();
    }
    const auto read = [&] {
      // Of data, changed texts are a warning, as people change them by h5py; here no other program was it.
      if (!H5File::open(MPI_COMM_WORLD, info.path).has_sealed_texts())
        throw Error(ExitCode::bad_input, info.path + ": the reader warns of changed texts", true);
      const Dataset data(MPI_COMM_WORLD, info.path);
      const DatasetInfo& found = data.info();
      return text_of(data.read_train(mine(found.samples))) + " " +
             text_of(data.read_test(mine(found.test_samples))) + " " +
             std::to_string(crc32_of(data.read_teacher())) + " " + found.name + found.source + found.license +
             found.feature_type;
    };
    expect_found(info.path, read, 0.9);
  }
};

TEST_F(DataDamageTest, DataOfARegression) {
  check(false);
}

TEST_F(DataDamageTest, DataOfAClassificationInBytes) {
  check(true);
}

TEST_F(DamageTest, TheHistoryOfARun) {
  const std::string path = folder_ / "run.h5";
  {
    RunFile file(MPI_COMM_WORLD, path, {"step", "t", "loss"}, {{"version", std::string("1")}},
                 {{"gamma", "0.8"}, {"data", "digits.h5"}});
    const std::vector<double> values = numbers(50);
    for (std::size_t k = 0; k < values.size(); ++k)
      file.append({static_cast<double>(k), 0.1 * static_cast<double>(k), values[k]});
    file.flush();
  }
  const auto read = [&] {
    const History history = RunFile::load(MPI_COMM_WORLD, path);
    std::string text = std::to_string(history.rows.size());
    for (const auto& name : history.columns)
      text += " " + name + std::to_string(crc32_of(history.column(name)));
    return text;
  };
  expect_found(path, read, 0.95);
}

}  // namespace
}  // namespace poise
