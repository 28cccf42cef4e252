// main of every test binary: real MPI ranks; failures of every rank reach rank 0; one exit code for all.
#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/petsc/session.hpp"

namespace {

/// Collects what failed on this rank; at the end of each test rank 0 prints the failures of all ranks.
class RankReporter : public testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    failures_ += std::string(result.file_name() != nullptr ? result.file_name() : "unknown") + ":" +
                 std::to_string(result.line_number()) + ": " + result.message() + "\n";
  }
  void OnTestEnd(const testing::TestInfo& info) override {
    int rank = 0;
    int size = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int r = 0; r < size; ++r) {
      const std::string text = poise::broadcast(MPI_COMM_WORLD, failures_, r);
      if (rank == 0 && !text.empty())
        std::printf("[rank %d/%d] %s.%s\n%s", r, size, info.test_suite_name(), info.name(), text.c_str());
    }
    std::fflush(stdout);
    failures_.clear();
  }

 private:
  std::string failures_;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int code = 0;
  {
    const poise::Session session(1, argv);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (rank != 0) delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new RankReporter);
    code = RUN_ALL_TESTS();
    if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) code = 1;
    MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  }
  return code;
}
