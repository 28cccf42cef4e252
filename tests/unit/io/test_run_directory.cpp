#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>

#include "poise/io/run_directory.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

using Start = RunDirectory::Start;

class RunDirectoryTest : public testing::Test {
 protected:
  void put(const std::string& name) const {
    on_root(MPI_COMM_WORLD, [&] { std::ofstream(path_ + "/" + name) << name; });
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::stringstream content;
    content << std::ifstream(path_ + "/" + name).rdbuf();
    MPI_Barrier(MPI_COMM_WORLD);  // no rank changes it before all ranks have read it
    return content.str();
  }
  [[nodiscard]] std::string start(Start how = Start::anew) const {
    return message_of([&] { RunDirectory(MPI_COMM_WORLD, path_, how); });
  }
  [[nodiscard]] std::string study(Start how = Start::anew) const {
    return message_of([&] { (void)make_study_directory(MPI_COMM_WORLD, path_, how); });
  }
  static void expect_words(const std::string& message, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "a/b";
  const std::string nothing_ = "nothing was thrown";
};

TEST_F(RunDirectoryTest, ARunWithACheckpointIsNotOverwritten) {
  EXPECT_EQ(start(), nothing_);
  EXPECT_EQ(start(), nothing_);  // nothing has been written
  put("checkpoints/step-00000010.h5");
  put("run.h5");
  expect_words(start(), {"already holds a run", "-resume"});
  EXPECT_EQ(text("run.h5"), "run.h5");
  EXPECT_EQ(start(Start::resume), nothing_);
}

TEST_F(RunDirectoryTest, AStartThatLeftNoCheckpointBlocksNoOther) {
  EXPECT_EQ(start(), nothing_);
  put("run.h5");
  put("checkpoints/.step-00000000.h5.tmp");
  EXPECT_EQ(start(), nothing_);
  EXPECT_EQ(text("run.h5"), "");
  EXPECT_EQ(text("run.h5.old"), "run.h5");
}

TEST_F(RunDirectoryTest, NoHistoryIsEverWrittenOver) {
  EXPECT_EQ(start(), nothing_);
  for (const char* old : {"run.h5.old", "run.h5.old2", "run.h5.old3"}) {
    put("run.h5");
    EXPECT_EQ(start(), nothing_);
    EXPECT_EQ(text(old), "run.h5");
  }
  put("run.h5");
  put("DONE");  // its checkpoints were removed
  expect_words(start(), {"already holds a run that is done"});
  EXPECT_EQ(text("run.h5"), "run.h5");
}

TEST_F(RunDirectoryTest, ANameThatMpiMisreadsIsRefusedBeforeAnythingIsMade) {
  try {
    const RunDirectory directory(MPI_COMM_WORLD, path_ + "/at-12:30", Start::anew);
    ADD_FAILURE() << nothing_;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    EXPECT_NE(std::string(error.what()).find("at-12:30"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + "/at-12:30"));
}

TEST_F(RunDirectoryTest, RunsAndStudiesDoNotShareAFolder) {
  EXPECT_EQ(study(), nothing_);
  for (const char* name : {"compare.h5", "sweep.h5", "members"}) {
    put(name);
    expect_words(start(), {"already holds a study", name});
    expect_words(study(), {"already holds a study", name, "-resume"});
    EXPECT_EQ(study(Start::resume), nothing_);
    MPI_Barrier(MPI_COMM_WORLD);
    on_root(MPI_COMM_WORLD, [&] { std::filesystem::remove(path_ + "/" + name); });
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + "/checkpoints"));
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(start(), nothing_);
  expect_words(study(), {"already holds a run", "checkpoints"});
}

TEST_F(RunDirectoryTest, OneProgramAtATimeWritesThere) {
  setenv("SLURM_JOB_ID", "4711", 1);
  const std::string pid = broadcast(MPI_COMM_WORLD, std::to_string(getpid()));
  {
    const RunDirectory directory(MPI_COMM_WORLD, path_, Start::anew);
    for (const Start how : {Start::anew, Start::resume})
      expect_words(start(how), {"in use by process", pid.c_str(), "on host", "(SLURM job 4711)"});
    expect_words(study(), {"in use by process"});
    EXPECT_NE(text(".lock"), "");
    MPI_Barrier(MPI_COMM_WORLD);
  }
  MPI_Barrier(MPI_COMM_WORLD);  // rank 0 releases the lock
  EXPECT_EQ(text(".lock"), "");
  EXPECT_EQ(start(), nothing_);
  unsetenv("SLURM_JOB_ID");
}

TEST_F(RunDirectoryTest, TheLockFileOfAKilledProgramBlocksNoOtherProgram) {
  EXPECT_EQ(start(), nothing_);
  put(".lock");
  EXPECT_EQ(start(), nothing_);
}

TEST_F(RunDirectoryTest, OptionsAreReplaced) {
  const RunDirectory directory(MPI_COMM_WORLD, path_, Start::anew);
  directory.write_options("-gamma 0.8\n");
  directory.write_options("-gamma 0.9\n");
  EXPECT_EQ(text("options.txt"), "-gamma 0.9\n");
}

TEST_F(RunDirectoryTest, TheMarkOfARunThatIsDoneCanBeSetAndTakenBack) {
  const RunDirectory directory(MPI_COMM_WORLD, path_, Start::anew);
  EXPECT_NO_THROW(directory.clear_done());  // there is no DONE
  directory.mark_done("step 3\n");
  EXPECT_TRUE(std::filesystem::exists(directory.done_file()));
  MPI_Barrier(MPI_COMM_WORLD);  // no rank removes it before the other ranks have read it
  directory.clear_done();
  EXPECT_FALSE(std::filesystem::exists(directory.done_file()));
}

TEST_F(RunDirectoryTest, APlaceThatCannotHoldAFolderIsAnErrorOnEveryRank) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / "plain") << "file"; });
  const std::string message =
      message_of([&] { RunDirectory(MPI_COMM_WORLD, folder_ / "plain/run", Start::anew); });
  EXPECT_NE(message.find("cannot create directory"), std::string::npos) << message;
  EXPECT_NE(message.find("Not a directory"), std::string::npos) << message;
}

}  // namespace
}  // namespace poise
