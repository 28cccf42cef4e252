#include "poise/run/history_row.hpp"

#include <utility>

namespace poise {
namespace {

/// In the order of the file.
const std::vector<std::pair<std::string, double HistoryRow::*>> members{
    {"step", &HistoryRow::step},
    {"t", &HistoryRow::t},
    {"epoch", &HistoryRow::epoch},
    {"loss", &HistoryRow::loss},
    {"loss_excess", &HistoryRow::loss_excess},
    {"penalty", &HistoryRow::penalty},
    {"grad_norm", &HistoryRow::grad_norm},
    {"train_accuracy", &HistoryRow::train_accuracy},
    {"test_loss", &HistoryRow::test_loss},
    {"test_accuracy", &HistoryRow::test_accuracy},
    {"lambda_min", &HistoryRow::lambda_min},
    {"lambda_T", &HistoryRow::lambda_T},
    {"lambda_floor", &HistoryRow::lambda_floor},
    {"kappa", &HistoryRow::kappa},
    {"kappa_measured", &HistoryRow::kappa_measured},
    {"bound", &HistoryRow::bound},
    {"bound_integrated", &HistoryRow::bound_integrated},
    {"contraction", &HistoryRow::contraction},
    {"step_size", &HistoryRow::step_size},
    {"equilibrium_iterations", &HistoryRow::equilibrium_iterations},
    {"adjoint_iterations", &HistoryRow::adjoint_iterations},
    {"equilibrium_fallbacks", &HistoryRow::equilibrium_fallbacks},
    {"adjoint_fallbacks", &HistoryRow::adjoint_fallbacks},
    {"gradient_cosine", &HistoryRow::gradient_cosine},
    {"gradient_error", &HistoryRow::gradient_error},
    {"wall_seconds", &HistoryRow::wall_seconds}};

}  // namespace

const std::vector<std::string>& HistoryRow::columns() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, member] : members) all.push_back(name);
    return all;
  }();
  return names;
}

std::vector<double> HistoryRow::values() const {
  std::vector<double> all;
  for (const auto& [name, member] : members) all.push_back(this->*member);
  return all;
}

}  // namespace poise
