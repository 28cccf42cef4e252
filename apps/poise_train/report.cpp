#include "poise_train/report.hpp"

#include <slepcsys.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "poise/base/version.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
namespace {

std::string plural(Index count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : (word.ends_with("s") ? "es" : "s"));
}

std::string number(double value, const char* format) {
  if (!std::isfinite(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  const auto whole = std::lround(seconds);
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ldm%02lds", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%.1fs", seconds);
  }
  return text;
}

}  // namespace

const std::vector<std::string>& HistoryRow::columns() {
  static const std::vector<std::string> names{"step",
                                              "t",
                                              "loss",
                                              "loss_excess",
                                              "grad_norm",
                                              "train_accuracy",
                                              "test_loss",
                                              "test_accuracy",
                                              "lambda_min",
                                              "lambda_T",
                                              "lambda_floor",
                                              "kappa",
                                              "kappa_measured",
                                              "bound",
                                              "bound_integrated",
                                              "equilibrium_iterations",
                                              "adjoint_iterations",
                                              "wall_seconds"};
  return names;
}

std::vector<double> HistoryRow::values() const {
  return {step,
          t,
          loss,
          loss_excess,
          grad_norm,
          train_accuracy,
          test_loss,
          test_accuracy,
          lambda_min,
          lambda_T,
          lambda_floor,
          kappa,
          kappa_measured,
          bound,
          bound_integrated,
          equilibrium_iterations,
          adjoint_iterations,
          wall_seconds};
}

Report::Report(Experiment& experiment, const TrainSettings& settings, const std::string& run)
    : experiment_(experiment), settings_(settings), run_(run), speaks_(experiment.grid().rank() == 0) {}

void Report::header() const {
  if (!speaks_) return;
  const DatasetInfo& data = experiment_.data();
  const ProcessGrid& grid = experiment_.grid();
  const ParameterLayout& layout = experiment_.layout();
  const BlasInfo blas = blas_info();
  // The folder tells which BLAS a generic libblas.so.3 is.
  const auto slash = blas.file.rfind('/', blas.file.rfind('/') - 1);
  std::printf("poise-train %s (%s), PETSc %d.%d.%d, SLEPc %d.%d.%d\n", version().c_str(),
              git_commit().c_str(), PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR,
              SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR);
  std::printf("  data      %s: %s, %s, %s, %s\n", data.path.c_str(),
              plural(experiment_.problem().train.total, "training sample").c_str(),
              plural(data.test_samples, "test sample").c_str(), plural(data.inputs, "input").c_str(),
              plural(data.outputs, data.classification ? "class" : "target").c_str());
  const FeatureMap& features = experiment_.features();
  std::printf("  features  %s, m = %lld: %lld from %s%s\n", to_string(features.kind()).c_str(),
              static_cast<long long>(layout.width()), static_cast<long long>(features.transform_rows()),
              plural(data.inputs, "input").c_str(), features.constant() ? " and the constant" : "");
  std::printf("  model     %s, gamma = %s, q = %lld, %s parameters\n", settings_.model.c_str(),
              to_text(settings_.gamma).c_str(), static_cast<long long>(layout.outputs()),
              std::to_string(layout.width() * layout.row_length()).c_str());
  std::printf("  loss      %s, %s over the samples, %s objective\n", to_string(settings_.loss).c_str(),
              settings_.mean ? "mean" : "sum", settings_.objective.c_str());
  if (settings_.dynamics == "flow")
    std::printf("  dynamics  flow to t = %s\n", to_text(settings_.time).c_str());
  else
    std::printf("  dynamics  descent, step %s, to t = %s or step %lld\n",
                to_text(settings_.step_size).c_str(), to_text(settings_.time).c_str(),
                static_cast<long long>(settings_.steps));
  std::printf("  ranks     %d = %d over features x %d over samples; %s, %s a rank\n", grid.size(),
              grid.feature_ranks(), grid.sample_ranks(),
              blas.file.substr(slash == std::string::npos ? 0 : slash + 1).c_str(),
              plural(blas.threads, "BLAS thread").c_str());
  std::printf("  run       %s\n", run_.c_str());
  if (LiveAudit* audit = experiment_.audit()) {
    const LeastSquaresReference* reference = audit->reference();
    if (reference != nullptr)
      std::printf(
          "  audit     Theorem 1: kappa = %.6g, rank of the features %lld of %lld, L* = %.10g, floor of "
          "lambda_min %.3g\n",
          reference->kappa(), static_cast<long long>(reference->rank()),
          static_cast<long long>(layout.width()), reference->optimal_loss(), audit->constants().lambda_floor);
    else
      std::printf(
          "  audit     Theorem 1 with the measured kappa (no global one for this loss), L - 0 for L - L*, "
          "floor of lambda_min %.3g\n",
          audit->constants().lambda_floor);
  }
  std::printf("\n%8s %10s %12s %11s %11s %10s %8s %8s %8s\n", "step", "t", "loss", "excess", "bound",
              "lambda_min", "train", "test", "left");
  std::fflush(stdout);
}

