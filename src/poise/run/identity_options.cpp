#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/model/model.hpp"
#include "poise/run/run_options.hpp"

namespace poise {

// Not among them: what only bounds a run (-time, -steps, -epochs), how it is written and spread, what does
// not change what is computed (-eq_panel, -recompute_every), warm starts, measurements and solvers.
std::vector<std::string> identity_options() {
  std::vector<std::string> names{"train_samples",
                                 "seed",
                                 "features",
                                 "features_width",
                                 "features_constant",
                                 "features_zca",
                                 "features_standardise",
                                 "features_rank_cut",
                                 "features_bandwidth",
                                 "model",
                                 "weights",
                                 "activation",
                                 "gamma",
                                 "margin",
                                 "input_weights",
                                 "bias",
                                 "width",
                                 "init_scale_a",
                                 "init_scale_v",
                                 "init_scale_b",
                                 "loss",
                                 "loss_scale",
                                 "scale_targets",
                                 "class_weight",
                                 "objective",
                                 "depth",
                                 "backward",
                                 "neumann_terms",
                                 "jacobian_weight",
                                 "dynamics"};
  const DynamicsKinds kinds;
  for (const auto& kind : kinds.all()) {
    const std::vector<std::string> own = kind->fixed_options();
    names.insert(names.end(), own.begin(), own.end());
  }
  names.insert(names.end(), {"batch", "batch_remainder", "audit", "audit_every"});
  for (const RegisteredModel& own : registered_models())
    names.insert(names.end(), own.options.begin(), own.options.end());
  return names;
}

}  // namespace poise
