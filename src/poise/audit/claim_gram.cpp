#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "poise/audit/claims.hpp"
#include "poise/audit/verdict.hpp"
#include "poise/base/log_event.hpp"
#include "poise/theory/tangent_gram.hpp"

namespace poise {
inline namespace audit {
namespace {

/// Each of the nq rows of the tangents costs a gradient. Above these numbers of rows the claim does not
/// apply, or skips the steps between checkpoints.
constexpr Index most_outputs = 512, most_outputs_at_steps = 96;

/// The run's network on any problem, with its own map.
std::shared_ptr<Objective> make_network(Subject& subject, const Problem& problem) {
  struct Owned {
    std::unique_ptr<EquilibriumMap> map;
    std::unique_ptr<Objective> objective;
  };
  const auto owned = std::make_shared<Owned>();
  NetworkSettings network = subject.network();
  network.panel = network.recompute_every = 0;
  const ParameterLayout& layout = subject.layout();
  const Index features = subject.experiment().data().features().width();
  if (network.has_equilibrium_model()) owned->map = network.equilibrium_model()->make_map(layout, features);
  network.warm_start = true;
  if (const GraphNodes* nodes = subject.experiment().data().graph())
    owned->objective =
        make_graph_objective(network, layout, *owned->map, *subject.experiment().network().graph_matrix(),
                             *nodes, problem, subject.settings().seed);
  else
    owned->objective = make_sample_objective(network, layout, owned->map.get(), problem, features,
                                             EquilibriumSettings{.warm_start = true, .samples = 1});
  return {owned, owned->objective.get()};
}

/// The squared loss of networks that Theorem 1 does not cover.
class GramClaim final : public Claim {
 public:
  explicit GramClaim(Subject& subject) : subject_(subject) {
    if (!exception().empty()) return;
    audit_ = std::make_unique<GramAudit>(
        subject.layout(), subject.problem(),
        [&subject](const Problem& problem) { return make_network(subject, problem); });
  }

  void see(const RunPoint& point) override {
    if (!audit_ || (point.kind == RunPoint::Kind::step && outputs() > most_outputs_at_steps)) return;
    static const LogEvent event("AuditGram");
    const auto scope = event.begin();
    AuditSample sample = audit_
                             ->observe(point.step, static_cast<double>(samples_.size()), point.theta,
                                       point.gradient_norm, point.local_error_sum)
                             .audit.sample;
    sample.t = point.t;
    samples_.add(sample, point.file);
    floor_.add(sample.lambda_min + sample.lambda_error, sample.lambda_floor, point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string item = "5", claim = "loss over the bound of the Gram matrix of the tangents";
    const std::string floor = "smallest eigenvalue of the tangents' Gram matrix is above the states'";
    if (!audit_) {
      table.add(does_not_apply("gram_rate", claim, item, exception()));
      table.add(does_not_apply("gram_floor", floor, item, exception()));
      return;
    }
    if (samples_.empty()) {
      table.add(does_not_apply("gram_rate", claim, item, ""));
    } else {
      Row row = samples_.judge({.id = "gram_rate", .claim = claim, .item = item}, audit_->constants(), true);
      if (!subject_.settings().dynamics->integrates_flow()) {
        row.state = RowState::observed;
        row.note = "proven for the flow; " + row.note;
      }
      table.add(row);
    }
    table.add(floor_.row("gram_floor", floor, item));
  }

 private:
  [[nodiscard]] Index outputs() const { return subject_.problem().train.total * subject_.problem().outputs; }

  [[nodiscard]] std::string exception() const {
    const TrainSettings& settings = subject_.settings();
    if (subject_.linear() && !settings.network.is_unrolled()) return "Theorem 1 is about this model";
    if (!subject_.problem().loss->least_squares()) return "its rate is linear for -loss squared only";
    if (!settings.network.backward.exact() || settings.network.jacobian_weight > 0.0)
      return "the run does not follow the gradient of its loss";
    if (settings.batch > 0) return "the run has minibatches";
    if (settings.network.has_dropout()) return "the run has dropout";
    if (const std::string why = settings.dynamics->beyond_the_flow(); !why.empty()) return why;
    return outputs() > most_outputs
               ? fmt::format("{} outputs of all samples are more than {}", outputs(), most_outputs)
               : "";
  }

  Subject& subject_;
  std::unique_ptr<GramAudit> audit_;
  RateSamples samples_;
  Worst floor_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_gram_claim(Subject& subject) {
  return std::make_unique<GramClaim>(subject);
}

}  // namespace audit
}  // namespace poise
