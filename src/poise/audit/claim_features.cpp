#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/audit/claims.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/io/dataset.hpp"

namespace poise {
namespace {

/// A feature map as a checkpoint stores it; the rows of this rank.
struct StoredMap {
  std::vector<double> mean, transform, offset;
};

/// Compares the stored feature map with a map fitted to the data again. Two whitenings of the same data may
/// differ by the signs of eigenvectors, and by rotations in the space of equal eigenvalues. So this compares
/// quantities that such changes leave alone: the mean, and products with seeded vectors of TᵀT, the inverse
/// of the covariance on the kept directions. Random maps are compared entry by entry. All later checkpoints
/// must have the map of the first checkpoint, bit by bit.
class FeaturesClaim final : public Claim {
 public:
  explicit FeaturesClaim(Subject& subject) : subject_(subject) {}

  void see(const RunPoint& point) override {
    if (point.checkpoint == nullptr) return;
    static const LogEvent event("AuditFeatures");
    const auto scope = event.begin();
    const StoredMap stored = read(*point.checkpoint);
    if (worst_.empty()) {
      first_ = stored;
      worst_.add(compare_with_data(stored), tolerance(), point.step, point.file);
      return;
    }
    double changed =
        stored.mean == first_.mean && stored.transform == first_.transform && stored.offset == first_.offset
            ? 0.0
            : 1.0;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPI_DOUBLE, MPI_MAX, subject_.grid().world()));
    if (changed > 0.0) worst_.add(compare_with_data(stored), 0.0, point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string id = "features", claim = "features fitted again to the data equal the stored ones";
    if (map().kind() == FeatureKind::identity)
      return table.add(does_not_apply(id, claim, "1", "identity features do not depend on the data"));
    Row row = worst_.row(id, claim, "1");
    if (row.state == RowState::not_held)
      row.note = worst_.points() > 1 && row.required == 0.0
                     ? "they differ from the features of the first checkpoint"
                     : "are the data different now (-data " + subject_.settings().data + ")?";
    table.add(row);
  }

 private:
  [[nodiscard]] const FeatureMap& map() const { return subject_.experiment().data().features(); }

  /// Mean and covariance are sums over samples; a whitening divides by eigenvalues down to
  /// -features_rank_cut.
  [[nodiscard]] double tolerance() const {
    const double rounding = 1e3 * std::numeric_limits<double>::epsilon();
    const bool whitens = map().kind() == FeatureKind::whiten;
    const double cut = std::max(subject_.settings().features.rank_cut, 1e-12);
    return whitens ? std::min(rounding / cut, 1e-3) : rounding;
  }

  [[nodiscard]] StoredMap read(const Checkpoint& checkpoint) const {
    const Range rows = map().rows();
    const Index d = map().inputs(), m = map().width();
    StoredMap stored;
    stored.mean = checkpoint.read_array("/features/mean", {d});
    if (map().kind() == FeatureKind::identity) return stored;
    stored.transform.resize(static_cast<std::size_t>(rows.size() * d));
    checkpoint.read_rows("/features/transform", m, d, rows, stored.transform.data(), d);
    if (map().kind() == FeatureKind::whiten) return stored;
    stored.offset.resize(static_cast<std::size_t>(rows.size()));
    checkpoint.read_rows("/features/offset", m, 1, rows, stored.offset.data(), 1);
    return stored;
  }

  /// Collective. The largest relative difference from a map fitted to the present data.
  double compare_with_data(const StoredMap& stored) {
    if (map().kind() == FeatureKind::identity) return 0.0;
    if (!fitted_) {
      const TrainSettings& settings = subject_.settings();
      FeatureOptions options = settings.features;
      options.standardise = map().standardised();
      const Dataset dataset(subject_.grid().world(), subject_.experiment().data().info().path);
      const SampleBlock block = dataset.read_train(subject_.grid().samples(subject_.problem().train.total));
      fitted_ = std::make_unique<FeatureMap>(subject_.grid(), options, map().inputs(), block.count,
                                             block.features.data());
    }
    if (fitted_->width() != map().width()) return std::numeric_limits<double>::infinity();
    double worst = difference(stored.mean, fitted_->mean());
    if (map().kind() == FeatureKind::whiten) {
      for (Index probe = 0; probe < 4; ++probe)
        worst = larger(worst, difference(normal_product(stored.transform, probe),
                                         normal_product(fitted_->transform(), probe)));
      return worst;
    }
    return larger(larger(worst, difference(stored.transform, fitted_->transform())),
                  difference(stored.offset, fitted_->offset()));
  }

  /// Collective on grid.feature(). TᵀTx of a seeded x, the same on all ranks.
  [[nodiscard]] std::vector<double> normal_product(const std::vector<double>& transform, Index probe) const {
    const Index d = map().inputs();
    const CounterRandom random(subject_.settings().seed, Stream::test_direction);
    std::vector<double> x(static_cast<std::size_t>(d)), sum(x.size(), 0.0);
    for (Index j = 0; j < d; ++j) x[j] = random.normal(j, probe);
    for (Index i = 0; i < map().rows().size(); ++i) {
      const double* row = transform.data() + i * d;
      double image = 0.0;
      for (Index j = 0; j < d; ++j) image += row[j] * x[j];
      for (Index j = 0; j < d; ++j) sum[j] += image * row[j];
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, sum.data(), static_cast<int>(d), MPI_DOUBLE, MPI_SUM,
                            subject_.grid().feature()));
    return sum;
  }

  /// Collective. The largest difference divided by the largest entry of `b`, over the entries of all ranks.
  [[nodiscard]] double difference(const std::vector<double>& a, const std::vector<double>& b) const {
    double both[2] = {0.0, 0.0};
    bool finite = true;
    for (std::size_t i = 0; i < a.size(); ++i) {
      both[0] = std::max(both[0], std::abs(a[i] - b[i]));
      both[1] = std::max(both[1], std::abs(b[i]));
      finite = finite && std::isfinite(a[i]);
    }
    if (!finite) both[0] = std::numeric_limits<double>::infinity();
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_DOUBLE, MPI_MAX, subject_.grid().world()));
    return both[1] > 0.0 ? both[0] / both[1] : both[0];
  }

  static double larger(double a, double b) { return std::max(a, b); }

  Subject& subject_;
  StoredMap first_;
  std::unique_ptr<FeatureMap> fitted_;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_features_claim(Subject& subject) {
  return std::make_unique<FeaturesClaim>(subject);
}

}  // namespace poise
