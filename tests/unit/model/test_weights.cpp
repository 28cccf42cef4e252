#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/model/weights.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::all_entries;
using testing_support::feature_rank_choices;

/// A small dense matrix, row-major; every rank computes the whole matrix.
struct Dense {
  explicit Dense(Index m) : size(m), entries(static_cast<std::size_t>(m * m), 0.0) {}
  double& operator()(Index i, Index j) { return entries[static_cast<std::size_t>(i * size + j)]; }
  double operator()(Index i, Index j) const { return entries[static_cast<std::size_t>(i * size + j)]; }
  Index size;
  std::vector<double> entries;
};

Dense gram(const Dense& a) {
  Dense out(a.size);
  for (Index i = 0; i < a.size; ++i)
    for (Index j = 0; j < a.size; ++j)
      for (Index k = 0; k < a.size; ++k) out(i, j) += a(k, i) * a(k, j);
  return out;
}

double spectral_norm(const Dense& a) {
  return std::sqrt(symmetric_eigen(a.size, gram(a).entries).values.front());
}

Dense dense_softmax(const Dense& a) {
  Dense s(a.size);
  for (Index j = 0; j < a.size; ++j) {
    double sum = 0.0;
    for (Index i = 0; i < a.size; ++i) sum += std::exp(a(i, j));
    for (Index i = 0; i < a.size; ++i) s(i, j) = std::exp(a(i, j)) / sum;
  }
  return s;
}

/// W by its definition from the first parameter (A or P) and the second (Q).
Dense dense_weights(WeightKind kind, double gamma, const Dense& a, const Dense& q) {
  Dense w = kind == WeightKind::softmax ? dense_softmax(a) : a;
  double scale = gamma;
  if (kind == WeightKind::spectral) scale /= std::max(1.0, spectral_norm(a));
  if (kind == WeightKind::monotone) {
    const Dense square = gram(a);
    for (Index i = 0; i < w.size; ++i)
      for (Index j = 0; j < w.size; ++j)
        w(i, j) = (i == j ? 1.0 - gamma : 0.0) - square(i, j) + q(i, j) - q(j, i);
    scale = 1.0;
  }
  for (double& entry : w.entries) entry *= scale;
  return w;
}

/// A kind, γ or μ, and the size of its parameters relative to their start; spectral norms on both sides of 1.
struct Case {
  const char* name;
  WeightKind kind;
  double gamma;
  double scale;
};

class WeightKinds : public testing::TestWithParam<Case> {
 protected:
  /// The weights on one grid, in a layout with a further block behind the blocks of the weights.
  struct Setup {
    Setup(const Case& c, int feature_ranks, Index m)
        : grid(MPI_COMM_WORLD, feature_ranks),
          layout(grid, m, 2, blocks(c.kind, m)),
          weights(make_weights(c.kind, layout, c.gamma)),
          theta(layout.create()),
          slice(static_cast<std::size_t>(layout.slice().size() * m)) {
      layout.initialise(theta.get(), 3, c.scale, 1.0);
      weights->evaluate(theta.get(), slice.data());
    }
    static std::vector<ParameterBlock> blocks(WeightKind kind, Index m) {
      std::vector<ParameterBlock> blocks = weight_blocks(kind, m);
      blocks.push_back({.name = "V", .columns = 3});
      return blocks;
    }
    /// A block of θ on every rank.
    [[nodiscard]] Dense parameter(const std::string& name) const {
      const std::vector<double> all = all_entries(theta.get());
      Dense out(layout.width());
      for (Index i = 0; i < out.size; ++i)
        for (Index j = 0; j < out.size; ++j)
          out(i, j) =
              all[static_cast<std::size_t>(i * layout.row_length() + layout.block_of(name).offset + j)];
      return out;
    }
    [[nodiscard]] Dense dense() const {
      const std::string first = layout.blocks().front().name;
      return dense_weights(GetParam().kind, GetParam().gamma, parameter(first),
                           first == "P" ? parameter("Q") : Dense(layout.width()));
    }
    /// W on every rank.
    [[nodiscard]] Dense gathered() const {
      const VecHandle vec = create_vec(grid.world(), static_cast<Index>(slice.size()));
      {
        WriteArray out(vec.get());
        std::copy(slice.begin(), slice.end(), out.data());
      }
      Dense out(layout.width());
      out.entries = all_entries(vec.get());
      return out;
    }
    ProcessGrid grid;
    ParameterLayout layout;
    std::unique_ptr<Weights> weights;
    VecHandle theta;
    std::vector<double> slice;
  };

  /// Runs the body on every grid, and on widths that leave ranks without rows.
  template <class Body>
  void on_every_grid(Body body) {
    for (const int feature_ranks : feature_rank_choices())
      for (const Index m : {1, 2, 3, 14}) {
        Setup setup(GetParam(), feature_ranks, m);
        body(setup);
      }
  }
};

TEST_P(WeightKinds, EqualTheirDefinitionOnEveryGrid) {
  on_every_grid([](Setup& setup) {
    const Dense expected = setup.dense();
    const Dense w = setup.gathered();
    for (std::size_t e = 0; e < w.entries.size(); ++e) EXPECT_NEAR(w.entries[e], expected.entries[e], 1e-13);
  });
}

