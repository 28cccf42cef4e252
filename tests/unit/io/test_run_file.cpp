#include <gtest/gtest.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/io/run_file.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class RunFileTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "run.h5";
  const std::vector<std::string> columns_{"step", "t", "loss", "test_loss"};
  const RunFile::Named attributes_{{"version", std::string("0.1.0")}, {"ranks", Index{world_size()}}};
  const RunFile::Config config_{{"gamma", "0.8"}, {"model", "softmax_linear"}};
  History load() const { return RunFile::load(MPI_COMM_WORLD, path_); }
};

TEST_F(RunFileTest, EveryFlushLeavesACompleteReadableFile) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  EXPECT_EQ(load().rows.size(), 0U);
  for (int k = 0; k < 5; ++k) {
    run.append({k * 10.0, k * 0.5, 1.0 / (1 + k), nan});
    EXPECT_EQ(load().rows.size(), static_cast<std::size_t>(k));  // readable between flushes
    run.flush();
    const History history = load();
    EXPECT_EQ(history.column("step").back(), k * 10.0);
    EXPECT_EQ(history.column("t").back(), k * 0.5);
    EXPECT_EQ(history.column("loss").back(), 1.0 / (1 + k));
    EXPECT_TRUE(std::isnan(history.column("test_loss").back()));
    EXPECT_EQ(history.rows.size(), static_cast<std::size_t>(k) + 1);
  }
}

TEST_F(RunFileTest, ColumnsSayWhatTheyMeanAndTheRootGroupWhatWasFoundLater) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  run.set_meanings({{"t", {.long_name = "time", .units = "s", .valid_min = 0.0}},
                    {"lost", {.long_name = "no column of this file"}}});
  run.append({0, 0, 1, 2});
  run.set_attribute("verdict", std::string("violated"));
  run.set_attribute("verdict", std::string("held"));
  run.flush();
  const H5File file = H5File::open(MPI_COMM_WORLD, path_);
  EXPECT_EQ(file.text_attribute("/", "verdict"), "held");
  EXPECT_EQ(file.text_attribute("/history/t", "long_name"), "time");
  EXPECT_EQ(file.text_attribute("/history/t", "units"), "s");
  EXPECT_EQ(file.real_attribute("/history/t", "valid_min"), 0.0);
  EXPECT_FALSE(file.has_attribute("/history/t", "valid_max"));
  EXPECT_FALSE(file.has_attribute("/history/loss", "long_name"));
}

TEST_F(RunFileTest, ProvenanceOptionsAndTheDimensionScaleAreInTheFile) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  run.append({0, 0, 1, 2});
  run.flush();
  const H5File file = H5File::open(MPI_COMM_WORLD, path_);
  EXPECT_EQ(file.text_attribute("/", "schema"), "poise-run-1");
  EXPECT_EQ(file.text_attribute("/", "version"), "0.1.0");
  EXPECT_EQ(file.integer_attribute("/", "ranks"), world_size());
  EXPECT_EQ(file.attribute("/config", "gamma"), H5Value(0.8));
  EXPECT_EQ(file.text_attribute("/config", "model"), "softmax_linear");
  const H5Handle t(H5Dopen2(file.id(), "/history/t", H5P_DEFAULT), H5Dclose);
  EXPECT_GT(H5DSis_scale(t.get()), 0);
  for (const char* name : {"/history/loss", "/history/step", "/history/test_loss"}) {
    const H5Handle set(H5Dopen2(file.id(), name, H5P_DEFAULT), H5Dclose);
    EXPECT_GT(H5DSis_attached(set.get(), t.get(), 0), 0) << name;
    const H5Handle space(H5Dget_space(set.get()), H5Sclose);
    hsize_t most = 0;
    H5Sget_simple_extent_dims(space.get(), nullptr, &most);
    EXPECT_EQ(most, H5S_UNLIMITED) << name;
  }
}

