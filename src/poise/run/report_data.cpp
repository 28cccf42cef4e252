#include <algorithm>
#include <cmath>
#include <cstdio>

#include "poise/base/brief.hpp"
#include "poise/base/warn.hpp"
#include "poise/io/class_counts.hpp"
#include "poise/run/report.hpp"

namespace poise {
namespace {

/// An input of which the features keep less than this share of its variance is named.
constexpr double little_kept = 0.5;
/// Classes of such different sizes that a classifier may do well by never choosing the small one.
constexpr double imbalance = 5.0;

std::string percent(double share) {
  return brief(100.0 * share, 3) + " %";
}

/// "3 (age), 5": inputs by number and name; long lists are cut.
std::string inputs_text(const std::vector<Index>& inputs, const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t k = 0; k < std::min(inputs.size(), most); ++k)
    text += (k == 0 ? "" : ", ") + class_text(inputs[k], names);
  return inputs.size() > most ? text + " and " + std::to_string(inputs.size() - most) + " more" : text;
}

}  // namespace

void Report::print_data() const {
  const DatasetInfo& data = experiment_.data().info();
  std::printf("  data      %s: %s, %s, %s, %s\n", data.path.c_str(),
              plural(experiment_.problem().train.total, "training sample").c_str(),
              plural(data.test_samples, "test sample").c_str(), plural(data.inputs, "input").c_str(),
              plural(data.outputs, data.classification ? "class" : "target").c_str());
  print_classes();
  print_features();
  print_targets();
}

void Report::print_classes() const {
  const std::vector<Index>& counts = experiment_.data().train_classes();
  if (counts.empty()) return;
  const std::vector<std::string>& names = experiment_.data().info().class_names;
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  const auto samples = static_cast<double>(experiment_.problem().train.total);
  const auto number = [&](auto place) { return class_text(place - counts.begin(), names); };
  std::string weights;
  if (!experiment_.data().class_weights().empty()) weights = ", weights " + settings_.class_weight;
  std::printf("  classes   %s (class %s) to %s (class %s) of the training samples%s\n",
              percent(static_cast<double>(*least) / samples).c_str(), number(least).c_str(),
              percent(static_cast<double>(*most) / samples).c_str(), number(most).c_str(), weights.c_str());
  for (const std::string& warning : class_warnings(counts, experiment_.data().test_classes(), names))
    warn(experiment_.data().info().path + ": " + warning);
  const bool unequal = *least > 0 && static_cast<double>(*most) > imbalance * static_cast<double>(*least);
  if (unequal && weights.empty())
    std::printf(
        "            the classes are of very different sizes: -class_weight balanced gives each the "
        "same weight in the training loss\n");
}

void Report::print_features() const {
  const DatasetInfo& data = experiment_.data().info();
  const Features& features = experiment_.data().features();
  std::printf("  features  %s, %lld: %lld from %s%s\n", features.map().description().c_str(),
              static_cast<long long>(features.width()), static_cast<long long>(features.count()),
              plural(data.inputs, "input").c_str(), features.constant() ? " and the constant" : "");
  std::vector<Index> constant, reduced;
  const std::vector<double>& kept = features.numbers().kept_variance;
  for (Index j = 0; j < static_cast<Index>(kept.size()); ++j) {
    const double share = kept[static_cast<std::size_t>(j)];
    if (share == 0.0) constant.push_back(j);
    if (share > 0.0 && share < little_kept) reduced.push_back(j);
  }
  if (!constant.empty())
    std::printf("            constant, so without effect: %s %s\n", constant.size() == 1 ? "input" : "inputs",
                inputs_text(constant, data.input_names).c_str());
  if (!reduced.empty())
    std::printf(
        "            %s %s lose%s more than half of %s variance (-features_rank_cut, -features_width)\n",
        reduced.size() == 1 ? "input" : "inputs", inputs_text(reduced, data.input_names).c_str(),
        reduced.size() == 1 ? "s" : "", reduced.size() == 1 ? "its" : "their");
}

void Report::print_targets() const {
  const TargetScale& targets = experiment_.data().target_scale();
  if (!targets.is_set()) return;
  const bool centred =
      std::any_of(targets.shift.begin(), targets.shift.end(), [](double x) { return x != 0.0; });
  std::printf(
      "  targets   %sdivided by %.6g for the optimiser: losses are in the unit of the data, t is the "
      "time of the scaled problem\n",
      centred ? "centred and " : "", targets.scale);
}

void Report::print_audit() const {
  LiveAudit* audit = experiment_.audit();
  if (audit == nullptr) return;
  const LeastSquaresReference* reference = audit->reference();
  const auto width = experiment_.layout().width();
  if (reference == nullptr) {
    std::printf(
        "  audit     Theorem 1 with the measured kappa (no global one for this loss), L - 0 for L - L*, "
        "floor of lambda_min %.3g\n",
        audit->constants().lambda_floor);
    return;
  }
  std::printf(
      "  audit     Theorem 1: kappa = %.6g, rank of the features %lld of %lld, L* = %.10g, floor of "
      "lambda_min %.3g\n",
      reference->kappa(), static_cast<long long>(reference->rank()), static_cast<long long>(width),
      experiment_.problem().loss_unit * reference->optimal_loss(), audit->constants().lambda_floor);
  if (reference->rank() == width) return;
  std::printf(
      "            %s of the features %s singular values up to %.3g, %.1e of the largest, and count%s as "
      "0: kappa and L* are about the others\n",
      plural(width - reference->rank(), "direction").c_str(), width - reference->rank() == 1 ? "has" : "have",
      reference->svd().cut(), reference->svd().cut() / reference->svd().largest(),
      width - reference->rank() == 1 ? "s" : "");
}

}  // namespace poise
