#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/audit/claims.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace audit {
namespace {

/// The columns of ∂L/∂A sum to 0, so every method whose steps are sums of gradients keeps the column sums
/// that A has at the start.
class ColumnSumsClaim final : public Claim {
 public:
  explicit ColumnSumsClaim(Subject& subject) : subject_(subject) {}

  void see(const RunPoint& point) override {
    if (!exception().empty() || point.kind == RunPoint::Kind::step) return;
    static const LogEvent event("AuditColumnSums");
    const auto scope = event.begin();
    // ∂L/∂A consists of products of ∇ℓ with W and U⁻¹, so it grows with W, which grows with the targets.
    const double open = 1.0 - subject_.contraction();
    const double readout = std::max(1.0, readout_norm(point.theta));
    const double size = readout * subject_.gradient_size(point.loss) / (open * open);
    steepest_ = std::max({steepest_, point.gradient_norm, size});
    if (point.kind == RunPoint::Kind::start) {
      sums_ = column_sums(point.theta);
      return;
    }
    const std::vector<double> sums = column_sums(point.theta);
    double drift = 0.0;
    for (std::size_t j = 0; j < sums.size(); ++j) {
      const double change = std::abs(sums[j] - sums_[j]);
      drift = std::isnan(change) || std::isnan(drift) ? std::nan("") : std::max(drift, change);
    }
    worst_.add(drift, tolerance(point), point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string id = "column_sums", claim = "column sums of A equal their start values";
    if (!exception().empty()) return table.add(does_not_apply(id, claim, "7.2", exception()));
    table.add(worst_.row(id, claim, "7.2"));
  }

 private:
  [[nodiscard]] std::string exception() const {
    const NetworkSettings& network = subject_.network();
    if (!network.has_equilibrium_model() || !network.is_pointwise() || network.weights != WeightKind::softmax)
      return "no softmax weights";
    return subject_.settings().dynamics->beyond_gradients();
  }

  /// Rounding per entry: ε |A_ij| for the step of A after every evaluation; and 8 ε times the gradient per
  /// unit of time, because the column sums of the gradient are small sums of large contributions. A column
  /// has m entries.
  [[nodiscard]] double tolerance(const RunPoint& point) const {
    const auto m = static_cast<double>(subject_.layout().width());
    const double steps = static_cast<double>(std::max(point.gradients, point.step)) + 1.0;
    return std::numeric_limits<double>::epsilon() * m *
           (steps * (1.0 + largest_) + 8.0 * point.t * steepest_);
  }

  /// Collective. ‖B‖_F.
  [[nodiscard]] double readout_norm(Vec theta) const {
    const ParameterLayout& layout = subject_.layout();
    double norm2 = 0.0;
    {
      const ReadArray values(theta);
      for (Index i = 0; i < layout.slice().size(); ++i)
        for (Index c = 0; c < layout.outputs(); ++c) {
          const double entry =
              values[static_cast<std::size_t>(i * layout.row_length() + layout.readout_offset() + c)];
          norm2 += entry * entry;
        }
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &norm2, 1, MPI_DOUBLE, MPI_SUM, layout.grid().world()));
    return std::sqrt(norm2);
  }

  /// Collective. The column sums of A, on all ranks. Keeps the largest entry of A at the start.
  std::vector<double> column_sums(Vec theta) {
    const ParameterLayout& layout = subject_.layout();
    const ParameterBlock& block = layout.block_of("A");
    std::vector<double> sums(static_cast<std::size_t>(block.columns), 0.0);
    double largest = 0.0;
    {
      const ReadArray values(theta);
      for (Index i = 0; i < layout.slice().size(); ++i)
        for (Index j = 0; j < block.columns; ++j) {
          const double entry = values[static_cast<std::size_t>(i * layout.row_length() + block.offset + j)];
          sums[static_cast<std::size_t>(j)] += entry;
          largest = std::max(largest, std::abs(entry));
        }
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(sums.size()), MPI_DOUBLE, MPI_SUM,
                            layout.grid().world()));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, layout.grid().world()));
    // The tolerance uses the entries at the start: a damaged checkpoint must not widen its own tolerance.
    if (largest_ == 0.0) largest_ = largest;
    return sums;
  }

  Subject& subject_;
  std::vector<double> sums_;
  double largest_ = 0.0, steepest_ = 0.0;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_column_sums_claim(Subject& subject) {
  return std::make_unique<ColumnSumsClaim>(subject);
}

}  // namespace audit
}  // namespace poise