TEST_F(RunFileTest, AResumedRunKeepsTheHistoryUpToItsCheckpoint) {
  {
    RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
    for (int k = 0; k < 8; ++k) run.append({k * 10.0, k * 0.5, 1.0, nan});
  }  // the destructor of rank 0 writes the remaining rows
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(load().rows.size(), 8U);
  const std::vector<std::string> more{"t", "step", "test_loss", "kappa", "loss"};
  RunFile run(MPI_COMM_WORLD, path_, more, attributes_, config_, load());
  EXPECT_EQ(load().rows.size(), 8U);
  run.truncate_after(40);
  const History history = load();
  EXPECT_EQ(history.column("step"), (std::vector<double>{0, 10, 20, 30, 40}));
  EXPECT_EQ(history.column("t"), (std::vector<double>{0, 0.5, 1, 1.5, 2}));
  EXPECT_TRUE(std::isnan(history.column("kappa")[0]));
  EXPECT_EQ(history.column("loss")[0], 1.0);
}

/// The steps of the rows that are kept of steps 0 … `last`, in two starts, the second from step `resumed` on.
std::vector<double> steps_kept(const std::string& path, const std::vector<std::string>& columns,
                               RunFile::Thinning thinning, Index last, Index resumed) {
  {
    RunFile run(MPI_COMM_WORLD, path, columns, {}, {});
    run.set_thinning(thinning);
    for (Index k = 0; k < resumed; k += thinning.steps_a_row)
      run.append({static_cast<double>(k), 0.1 * static_cast<double>(k), 0, 0});
  }
  MPI_Barrier(MPI_COMM_WORLD);  // rank 0 writes at the end
  RunFile run(MPI_COMM_WORLD, path, columns, {}, {}, RunFile::load(MPI_COMM_WORLD, path));
  run.set_thinning(thinning);
  for (Index k = resumed; k <= last; k += thinning.steps_a_row)
    run.append({static_cast<double>(k), 0.1 * static_cast<double>(k), 0, 0});
  run.flush();
  return RunFile::load(MPI_COMM_WORLD, path).column("step");
}

TEST_F(RunFileTest, ALongHistoryKeepsEverySecondRowAndTheLastAlsoWhereItIsResumed) {
  const Index most = RunFile::most_rows;
  for (const Index steps_a_row : {Index{1}, Index{5}}) {
    const Index last = (5 * most / 2 + 3) * steps_a_row;  // thinned twice: every fourth row stays
    std::vector<double> expected;
    for (Index k = 0; k <= last; k += 4 * steps_a_row) expected.push_back(static_cast<double>(k));
    expected.push_back(static_cast<double>(last));
    for (const Index resumed : {Index{0}, Index{7}, most, most + 1, 2 * most + 5})
      EXPECT_EQ(steps_kept(path_, columns_, {.steps_a_row = steps_a_row}, last, resumed * steps_a_row),
                expected)
          << resumed;
  }
}

TEST_F(RunFileTest, AGivenDistanceOfRowsIsKeptHoweverManyThereAre) {
  const Index last = 3 * RunFile::most_rows + 1;
  std::vector<double> expected;
  for (Index k = 0; k <= last; k += 2) expected.push_back(static_cast<double>(k));
  expected.push_back(static_cast<double>(last));
  for (const Index resumed : {Index{0}, Index{8}, Index{9}})
    EXPECT_EQ(steps_kept(path_, columns_, {.record_every = 2}, last, resumed), expected) << resumed;
}

TEST_F(RunFileTest, AttemptsStayAsTheyWereBesideTheNewOne) {
  const RunFile::Named first{{"ranks", Index{4}}, {"seconds", 0.1}, {"reason", "größer als 1\nund \"so\""}};
  {
    RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_, {}, first);
    run.note("seconds", 0.3);
    run.note("state", "killed");
    run.flush();
  }
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, {{"gamma", "0.9"}}, load(),
              {{"ranks", Index{2}}});
  const History history = load();
  if (world_rank() != 0) return;
  ASSERT_EQ(history.attempts.size(), 2U);
  const RunFile::Named expected{
      {"ranks", Index{4}}, {"reason", "größer als 1\nund \"so\""}, {"seconds", 0.3}, {"state", "killed"}};
  EXPECT_EQ(history.attempts[0], expected);  // read in the order of names
  EXPECT_EQ(history.attempts[1], (RunFile::Named{{"ranks", Index{2}}}));
  EXPECT_EQ(history.config, (RunFile::Config{{"gamma", "0.9"}}));
}

