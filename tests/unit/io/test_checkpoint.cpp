#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "poise/base/agree.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

constexpr Index features = 7;  // m
constexpr Index outputs = 3;   // q

double entry(Index step, Index i, Index j) {
  return static_cast<double>(step) + 0.1 * static_cast<double>(i) + 1e-3 * static_cast<double>(j);
}

int rank_of(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

/// Rows of [A | B^T], as the parameters of a model lie on the ranks of `comm`.
struct Parameters {
  Range rows;
  Index stride = features + outputs;
  std::vector<double> data;
  explicit Parameters(MPI_Comm comm, Index m = features) {
    int size = 0;
    MPI_Comm_size(comm, &size);
    rows = block_range(m, size, rank_of(comm));
    stride = m + outputs;
    data.resize(static_cast<std::size_t>(rows.size() * stride));
  }
  void fill(Index step) {
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < stride; ++j)
        data[static_cast<std::size_t>(i * stride + j)] = entry(step, rows.begin + i, j);
  }
};

const std::vector<std::string> names{"age", "", "body mass, in kg", "größe"};

Snapshot snapshot_of(const Parameters& p, Index step) {
  const Index m = p.stride - outputs;
  Snapshot snapshot;
  snapshot.add_rows("/parameters/A", m, m, p.rows, p.data.data(), p.stride);
  snapshot.add_columns("/parameters/B", outputs, m, p.rows, p.data.data() + m, p.stride, "output state");
  snapshot.add_array("/features/mean", {2, 2}, {1, -0.0, std::numeric_limits<double>::quiet_NaN(), 4});
  snapshot.add_array("/features/none", {0}, {}, "input");
  snapshot.add_texts("/data/input_names", names);
  snapshot.add_texts("/data/padded", {"age ", "   ", "body mass  "});
  snapshot.add_real("/state", "t", 0.1 * static_cast<double>(step));
  snapshot.add_integer("/state", "step", step);
  snapshot.add_text("/dynamics/adam", "kind", "adam");
  for (int i = 0; i < 12; ++i) snapshot.config.emplace_back("option_" + std::to_string(10 + i), "value");
  snapshot.config.insert(snapshot.config.end(), {{"some_flag", "true"}, {"some_number", "0.80"}});
  return snapshot;
}

void write(MPI_Comm comm, const std::string& folder, Index step, int keep = 0) {
  Parameters p(comm);
  p.fill(step);
  EXPECT_EQ(write_checkpoint(comm, folder, step, snapshot_of(p, step), {.newest = keep}),
            checkpoint_path(folder, step));
}

void expect_content(MPI_Comm comm, const Checkpoint& in, Index step) {
  Parameters p(comm);
  in.read_rows("/parameters/A", features, features, p.rows, p.data.data(), p.stride);
  in.read_columns("/parameters/B", outputs, features, p.rows, p.data.data() + features, p.stride);
  Parameters expected(comm);
  expected.fill(step);
  EXPECT_EQ(p.data, expected.data);
  const auto mean = in.read_array("/features/mean", {2, -1});
  ASSERT_EQ(mean.size(), 4U);
  EXPECT_TRUE(std::signbit(mean[1]));
  EXPECT_TRUE(std::isnan(mean[2]));
  EXPECT_EQ(mean[3], 4.0);
  EXPECT_EQ(in.read_array("/features/none", {-1}).size(), 0U);
  EXPECT_EQ(in.texts("/data/input_names"), names);
  EXPECT_EQ(in.texts("/data/padded"), (std::vector<std::string>{"age", "", "body mass"}));
  EXPECT_TRUE(in.texts("/data/class_names").empty());
  EXPECT_EQ(in.real("/state", "t"), 0.1 * static_cast<double>(step));
  EXPECT_EQ(in.integer("/state", "step"), step);
  EXPECT_EQ(in.text("/dynamics/adam", "kind"), "adam");
  ASSERT_EQ(in.config().size(), 14U);
  EXPECT_EQ(in.config()[12].second, "true");
  EXPECT_EQ(in.config()[13].second, "0.8");
  EXPECT_EQ(in.text("/parameters/B", axes_attribute), "output state");
}

class CheckpointTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  static void expect_found(const std::string& folder, Index step, std::size_t skipped) {
    const FoundCheckpoint found = find_latest_valid(MPI_COMM_WORLD, folder);
    ASSERT_TRUE(found.checkpoint.has_value());
    EXPECT_EQ(found.step, step);
    EXPECT_EQ(found.skipped.size(), skipped);
    expect_content(MPI_COMM_WORLD, *found.checkpoint, step);
  }
  std::vector<std::string> files() const {
    MPI_Barrier(MPI_COMM_WORLD);
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(folder_.path()))
      names.push_back(file.path().filename().string());
    std::sort(names.begin(), names.end());
    MPI_Barrier(MPI_COMM_WORLD);
    return names;
  }
};

TEST_F(CheckpointTest, WhatIsWrittenComesBack) {
  write(MPI_COMM_WORLD, folder_.path(), 100);
  expect_found(folder_.path(), 100, 0);
  EXPECT_EQ(files(), (std::vector<std::string>{"latest", "step-00000100.h5"}));
}

TEST_F(CheckpointTest, AnyNumberOfRanksReadsWhatAnotherNumberWrote) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  for (int parts = 1; parts <= world_size(); ++parts) {  // groups of different sizes, each reads and writes
    MPI_Comm part = MPI_COMM_NULL;
    MPI_Comm_split(MPI_COMM_WORLD, world_rank() % parts, world_rank(), &part);
    expect_content(part, Checkpoint(part, checkpoint_path(folder_.path(), 1)), 1);
    const std::string own =
        folder_ / ("group" + std::to_string(parts) + std::to_string(world_rank() % parts));
    on_root(part, [&] { std::filesystem::create_directory(own); });
    write(part, own, 2);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int g = 0; g < parts; ++g)
      expect_found(folder_ / ("group" + std::to_string(parts) + std::to_string(g)), 2, 0);
    MPI_Comm_free(&part);
  }
}

TEST_F(CheckpointTest, TheChecksumsDoNotDependOnTheNumberOfRanks) {
  write(MPI_COMM_WORLD, folder_.path(), 5);
  MPI_Barrier(MPI_COMM_WORLD);
  const std::string alone = folder_ / ("alone" + std::to_string(world_rank()));
  std::filesystem::create_directory(alone);
  write(MPI_COMM_SELF, alone, 5);
  const H5File one = H5File::open(MPI_COMM_SELF, checkpoint_path(alone, 5));
  const H5File all = H5File::open(MPI_COMM_SELF, checkpoint_path(folder_.path(), 5));
  for (const char* name : {"/parameters/A", "/parameters/B", "/features/mean"})
    EXPECT_EQ(one.integer_attribute(name, "crc32"), all.integer_attribute(name, "crc32")) << name;
  EXPECT_EQ(one.integer_attribute("/", "checksum"), all.integer_attribute("/", "checksum"));
}

TEST_F(CheckpointTest, ManyShortTextsBesideFewNumbersComeBack) {
  Snapshot snapshot;
  snapshot.add_texts("/data/input_names", std::vector<std::string>(50000, "x"));
  snapshot.add_array("/features/mean", {3}, {1, 2, 3});
  const std::string path = write_checkpoint(MPI_COMM_WORLD, folder_.path(), 1, snapshot, {});
  const Checkpoint in(MPI_COMM_WORLD, path);
  EXPECT_EQ(in.texts("/data/input_names").size(), 50000U);
  EXPECT_EQ(in.read_array("/features/mean", {3}), (std::vector<double>{1, 2, 3}));
}

TEST_F(CheckpointTest, MatricesOfSeveralChunksComeBack) {
  const Index m = 700;  // A has four chunks; their borders differ from the borders of the ranks
  Parameters p(MPI_COMM_WORLD, m);
  p.fill(3);
  write_checkpoint(MPI_COMM_WORLD, folder_.path(), 3, snapshot_of(p, 3), {.newest = 1});
  const Checkpoint in(MPI_COMM_WORLD, checkpoint_path(folder_.path(), 3));
  Parameters back(MPI_COMM_WORLD, m);
  in.read_rows("/parameters/A", m, m, back.rows, back.data.data(), back.stride);
  in.read_columns("/parameters/B", outputs, m, back.rows, back.data.data() + m, back.stride);
  EXPECT_EQ(back.data, p.data);
}

