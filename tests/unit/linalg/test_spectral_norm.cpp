#include <gtest/gtest.h>

#include <petscsys.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "poise/base/error.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/spectral_norm.hpp"

namespace poise {
namespace {

using Entry = std::function<double(Index, Index)>;

/// A matrix over all ranks.
struct Distributed {
  explicit Distributed(Index m) : grid(MPI_COMM_WORLD), matrix(grid.world(), grid.world_offsets(m)) {}
  void set(const Entry& entry) {
    for (Index i = 0; i < matrix.local_rows(); ++i)
      for (Index j = 0; j < matrix.width(); ++j)
        matrix.rows()[i * matrix.width() + j] = entry(matrix.row_begin() + i, j);
  }
  ProcessGrid grid;
  RowBlockMatrix matrix;
};

double random_entry(Index i, Index j) {
  return CounterRandom(4, Stream::weights_a)
      .normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j));
}

/// H diag(values) G with the reflections H = I − 2hhᵀ, G = I − 2ggᵀ: the values are its singular values.
struct KnownSpectrum {
  explicit KnownSpectrum(std::vector<double> singular_values)
      : values(std::move(singular_values)), h(unit(1)), g(unit(2)) {}
  [[nodiscard]] std::vector<double> unit(std::uint64_t seed) const {
    std::vector<double> x;
    double square = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      x.push_back(CounterRandom(seed, Stream::test_direction).normal(i));
      square += x.back() * x.back();
    }
    for (double& entry : x) entry /= std::sqrt(square);
    return x;
  }
  double operator()(Index i, Index j) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k)
      sum += reflection(h, static_cast<std::size_t>(i), k) * values[k] *
             reflection(g, k, static_cast<std::size_t>(j));
    return sum;
  }
  static double reflection(const std::vector<double>& x, std::size_t i, std::size_t j) {
    return (i == j ? 1.0 : 0.0) - 2.0 * x[i] * x[j];
  }
  std::vector<double> values, h, g;
};

double error_of_triplet(const Distributed& d, const SpectralNorm& norm, double value) {
  std::vector<double> mv(norm.left().size()), mtu(norm.left().size());
  d.matrix.multiply(1, norm.right().data(), mv.data());
  d.matrix.multiply_transpose(1, norm.left().data(), mtu.data());
  double sum = 0.0;
  for (std::size_t i = 0; i < mv.size(); ++i)
    sum += std::pow(mv[i] - value * norm.left()[i], 2) + std::pow(mtu[i] - value * norm.right()[i], 2);
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return std::sqrt(sum);
}

class SpectralNorms : public testing::TestWithParam<Index> {};

TEST_P(SpectralNorms, AreThoseOfAKnownSpectrumWithTheirSingularVectors) {
  const Index m = GetParam();
  std::vector<double> values;
  for (Index k = 0; k < m; ++k) values.push_back(1.7 - static_cast<double>(k) / static_cast<double>(m));
  Distributed d(m);
  d.set(KnownSpectrum(values));
  SpectralNorm norm(d.matrix);
  const double value = norm.compute();
  EXPECT_NEAR(value, 1.7, 1e-13);
  EXPECT_LE(error_of_triplet(d, norm, value), 1e-11);
}

TEST_P(SpectralNorms, DoNotDependOnTheStart) {
  const Index m = GetParam();
  Distributed d(m);
  d.set(random_entry);
  SpectralNorm warm(d.matrix);
  d.set([](Index i, Index j) { return random_entry(j, i + 100); });
  (void)warm.compute();
  d.set(random_entry);
  SpectralNorm cold(d.matrix);
  const double value = cold.compute();
  EXPECT_NEAR(warm.compute(), value, 1e-13 * value);
}

TEST_P(SpectralNorms, AreZeroForTheZeroMatrixAndComeBackFromIt) {
  const Index m = GetParam();
  Distributed d(m);
  d.set([](Index, Index) { return 0.0; });
  SpectralNorm norm(d.matrix);
  EXPECT_EQ(norm.compute(), 0.0);
  d.set([](Index i, Index j) { return i == j ? 3.0 : 0.0; });
  EXPECT_NEAR(norm.compute(), 3.0, 1e-13);
}

