#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "poise/audit/claims.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/io/dataset.hpp"

namespace poise {
inline namespace audit {
namespace {

/// A feature map as a checkpoint stores it; the rows of this rank.
struct StoredMap {
  std::vector<double> mean;
  std::vector<std::vector<double>> blocks;
  bool operator==(const StoredMap&) const = default;
};

/// Compares the stored feature map with a map fitted to the data again. Two whitenings of the same data may
/// differ by the signs of eigenvectors, and by rotations in the space of equal eigenvalues. So this compares
/// quantities that such changes leave alone: the mean, and products with seeded vectors of TᵀT, the inverse
/// of the covariance on the kept directions. All other maps are compared entry by entry. All later
/// checkpoints must have the map of the first checkpoint, bit by bit.
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
    double changed = stored == first_ ? 0.0 : 1.0;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPI_DOUBLE, MPI_MAX, subject_.grid().world()));
    if (changed > 0.0) worst_.add(compare_with_data(stored), 0.0, point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string id = "features", claim = "features fitted again to the data equal the stored ones";
    if (!map().depends_on_data())
      return table.add(does_not_apply(id, claim, "1", map().name() + " features do not depend on the data"));
    const std::string& other_run = subject_.settings().start_from;
    if (!other_run.empty())
      return table.add(does_not_apply(id, claim, "1", "they were fitted to the data of " + other_run));
    Row row = worst_.row(id, claim, "1");
    if (row.state == RowState::not_held)
      row.note = worst_.points() > 1 && row.required == 0.0
                     ? "they differ from the features of the first checkpoint"
                     : "are the data different now (-data " + subject_.settings().data + ")?";
    table.add(row);
  }

 private:
  [[nodiscard]] const Features& features() const { return subject_.experiment().data().features(); }
  [[nodiscard]] const FeatureMap& map() const { return features().map(); }

  /// Mean and covariance are sums over samples; a whitening divides by eigenvalues down to
  /// -features_rank_cut.
  [[nodiscard]] double tolerance() const {
    const double rounding = 1e3 * std::numeric_limits<double>::epsilon();
    const std::optional<double> cut = map().rotation_cut();
    return cut ? std::min(rounding / std::max(*cut, 1e-12), 1e-3) : rounding;
  }

  [[nodiscard]] StoredMap read(const Checkpoint& checkpoint) const {
    const Range rows = features().rows();
    StoredMap stored;
    stored.mean = checkpoint.read_array("/features/mean", {features().inputs()});
    for (const FeatureBlock& block : map().blocks(features().inputs())) {
      std::vector<double> values(static_cast<std::size_t>(rows.size() * block.columns));
      checkpoint.read_rows("/features/" + block.name, features().width(), block.columns, rows, values.data(),
                           block.columns);
      stored.blocks.push_back(std::move(values));
    }
    return stored;
  }

  /// Collective. The largest relative difference from a map fitted to the present data.
  double compare_with_data(const StoredMap& stored) {
    if (!map().depends_on_data() || !subject_.settings().start_from.empty()) return 0.0;
    if (!fitted_) {
      const SampleBlock block = subject_.experiment().data().read_fitted();
      fitted_.emplace(subject_.settings().features.fit(subject_.grid(), features().inputs(), block.count,
                                                       block.features.data(),
                                                       features().numbers().standardised));
    }
    if (fitted_->width() != features().width()) return std::numeric_limits<double>::infinity();
    double worst = difference(stored.mean, fitted_->mean());
    if (map().rotation_cut()) {
      for (Index probe = 0; probe < 4; ++probe)
        worst = larger(worst, difference(normal_product(stored.blocks.front(), probe),
                                         normal_product(fitted_->numbers().blocks.front(), probe)));
      return worst;
    }
    for (std::size_t k = 0; k < stored.blocks.size(); ++k)
      worst = larger(worst, difference(stored.blocks[k], fitted_->numbers().blocks[k]));
    return worst;
  }

  /// Collective on grid.feature(). TᵀTx of a seeded x, the same on all ranks.
  [[nodiscard]] std::vector<double> normal_product(const std::vector<double>& transform, Index probe) const {
    const Index d = features().inputs();
    const CounterRandom random(subject_.settings().seed, Stream::test_direction);
    std::vector<double> x(static_cast<std::size_t>(d)), sum(x.size(), 0.0);
    for (Index j = 0; j < d; ++j) x[j] = random.normal(j, probe);
    for (Index i = 0; i < features().rows().size(); ++i) {
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
  std::optional<Features> fitted_;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_features_claim(Subject& subject) {
  return std::make_unique<FeaturesClaim>(subject);
}

}  // namespace audit
}  // namespace poise
