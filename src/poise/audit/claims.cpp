#include "poise/audit/claims.hpp"

namespace poise {

std::vector<std::unique_ptr<Claim>> make_claims(Subject& subject, const std::string& run) {
  std::vector<std::unique_ptr<Claim>> claims;
  for (auto make :
       {make_features_claim, make_column_sums_claim, make_gradient_claim, make_equilibrium_gradient_claim,
        make_dynamics_matrix_claim, make_optimum_claim, make_rates_claim, make_step_limit_claim,
        make_gram_claim, make_newton_claim, make_equilibrium_claim})
    claims.push_back(make(subject));
  claims.push_back(make_history_claim(subject, run));
  return claims;
}

}  // namespace poise