TEST_P(SpectralNorms, OfTinyAndHugeMatricesAreAsAccurate) {
  Distributed d(GetParam());
  double reference = 0.0;
  for (const double scale : {1.0, 1e-100, 1e100}) {
    d.set([&](Index i, Index j) { return scale * random_entry(i, j); });
    SpectralNorm norm(d.matrix);
    const double value = norm.compute() / scale;
    if (reference == 0.0) reference = value;
    EXPECT_NEAR(value, reference, 1e-13 * reference);
  }
}

// Widths 1, 2 and 3 leave ranks without rows; 60 is more than the size of a basis.
INSTANTIATE_TEST_SUITE_P(Widths, SpectralNorms, testing::Values(1, 2, 3, 14, 60));

TEST(SpectralNormOvertaken, AnotherSingularValueIsFoundFromAnExactSingularVector) {
  // The start is the exact singular vector of 2, but a different singular value is a little larger now.
  const Index m = 60;
  Distributed d(m);
  const auto spectrum = [](double second) {
    return [second](Index i, Index j) {
      if (i != j) return 0.0;
      return i == 0 ? 2.0 : (i == 1 ? second : 1.9 - 0.01 * static_cast<double>(i));
    };
  };
  d.set(spectrum(1.5));
  SpectralNorm norm(d.matrix);
  EXPECT_NEAR(norm.compute(), 2.0, 1e-13);
  d.set(spectrum(2.0002));
  EXPECT_NEAR(norm.compute(), 2.0002, 1e-13);
}

TEST(SpectralNormValue, MatricesOfLowRankHaveTheirNormToo) {
  // Such matrices made SLEPc's bidiagonalisations return values above the Frobenius norm.
  for (const Index m : {6, 13, 20}) {
    for (Index rank = 1; rank < m; rank += 2) {
      std::vector<double> values(static_cast<std::size_t>(m), 0.0);
      for (Index r = 0; r < rank; ++r)
        values[static_cast<std::size_t>(r)] = 3.0 / (1.0 + 0.3 * static_cast<double>(r));
      Distributed d(m);
      d.set(KnownSpectrum(values));
      EXPECT_NEAR(SpectralNorm(d.matrix).compute(), 3.0, 1e-13) << m << " " << rank;
      // Rows of zeros; the other rows have the norm: the norm of a single row is its length.
      d.set([&](Index i, Index j) { return i < rank ? random_entry(i, j) : 0.0; });
      double square = 0.0, largest = 0.0;
      for (Index i = 0; i < rank; ++i) {
        double row = 0.0;
        for (Index j = 0; j < m; ++j) row += random_entry(i, j) * random_entry(i, j);
        square += row;
        largest = std::max(largest, row);
      }
      const double norm = SpectralNorm(d.matrix).compute();
      EXPECT_LE(norm, std::sqrt(square) * (1.0 + 1e-14));
      EXPECT_GE(norm, std::sqrt(largest) * (1.0 - 1e-14));
    }
  }
}

void expect_failure(SpectralNorm& norm, const std::string& part) {
  try {
    (void)norm.compute();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_NE(std::string(error.what()).find("svd_"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(SpectralNormFailure, TooFewRestartsAreAnErrorWithSolverAndReason) {
  PetscOptionsInsertString(nullptr, "-svd_eps_max_it 1 -svd_eps_ncv 3");
  Distributed d(60);
  d.set(random_entry);
  SpectralNorm norm(d.matrix);
  PetscOptionsClearValue(nullptr, "-svd_eps_max_it");
  PetscOptionsClearValue(nullptr, "-svd_eps_ncv");
  expect_failure(norm, "DIVERGED_ITS");
}

TEST(SpectralNormFailure, ANotANumberIsAnErrorOnEveryRank) {
  Distributed d(7);
  d.set([](Index i, Index j) { return i == 2 && j == 3 ? std::nan("") : random_entry(i, j); });
  SpectralNorm norm(d.matrix);
  expect_failure(norm, "NaN");
}

}  // namespace
}  // namespace poise