double Report::progress(const HistoryRow& row) const {
  const double by_time = settings_.time > 0.0 ? row.t / settings_.time : 1.0;
  const double by_steps = settings_.steps > 0 ? row.step / static_cast<double>(settings_.steps) : 1.0;
  return std::max(by_time, by_steps);
}

void Report::row(const HistoryRow& row, bool last) {
  if (!speaks_) return;
  const double now = progress(row);
  if (start_progress_ < 0.0) {
    start_progress_ = now;
    start_time_ = row.wall_seconds;
  } else {
    const bool printed_already = last && row.step == last_step_;
    const bool soon = !last && now < last_progress_ + 0.05 && row.wall_seconds < last_time_ + 5.0;
    if (printed_already || soon) return;
  }
  last_progress_ = now;
  last_step_ = row.step;
  last_time_ = row.wall_seconds;
  const double done = now - start_progress_;
  const double left =
      done > 0.0 ? (row.wall_seconds - start_time_) / done * std::max(0.0, 1.0 - now) : std::nan("");
  // Without a global κ the bound with the integrated rate is the sharp one.
  const double bound = std::isfinite(row.kappa) ? row.bound : row.bound_integrated;
  const bool accuracy = experiment_.has_accuracy();
  const std::string train = accuracy ? number(100.0 * row.train_accuracy, "%.2f%%") : "-";
  const std::string test =
      accuracy ? number(100.0 * row.test_accuracy, "%.2f%%") : number(row.test_loss, "%.4g");
  std::printf("%8.0f %10.5g %12.6g %11s %11s %10s %8s %8s %8s\n", row.step, row.t, row.loss,
              number(row.loss_excess, "%.4g").c_str(), number(bound, "%.4g").c_str(),
              number(row.lambda_min, "%.5f").c_str(), train.c_str(), test.c_str(), duration(left).c_str());
  std::fflush(stdout);
}

void Report::summary(const HistoryRow& first, const HistoryRow& last, StopReason reason,
                     double seconds) const {
  if (!speaks_) return;
  const char* why = reason == StopReason::reached_time    ? "reached the end time"
                    : reason == StopReason::reached_steps ? "reached the last step"
                                                          : "stopped early";
  std::printf("\n%s: t = %.6g after %s and %s, %s\n", why, last.t,
              plural(static_cast<Index>(last.step), "step").c_str(),
              plural(experiment_.state().gradients, "gradient").c_str(), duration(seconds).c_str());
  std::printf("loss %.6g -> %.6g", first.loss, last.loss);
  if (std::isfinite(last.loss_excess))
    std::printf(", excess %.4g -> %.4g", first.loss_excess, last.loss_excess);
  if (experiment_.has_accuracy() && std::isfinite(last.test_accuracy))
    std::printf(", accuracy %.2f%% (train) %.2f%% (test)", 100.0 * last.train_accuracy,
                100.0 * last.test_accuracy);
  std::printf("\n");
  if (LiveAudit* audit = experiment_.audit()) {
    std::printf("verdict: %s\n", audit->rates().verdict().c_str());
    if (!audit->rates().held() && settings_.dynamics == "descent")
      std::printf(
          "The theorem is about gradient flow, and descent follows it only with small steps: try -step_size "
          "%s, or -dynamics flow.\n",
          to_text(settings_.step_size / 4.0).c_str());
  }
  std::printf("run directory: %s\n", run_.c_str());
  std::fflush(stdout);
}

}  // namespace poise