TEST_F(RunFileTest, OptionsAreStoredWithTheirTypesAndComeBackAsTexts) {
  const RunFile::Config config{{"audit", "true"}, {"data", "7"},  {"eq_snes_rtol", "1e-11"}, {"gamma", "1"},
                               {"name", "007"},   {"steps", "9"}, {"time", "inf"},           {"word", "x"}};
  const OptionKinds kinds{{"audit", OptionKind::flag},
                          {"data", OptionKind::text},
                          {"gamma", OptionKind::real},
                          {"steps", OptionKind::integer},
                          {"time", OptionKind::real}};
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config, {}, {}, kinds);
  run.flush();
  const H5File file = H5File::open(MPI_COMM_WORLD, path_);
  const std::map<std::string, H5Value> expected{
      {"audit", true},     {"data", std::string("7")},   {"eq_snes_rtol", 1e-11},   {"gamma", 1.0},
      {"steps", Index{9}}, {"name", std::string("007")}, {"word", std::string("x")}};
  for (const auto& [name, value] : expected) EXPECT_EQ(file.attribute("/config", name), value) << name;
  const History history = load();
  EXPECT_EQ(history.config, world_rank() == 0 ? config : RunFile::Config{});
}

TEST_F(RunFileTest, AFlushOnTheWayOutOfAnErrorThrowsNothing) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  on_root(MPI_COMM_WORLD, [&] { std::filesystem::create_directory(folder_ / ".run.h5.tmp"); });
  run.flush_if_possible();
  EXPECT_EQ(load().rows.size(), 0U);
}

TEST_F(RunFileTest, AFlushComesByItselfOnceTwoSecondsHavePassed) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  const double begin = MPI_Wtime();
  int rows = 0;
  int go_on = 1;
  while (go_on != 0) {
    run.append({1.0 * rows++, 0, 0, 0});
    go_on = MPI_Wtime() - begin < 2.3;
    MPI_Bcast(&go_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
  }
  EXPECT_GT(load().rows.size(), 0U);
  EXPECT_LE(load().rows.size(), static_cast<std::size_t>(rows));
}

TEST_F(RunFileTest, AFolderThatCannotBeWrittenIsAnErrorOnEveryRank) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / "plain") << "file"; });
  const std::string message = message_of(
      [&] { const RunFile run(MPI_COMM_WORLD, folder_ / "plain/run.h5", columns_, attributes_, config_); });
  EXPECT_NE(message.find("plain/.run.h5.tmp': Not a directory"), std::string::npos) << message;
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  on_root(MPI_COMM_WORLD, [&] { std::filesystem::create_directory(folder_ / ".run.h5.tmp"); });
  const std::string blocked = message_of([&] { run.flush(); });
  EXPECT_NE(blocked.find("Is a directory"), std::string::npos) << blocked;
  EXPECT_EQ(load().rows.size(), 0U);  // the old file stays
}

TEST_F(RunFileTest, ARowOfTheWrongLengthIsAnErrorOnEveryRank) {
  RunFile run(MPI_COMM_WORLD, path_, columns_, attributes_, config_);
  const std::string message = message_of([&] { run.append({1, 2}); });
  EXPECT_NE(message.find("needs 4 numbers, not 2"), std::string::npos) << message;
}

TEST_F(RunFileTest, OtherFilesAreNotTakenForRunFiles) {
  auto file = H5File::create(MPI_COMM_WORLD, path_);
  file.close();
  EXPECT_NE(message_of([&] { (void)load(); }).find("is not a run file"), std::string::npos);
  EXPECT_NE(message_of([&] { (void)RunFile::load(MPI_COMM_WORLD, folder_ / "x.h5"); }).find("does not exist"),
            std::string::npos);
}

}  // namespace
}  // namespace poise
