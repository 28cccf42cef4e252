#include "poise/predict/quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace predict {
namespace {

constexpr Index widest_table = 12;   // classes; a wider confusion matrix does not fit a terminal
constexpr Index longest_table = 50;  // classes
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) {
  return whole > 0.0 ? part / whole : undefined;
}

}  // namespace

Quality::Quality(const Predictor& predictor) : predictor_(predictor), classes_(predictor.classes()) {
  for (auto* counts : {&right_, &predicted_, &hits_}) counts->resize(static_cast<std::size_t>(classes_));
  if (classes_ <= widest_table) confusion_.resize(static_cast<std::size_t>(classes_ * classes_));
  if (classes_ == 0) errors_.resize(static_cast<std::size_t>(predictor.outputs()));
}

void Quality::add(const NewSamples& samples, const Prediction& prediction) {
  const std::vector<Index> predicted = classes_ > 0
                                           ? predictor_.predicted_classes(samples.count, prediction.outputs)
                                           : std::vector<Index>(static_cast<std::size_t>(samples.count));
  for (Index i = 0; i < samples.count; ++i)
    if (samples.usable[i] != 0 && samples.answered[i] != 0 && prediction.solved[i] != 0)
      add_answer(i, samples, prediction, predicted[i]);
}

void Quality::add_answer(Index i, const NewSamples& samples, const Prediction& prediction, Index predicted) {
  const Index q = predictor_.outputs();
  const double* f = prediction.outputs.data() + i * q;
  std::vector<double> y(static_cast<std::size_t>(q), 0.0);
  if (samples.labels.empty())
    y.assign(samples.targets.begin() + i * q, samples.targets.begin() + (i + 1) * q);
  else if (predictor_.loss().targets() == Targets::binary)
    y[0] = static_cast<double>(samples.labels[i]);
  else
    y[samples.labels[i]] = 1.0;
  loss_ += predictor_.loss().evaluate(q, 1, f, y.data(), nullptr).loss;
  ++count_;
  if (classes_ > 0) {
    const Index right = samples.labels.empty() ? static_cast<Index>(y[0] > 0.5) : samples.labels[i];
    ++right_[right];
    ++predicted_[predicted];
    hits_[right] += static_cast<Index>(right == predicted);
    correct_ += static_cast<Index>(right == predicted);
    if (!confusion_.empty()) ++confusion_[right * classes_ + predicted];
    return;
  }
  for (Index k = 0; k < q; ++k) {
    Errors& one = errors_[k];
    one.square += (y[k] - f[k]) * (y[k] - f[k]);
    one.absolute += std::abs(y[k] - f[k]);
    const double step = y[k] - one.mean;
    one.mean += step / static_cast<double>(count_);
    one.spread += step * (y[k] - one.mean);
  }
}

void Quality::sum(MPI_Comm comm) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  std::vector<Index> counts(static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(&count_, 1, MPI_INT64_T, counts.data(), 1, MPI_INT64_T, comm));
  std::vector<Errors> all(errors_.size() * static_cast<std::size_t>(size));
  const int entries = mpi_count(static_cast<Index>(4 * errors_.size()));
  check_mpi(MPI_Allgather(errors_.data(), entries, MPI_DOUBLE, all.data(), entries, MPI_DOUBLE, comm));
  errors_.assign(errors_.size(), {});
  Index before = 0;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    const auto n = static_cast<double>(counts[rank]), old = static_cast<double>(before);
    if (counts[rank] == 0) continue;
    for (std::size_t k = 0; k < errors_.size(); ++k) {
      const Errors& other = all[rank * errors_.size() + k];
      Errors& one = errors_[k];
      const double step = other.mean - one.mean;
      one.square += other.square;
      one.absolute += other.absolute;
      one.spread += other.spread + step * step * old * n / (old + n);
      one.mean += step * n / (old + n);
    }
    before += counts[rank];
  }
  count_ = before;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &correct_, 1, MPI_INT64_T, MPI_SUM, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &loss_, 1, MPI_DOUBLE, MPI_SUM, comm));
  for (auto* counts : {&right_, &predicted_, &hits_, &confusion_})
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, counts->data(), mpi_count(static_cast<Index>(counts->size())),
                            MPI_INT64_T, MPI_SUM, comm));
}

double Quality::loss() const {
  return predictor_.mean() ? ratio(loss_, static_cast<double>(count_)) : loss_;
}

double Quality::accuracy() const {
  return ratio(static_cast<double>(correct_), static_cast<double>(count_));
}

double Quality::precision(Index c) const {
  return ratio(static_cast<double>(hits_[c]), static_cast<double>(predicted_[c]));
}

double Quality::recall(Index c) const {
  return ratio(static_cast<double>(hits_[c]), static_cast<double>(right_[c]));
}

double Quality::root_mean_square_error(Index output) const {
  return std::sqrt(ratio(errors_[output].square, static_cast<double>(count_)));
}

double Quality::mean_absolute_error(Index output) const {
  return ratio(errors_[output].absolute, static_cast<double>(count_));
}

double Quality::determination(Index output) const {
  return 1.0 - ratio(errors_[output].square, errors_[output].spread);
}

std::string Quality::text() const {
  std::string text = fmt::format("loss ({}) {} over {}", predictor_.loss().name(), to_text(loss()),
                                 plural(count_, "sample"));
  if (classes_ > 0) return text + fmt::format(", accuracy {:.4f}\n", accuracy()) + classes_text();
  return text + "\n" + errors_text();
}

std::string Quality::class_text(Index c) const {
  return poise::class_text(c, predictor_.names().classes);
}

std::string Quality::classes_text() const {
  std::string text = fmt::format("  {:<24} {:>10} {:>10}\n", "class", "precision", "recall");
  for (Index c = 0; c < std::min(classes_, longest_table); ++c)
    text += fmt::format("  {:<24} {:>10.4f} {:>10.4f}\n", class_text(c), precision(c), recall(c));
  if (classes_ > longest_table) text += "  ...\n";
  if (confusion_.empty()) return text;
  text += "  confusion matrix: one row per right class, one column per predicted class\n";
  for (Index right = 0; right < classes_; ++right) {
    text += fmt::format("  {:<24}", class_text(right));
    for (Index predicted = 0; predicted < classes_; ++predicted)
      text += fmt::format(" {:>7}", confusion(right, predicted));
    text += "\n";
  }
  return text;
}

std::string Quality::errors_text() const {
  std::string text = fmt::format("  {:<24} {:>14} {:>14} {:>10}\n", "target", "RMSE", "MAE", "R^2");
  const auto& names = predictor_.names().targets;
  for (Index k = 0; k < predictor_.outputs(); ++k)
    text +=
        fmt::format("  {:<24} {:>14.6g} {:>14.6g} {:>10.6f}\n", names.empty() ? fmt::to_string(k) : names[k],
                    root_mean_square_error(k), mean_absolute_error(k), determination(k));
  return text;
}

}  // namespace predict
}  // namespace poise
