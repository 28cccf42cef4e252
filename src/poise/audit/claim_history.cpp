#include <algorithm>
#include <cmath>
#include <filesystem>

#include "poise/audit/claims.hpp"
#include "poise/audit/run_checkpoints.hpp"
#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/io/run_file.hpp"

namespace poise {
inline namespace audit {
namespace {

/// People read the history in run.h5, but no checkpoint depends on it. At every step that both have, the
/// history's time, losses and gradient norm must equal the values at the checkpoint.
class HistoryClaim final : public Claim {
 public:
  HistoryClaim(Subject& subject, const std::string& run) : subject_(subject) {
    const std::string path = run + "/run.h5";
    const MPI_Comm comm = subject.grid().world();
    int exists = 0;
    on_root(comm, [&] { exists = std::filesystem::exists(path) ? 1 : 0; });
    check_mpi(MPI_Bcast(&exists, 1, MPI_INT, 0, comm));
    if (exists == 0) {
      missing_ = "there is no " + path;
      return;
    }
    try {
      history_ = RunFile::load(comm, path);
      steps_ = history_.column("step");
      times_ = history_.column("t");
      losses_ = history_.column("loss");
      norms_ = history_.column("grad_norm");
      if (subject.problem().validation.total > 0) validation_ = history_.column("validation_loss");
    } catch (const Error& error) {
      damage_ = first_line(error.what());
    }
  }

  void see(const RunPoint& point) override {
    if (point.kind != RunPoint::Kind::checkpoint || !damage_.empty()) return;
    const auto row = std::find(steps_.begin(), steps_.end(), static_cast<double>(point.step));
    if (row == steps_.end()) return;
    const auto k = static_cast<std::size_t>(row - steps_.begin());
    compare(times_[k], point.t, 1e-14, point);
    compare_validation(k, point);
    // The history is about the samples of a batch, or the network with the dropout of the steps.
    if (subject_.settings().batch > 0 || subject_.settings().network.has_dropout()) return;
    compare(losses_[k], subject_.problem().loss_unit * point.loss, tolerance(point), point);
    compare(norms_[k], point.gradient_norm, tolerance(point), point);
  }

  void judge(VerdictTable& table) override {
    const std::string id = "history", claim = "history in run.h5 equals the checkpoints";
    if (!missing_.empty()) return table.add(does_not_apply(id, claim, "", missing_));
    Row row = worst_.row(id, claim, "", "no checkpoint is at a step of the history");
    if (!damage_.empty()) {
      row.state = RowState::not_held;
      row.note = damage_;
    }
    if (row.state == RowState::not_held && damage_.empty())
      row.note = "t, loss, validation_loss or grad_norm of that step, relative difference";
    table.add(row);
  }

 private:
  void compare_validation(std::size_t row, const RunPoint& point) {
    if (validation_.empty()) return;
    const Problem& problem = subject_.problem();
    const Score score = subject_.experiment().objective().score(point.theta, problem.validation);
    compare(validation_[row], problem.loss_unit * score.loss, tolerance(point), point);
  }

  void compare(double stored, double measured, double allowed, const RunPoint& point) {
    const double distance = std::abs(stored - measured);  // NaN fails
    const double size = std::max(std::abs(stored), std::abs(measured));
    worst_.add(distance == 0.0 ? 0.0 : distance / size, allowed, point.step, point.file);
  }

  /// Loss and gradient are accurate to the tolerance of the solves. The gradient is a sum in which
  /// contributions of the samples cancel, which magnifies its relative error.
  [[nodiscard]] double tolerance(const RunPoint& point) const {
    const double size = subject_.gradient_size(point.loss);
    const double cancelled = point.gradient_norm > 0.0 ? std::max(1.0, size / point.gradient_norm) : 1.0;
    const double noise = point.loss > 0.0 ? subject_.loss_noise(point.loss) / point.loss : 0.0;
    return std::min(1e-2, 10.0 * (subject_.gradient_accuracy() * cancelled + noise));
  }

  Subject& subject_;
  History history_;
  std::vector<double> steps_, times_, losses_, norms_, validation_;
  std::string missing_, damage_;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_history_claim(Subject& subject, const std::string& run) {
  return std::make_unique<HistoryClaim>(subject, run);
}

}  // namespace audit
}  // namespace poise
