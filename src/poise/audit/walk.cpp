#include "poise/audit/walk.hpp"

#include <cmath>

#include "poise/audit/claims.hpp"
#include "poise/base/check.hpp"

namespace poise {
inline namespace audit {
namespace {

/// In the order of the table.
std::vector<std::unique_ptr<Claim>> make_claims(Subject& subject, const std::string& run) {
  std::vector<std::unique_ptr<Claim>> claims;
  for (auto make : {make_features_claim, make_column_sums_claim, make_gradient_claim,
                    make_equilibrium_gradient_claim, make_dynamics_matrix_claim, make_optimum_claim,
                    make_rates_claim, make_step_limit_claim, make_gram_claim, make_newton_claim})
    claims.push_back(make(subject));
  claims.push_back(subject.network().is_graph() ? make_graph_claim(subject)
                                                : make_equilibrium_claim(subject));
  claims.push_back(make_history_claim(subject, run));
  return claims;
}

}  // namespace

Walk::Walk(Subject& subject, RunCheckpoints& files, const std::string& run, Index replay_steps)
    : subject_(subject),
      files_(files),
      replay_(subject, files, replay_steps),
      gradient_(subject.layout().create()) {
  for (auto& claim : make_claims(subject, run)) claims_.push_back({.claim = std::move(claim)});
}

void Walk::Watched::see(const RunPoint& point) {
  try {
    claim->see(point);
  } catch (const Error& failed) {
    if (!failed.collective()) throw;
    if (!error.empty()) return;
    error = first_line(failed.what());
    step = point.step;
    file = point.file;
  }
}

void Walk::Watched::judge(VerdictTable& table) const {
  const std::size_t first = table.rows().size();
  claim->judge(table);
  const auto fail = [this](Row& row) {
    row.state = RowState::not_held;
    row.measured = std::nan("");
    row.step = step;
    row.file = file;
    row.note = error;
  };
  for (std::size_t k = first; k < table.rows().size(); ++k) {
    Row& row = table.rows()[k];
    const bool unmeasured = row.state == RowState::does_not_apply && row.note.empty();
    const bool judged = row.state == RowState::held || row.state == RowState::observed;
    if (error.empty()) {
      if (unmeasured) row.note = "there was nothing to measure";
    } else if (unmeasured || judged) {
      fail(row);
    }
  }
}

void Walk::go() {
  begin();
  for (std::size_t k = 0; k < files_.points().size(); ++k) {
    if (connected_) replay_.run(k, [this](auto&&... seen) { see_step(seen...); });
    connected_ = go_to(k);
    files_.close(k);
  }
}

void Walk::judge(VerdictTable& table) const {
  replay_.judge(table);
  for (const Watched& watched : claims_) watched.judge(table);
}

void Walk::begin() {
  Experiment& experiment = subject_.experiment();
  check(VecCopy(subject_.start(), experiment.theta()));
  experiment.state() = {};
  RunPoint point;
  point.kind = RunPoint::Kind::start;
  see(point);
}

bool Walk::go_to(std::size_t k) {
  const StoredPoint& stored = files_.points()[k];
  Experiment& experiment = subject_.experiment();
  const Checkpoint* checkpoint = nullptr;
  try {
    checkpoint = files_.open(k);
    if (checkpoint == nullptr) return false;
    experiment.restore_point(*checkpoint);
  } catch (const Error& error) {
    if (!error.collective()) throw;
    files_.report_unreadable(k, first_line(error.what()));
    return false;
  }
  replay_.compare(k);
  const std::size_t last = files_.points().size() - 1;
  RunPoint point;
  point.kind = RunPoint::Kind::checkpoint;
  point.chosen = k == 0 || k == last || k == last / 2;
  point.step = stored.step;
  point.t = stored.t;
  point.local_error_sum = experiment.state().local_error_sum;
  point.gradients = experiment.state().gradients;
  point.checkpoint = checkpoint;
  point.file = stored.name;
  see(point);
  return true;
}

void Walk::see(RunPoint& point) {
  Experiment& experiment = subject_.experiment();
  point.theta = experiment.theta();
  point.loss = point.gradient_norm = std::nan("");
  try {
    point.loss = experiment.objective().value_and_gradient(point.theta, gradient_.get()).train.loss;
    check(VecNorm(gradient_.get(), NORM_2, &point.gradient_norm));
  } catch (const Error& error) {
    if (!error.collective()) throw;
  }
  for (Watched& claim : claims_) claim.see(point);
}

void Walk::see_step(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
  RunPoint point;
  point.kind = RunPoint::Kind::step;
  point.step = state.step;
  point.t = state.t;
  point.local_error_sum = state.local_error_sum;
  point.loss = evaluation.train.loss;
  point.gradients = state.gradients;
  point.theta = theta;
  check(VecNorm(gradient, NORM_2, &point.gradient_norm));
  for (Watched& claim : claims_) claim.see(point);
}

}  // namespace audit
}  // namespace poise
