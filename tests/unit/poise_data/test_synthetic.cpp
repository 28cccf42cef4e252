#include <cmath>

#include "poise/io/hdf5.hpp"
#include "poise_data/poise_data.hpp"
#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

class SyntheticTest : public ImporterTest {
 protected:
  Dataset generated(const std::string& options) const {
    (void)run("synthetic", options + " -force true");
    return {MPI_COMM_WORLD, out_};
  }
  std::vector<double> teacher(Index outputs, Index inputs) const {
    std::vector<double> w(static_cast<std::size_t>(outputs * inputs));
    H5File::open(MPI_COMM_WORLD, out_).read_rows("/teacher", {0, outputs}, w);
    return w;
  }
};

double teacher_value(const std::vector<double>& w, const SampleBlock& block, Index sample, Index output) {
  double sum = 0.0;
  for (Index j = 0; j < block.inputs; ++j)
    sum += w[static_cast<std::size_t>(output * block.inputs + j)] *
           block.features[static_cast<std::size_t>(sample * block.inputs + j)];
  return sum;
}

TEST_F(SyntheticTest, WithoutNoiseTheTargetsAreThoseOfTheStoredTeacher) {
  const Dataset data = generated("-samples 40 -test_samples 5 -inputs 6 -outputs 3 -seed 2");
  const auto w = teacher(3, 6);
  for (const SampleBlock& block : {data.read_train({0, 40}), data.read_test({0, 5})})
    for (Index i = 0; i < block.count; ++i)
      for (Index k = 0; k < 3; ++k)
        EXPECT_NEAR(block.targets[static_cast<std::size_t>(i * 3 + k)], teacher_value(w, block, i, k), 1e-14);
}

TEST_F(SyntheticTest, ATeacherOfRankOneHasProportionalRows) {
  (void)generated("-samples 3 -inputs 6 -outputs 4 -teacher_rank 1");
  const auto w = teacher(4, 6);
  for (std::size_t k = 1; k < 4; ++k)
    for (std::size_t j = 1; j < 6; ++j) EXPECT_NEAR(w[k * 6 + j] * w[0], w[k * 6] * w[j], 1e-15);
}

TEST_F(SyntheticTest, EntriesOfATeacherHaveTheSameVarianceAtEveryRank) {
  for (const char* rank : {"0", "5", "50"}) {
    (void)generated(std::string("-samples 1 -inputs 200 -outputs 100 -seed 3 -teacher_rank ") + rank);
    double sum = 0.0;
    for (const double entry : teacher(100, 200)) sum += entry * entry;
    // 100 expected; the mean of r products of chi-square means has a relative deviation near 2/sqrt(100 r).
    EXPECT_NEAR(sum, 100.0, 4.0 * 100.0 * 2.0 / std::sqrt(100.0 * 5.0));
  }
}

TEST_F(SyntheticTest, ClassesAreTheLargestOutputOfTheTeacher) {
  const Dataset data = generated("-samples 40 -inputs 6 -outputs 3 -classes true");
  EXPECT_TRUE(data.info().classification);
  const auto w = teacher(3, 6);
  const SampleBlock block = data.read_train({0, 40});
  for (Index i = 0; i < block.count; ++i)
    for (Index k = 0; k < 3; ++k)
      EXPECT_LE(teacher_value(w, block, i, k),
                teacher_value(w, block, i, block.labels[static_cast<std::size_t>(i)]));
}

TEST_F(SyntheticTest, NumbersDoNotDependOnTheNumberOfRanks) {
  SyntheticProblem problem;
  problem.samples = 30000;  // several blocks per rank
  problem.test_samples = 3;
  problem.inputs = 50;
  problem.outputs = 2;
  problem.noise = 0.5;
  problem.seed = 7;
  DatasetInfo info;
  info.path = out_;
  (void)write_synthetic(MPI_COMM_WORLD, problem, info);
  info.path = folder_ / "alone.h5";
  on_root(MPI_COMM_WORLD, [&] { (void)write_synthetic(MPI_COMM_SELF, problem, info); });
  const Dataset together(MPI_COMM_WORLD, out_);
  const Dataset alone(MPI_COMM_WORLD, info.path);
  const Range own = block_range(problem.samples, world_size(), world_rank());
  EXPECT_EQ(together.read_train(own).features, alone.read_train(own).features);
  EXPECT_EQ(together.read_train(own).targets, alone.read_train(own).targets);
  EXPECT_EQ(together.read_test({0, 3}).targets, alone.read_test({0, 3}).targets);
}

TEST_F(SyntheticTest, FeaturesNoiseAndTeacherHaveTheirVariances) {
  const Index n = 4000;
  const Dataset data = generated("-samples 4000 -inputs 25 -outputs 4 -noise 0.5 -seed 1");
  const SampleBlock block = data.read_train({0, n});
  const auto w = teacher(4, 25);
  double features = 0.0;
  for (const double x : block.features) features += x * x;
  double noise = 0.0;
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < 4; ++k)
      noise +=
          std::pow(block.targets[static_cast<std::size_t>(i * 4 + k)] - teacher_value(w, block, i, k), 2);
  double weights = 0.0;
  for (const double x : w) weights += x * x;
  const auto five_errors = [](double count) { return 5 * std::sqrt(2 / count); };
  EXPECT_NEAR(features / (n * 25), 1, five_errors(n * 25));
  EXPECT_NEAR(noise / (n * 4), 0.25, 0.25 * five_errors(n * 4));
  EXPECT_NEAR(weights / 4, 1, five_errors(100));
}

TEST_F(SyntheticTest, WrongOptionsAreNamed) {
  const auto message = [&](const std::string& options) {
    return message_of([&] { (void)run("synthetic", options); });
  };
  EXPECT_NE(message("-samples 0").find("-samples"), std::string::npos);
  EXPECT_NE(message("-noise -1").find("-noise"), std::string::npos);
  EXPECT_NE(message("-classes true").find("at least two classes"), std::string::npos);
  EXPECT_NE(message("-sampels 3").find("nearest is -samples"), std::string::npos);
}

TEST_F(SyntheticTest, ShowStatesWhatTheFileHolds) {
  (void)imported("-csv " + put("t.csv", "1,5,0\n2,5,1\n4,5,1\n") + " -label_column 2 -license free");
  PetscOptionsClear(nullptr);
  const std::string text = run_poise_data(MPI_COMM_WORLD, {"show", out_}, false);
  for (const char* part :
       {"licence: free", "/features [3, 2] uint8", "min 1, max 5, mean 3.66667", "constant columns: 1 (1)",
        "2 classes", "class 0: 1, 33.3 %\n", "class 1: 2, 66.7 %\n"})
    if (world_rank() == 0) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
    }
}

}  // namespace
}  // namespace poise::data