TEST_P(WeightKinds, PullbackIsTheTransposedDerivative) {
  // <K, dW> = <pullback(K), dθ>, dW from central differences of order h².
  on_every_grid([](Setup& setup) {
    const ParameterLayout& layout = setup.layout;
    const Index m = layout.width();
    const CounterRandom random(6, Stream::test_direction);
    std::vector<double> k;
    for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
      for (Index j = 0; j < m; ++j)
        k.push_back(random.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j)));
    const VecHandle gradient = duplicate(setup.theta.get());
    const VecHandle direction = duplicate(setup.theta.get());
    const VecHandle moved = duplicate(setup.theta.get());
    check(VecSet(gradient.get(), 0.0));
    layout.initialise(direction.get(), 77, 1.0, 1.0);
    {
      WriteArray out(gradient.get());
      std::vector<double> overwritten(k);
      setup.weights->pullback(overwritten.data(), out.data());
    }
    double slope = 0.0;
    check(VecDot(gradient.get(), direction.get(), &slope));
    const double h = 1e-5;
    double difference = 0.0;
    for (const double sign : {1.0, -1.0}) {
      check(VecWAXPY(moved.get(), sign * h, direction.get(), setup.theta.get()));
      setup.weights->evaluate(moved.get(), setup.slice.data());
      for (std::size_t e = 0; e < k.size(); ++e) difference += sign * k[e] * setup.slice[e] / (2.0 * h);
    }
    MPI_Allreduce(MPI_IN_PLACE, &difference, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_NEAR(difference, slope, 1e-8 * (1.0 + std::abs(slope)));
  });
}

TEST_P(WeightKinds, PullbackWritesTheirOwnColumnsAlone) {
  on_every_grid([](Setup& setup) {
    const VecHandle gradient = duplicate(setup.theta.get());
    check(VecSet(gradient.get(), 7.0));
    WriteArray out(gradient.get());
    std::vector<double> k(setup.slice.size(), 0.0);
    setup.weights->pullback(k.data(), out.data());
    const Index own = setup.layout.block_of("V").offset;
    const Index length = setup.layout.row_length();
    for (Index i = 0; i < setup.layout.slice().size(); ++i)
      for (Index j = 0; j < length; ++j)
        EXPECT_EQ(out[static_cast<std::size_t>(i * length + j)], j < own ? 0.0 : 7.0);
  });
}

TEST_P(WeightKinds, CertificateHolds) {
  on_every_grid([](Setup& setup) {
    const Certificate certificate = setup.weights->certificate();
    const Dense w = setup.gathered();
    const double bound = certificate.contraction;
    if (certificate.norm == "1") {
      for (Index j = 0; j < w.size; ++j) {
        double sum = 0.0;
        for (Index i = 0; i < w.size; ++i) sum += std::abs(w(i, j));
        EXPECT_LE(sum, bound * (1.0 + 1e-14));
      }
    } else if (certificate.norm == "2") {
      EXPECT_LE(spectral_norm(w), bound * (1.0 + 1e-12));
    } else {
      ASSERT_EQ(certificate.norm, "monotone");
      Dense symmetric(w.size);
      for (Index i = 0; i < w.size; ++i)
        for (Index j = 0; j < w.size; ++j) symmetric(i, j) = (i == j ? 1.0 : 0.0) - 0.5 * (w(i, j) + w(j, i));
      EXPECT_GE(symmetric_eigen(w.size, symmetric.entries).values.back(), (1.0 - bound) * (1.0 - 1e-12));
    }
  });
}

TEST_P(WeightKinds, CertificateIsWellPosedUnlessTheWeightsAreFree) {
  on_every_grid([](Setup& setup) {
    const Certificate certificate = setup.weights->certificate();
    if (GetParam().kind == WeightKind::free) {
      EXPECT_NEAR(certificate.contraction, spectral_norm(setup.gathered()), 1e-12 * certificate.contraction);
      EXPECT_EQ(certificate.well_posed(), certificate.contraction < 1.0);
    } else {
      const double gamma = GetParam().gamma;
      EXPECT_EQ(certificate.contraction, GetParam().kind == WeightKind::monotone ? 1.0 - gamma : gamma);
      EXPECT_TRUE(certificate.well_posed());
    }
  });
}

TEST_P(WeightKinds, ContractionFactorsAndMarginsOutOfRangeAreBadInput) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 3, 1, weight_blocks(GetParam().kind, 3));
  for (const double gamma : {0.0, -0.5, 1.0 + 1e-12, std::nan("")}) {
    try {
      (void)make_weights(GetParam().kind, layout, gamma);
      ADD_FAILURE() << gamma;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
    }
  }
  EXPECT_NO_THROW((void)make_weights(GetParam().kind, layout, 1.0));
}

TEST_P(WeightKinds, NameIsParsedBack) {
  EXPECT_EQ(parse_weights(to_string(GetParam().kind)), GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WeightKinds,
                         testing::Values(Case{"softmax", WeightKind::softmax, 0.9, 1.5},
                                         Case{"spectral_below_one", WeightKind::spectral, 0.8, 0.2},
                                         Case{"spectral_above_one", WeightKind::spectral, 0.8, 5.0},
                                         Case{"free_small", WeightKind::free, 0.7, 0.3},
                                         Case{"free_large", WeightKind::free, 1.0, 4.0},
                                         Case{"monotone", WeightKind::monotone, 0.2, 1.0},
                                         Case{"monotone_large", WeightKind::monotone, 0.05, 3.0}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(WeightNames, AnUnknownOneIsBadInput) {
  try {
    (void)parse_weights("orthogonal");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
  }
}

}  // namespace
}  // namespace poise