TEST_F(CheckpointTest, AFlippedByteIsRefusedOrHarmless) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  write(MPI_COMM_WORLD, folder_.path(), 2);
  const std::string path = checkpoint_path(folder_.path(), 2);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  std::mt19937 random(7);  // the same on all ranks
  int refused = 0;
  constexpr int flips = 150;
  for (int k = 0; k < flips; ++k) {
    const std::streamoff at = static_cast<std::streamoff>(random() % static_cast<unsigned>(size));
    const char mask = static_cast<char>(1U << (random() % 8));
    const auto flip = [&] {
      MPI_Barrier(MPI_COMM_WORLD);
      on_root(MPI_COMM_WORLD, [&] {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(at);
        const char byte = static_cast<char>(file.get() ^ mask);
        file.seekp(at);
        file.put(byte);
      });
    };
    flip();
    {
      const FoundCheckpoint found = find_latest_valid(MPI_COMM_WORLD, folder_.path());
      ASSERT_TRUE(found.checkpoint.has_value());
      EXPECT_EQ(found.skipped.size(), found.step == 2 ? 0U : 1U);
      expect_content(MPI_COMM_WORLD, *found.checkpoint, found.step);
      refused += found.step == 1;
    }
    flip();
    ASSERT_FALSE(HasFailure()) << "flip of byte " << at;
  }
  EXPECT_GT(refused, flips / 10);
  RecordProperty("refused", refused);
  expect_found(folder_.path(), 2, 0);
}

TEST_F(CheckpointTest, ATruncatedFileIsSkippedWithItsReason) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  const std::string path = checkpoint_path(folder_.path(), 2);
  for (const double part : {0.0, 0.1, 0.5, 0.9, 0.99}) {
    write(MPI_COMM_WORLD, folder_.path(), 2);
    on_root(MPI_COMM_WORLD, [&] {
      const auto size = static_cast<double>(std::filesystem::file_size(path));
      std::filesystem::resize_file(path, static_cast<std::uintmax_t>(part * size));
    });
    const FoundCheckpoint found = find_latest_valid(MPI_COMM_WORLD, folder_.path());
    EXPECT_EQ(found.step, 1);
    ASSERT_EQ(found.skipped.size(), 1U);
    EXPECT_EQ(found.skipped[0].path, path);
    EXPECT_NE(found.skipped[0].reason.find(path), std::string::npos) << found.skipped[0].reason;
  }
}

TEST_F(CheckpointTest, AFileOfAnotherSchemaIsSkipped) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  auto file = H5File::create(MPI_COMM_WORLD, checkpoint_path(folder_.path(), 2));
  file.set_attribute("/", "schema", std::string("poise-checkpoint-9"));
  file.close();
  const FoundCheckpoint found = find_latest_valid(MPI_COMM_WORLD, folder_.path());
  EXPECT_EQ(found.step, 1);
  ASSERT_EQ(found.skipped.size(), 1U);
  EXPECT_NE(found.skipped[0].reason.find("poise-checkpoint-9"), std::string::npos);
}

TEST_F(CheckpointTest, LatestIsOnlyAHint) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / "latest") << "step-00000099.h5\n"; });
  expect_found(folder_.path(), 1, 0);
  on_root(MPI_COMM_WORLD, [&] { std::filesystem::remove(folder_ / "latest"); });
  expect_found(folder_.path(), 1, 0);
}

TEST_F(CheckpointTest, TheNewestKStayAndLeftoversOfKilledWritersGo) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / ".step-00000001.h5.tmp") << "half"; });
  for (const Index step : {1, 2, 3, 4}) write(MPI_COMM_WORLD, folder_.path(), step, 2);
  EXPECT_EQ(files(), (std::vector<std::string>{"latest", "step-00000003.h5", "step-00000004.h5"}));
}

TEST_F(CheckpointTest, LaterCheckpointsDoNotCrowdOutTheOneJustWritten) {
  write(MPI_COMM_WORLD, folder_.path(), 300);
  write(MPI_COMM_WORLD, folder_.path(), 200, 1);
  EXPECT_EQ(files(), (std::vector<std::string>{"latest", "step-00000200.h5", "step-00000300.h5"}));
}

TEST_F(CheckpointTest, AnEmptyOrMissingFolderHoldsNone) {
  EXPECT_FALSE(find_latest_valid(MPI_COMM_WORLD, folder_.path()).checkpoint.has_value());
  EXPECT_FALSE(find_latest_valid(MPI_COMM_WORLD, folder_ / "none").checkpoint.has_value());
}

TEST_F(CheckpointTest, AnUnwritableFolderIsAnErrorOnEveryRank) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / "plain") << "file"; });
  const std::string message = message_of([&] { write(MPI_COMM_WORLD, folder_ / "plain", 1); });
  EXPECT_NE(message.find("Not a directory"), std::string::npos) << message;
}

TEST_F(CheckpointTest, AnEntryOfAnotherShapeOrNameIsRefused) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  const Checkpoint in(MPI_COMM_WORLD, checkpoint_path(folder_.path(), 1));
  const auto shape = message_of([&] { in.read_rows("/parameters/A", 8, 8, {}, nullptr, 8); });
  EXPECT_NE(shape.find("/parameters/A is 7 x 7, needed is 8 x 8"), std::string::npos) << shape;
  EXPECT_NE(message_of([&] { (void)in.read_array("/zzz", {-1}); }).find("/zzz"), std::string::npos);
  EXPECT_TRUE(in.has("/parameters/B"));
  EXPECT_FALSE(in.has("/parameters/C"));
  EXPECT_TRUE(in.has("/state", "t"));
  EXPECT_FALSE(in.has("/state", "zzz"));
  EXPECT_FALSE(in.has("/zzz", "t"));
}

TEST_F(CheckpointTest, BlocksThatDoNotFitTogetherAreRefused) {
  Parameters p(MPI_COMM_WORLD);
  Snapshot snapshot = snapshot_of(p, 1);
  snapshot.matrices[0].rows += 1;
  const auto message =
      message_of([&] { write_checkpoint(MPI_COMM_WORLD, folder_.path(), 1, snapshot, {.newest = 1}); });
  EXPECT_NE(message.find("blocks of /parameters/A do not follow"), std::string::npos) << message;
  EXPECT_EQ(files().size(), 0U);  // also no temporary file
}

/// In the place of a full disk: this process may not make files longer than `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_action_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_action_);
  }

 private:
  rlimit old_{};
  void (*old_action_)(int) = nullptr;
};

TEST_F(CheckpointTest, AFullDiskIsAnErrorOnEveryRankAndHarmsNoOlderCheckpoint) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  const auto before = files();
  {
    const FileSizeLimit limit(20000);
    const std::string message = message_of([&] { write(MPI_COMM_WORLD, folder_.path(), 2); });
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  }
  EXPECT_EQ(files(), before);
  expect_found(folder_.path(), 1, 0);
}

TEST_F(CheckpointTest, ALimitThatOneRankAloneMeetsIsAnErrorOnEveryRank) {
  write(MPI_COMM_WORLD, folder_.path(), 1);
  const auto before = files();
  for (int culprit = 0; culprit < world_size(); ++culprit) {
    const FileSizeLimit limit(world_rank() == culprit ? rlim_t{20000} : RLIM_INFINITY);
    const std::string message = message_of([&] { write(MPI_COMM_WORLD, folder_.path(), 2); });
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    EXPECT_EQ(files(), before);
  }
}

TEST_F(CheckpointTest, SpaceThatWasSetAsideIsGivenBack) {
  const Index m = 300;
  Parameters p(MPI_COMM_WORLD, m);
  p.fill(1);
  const std::string path =
      write_checkpoint(MPI_COMM_WORLD, folder_.path(), 1, snapshot_of(p, 1), {.newest = 1});
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_LT(status.st_size, 8 * m * (m + outputs) * 17 / 16 + (1 << 18));  // reserved by write_checkpoint
  EXPECT_LE(status.st_blocks * 512, status.st_size + 8192);
}

}  // namespace
}  // namespace poise
