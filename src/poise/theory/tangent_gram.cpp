#include "poise/theory/tangent_gram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/theory/live_audit.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Columns of the lower triangle of K that one product computes.
constexpr Index block = 256;

Error refusal(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

/// out = xᵀx, x: rows x size. Computes the lower triangle and mirrors it.
void gram(Index rows, Index size, const double* x, double* out) {
  for (Index first = 0; first < size; first += block) {
    const double* from = x + first * rows;
    gemm('T', 'N', size - first, std::min(block, size - first), rows, 1.0, from, rows, from, rows, 0.0,
         out + first * size + first, size);
  }
  for (Index j = 0; j < size; ++j)
    for (Index i = 0; i < j; ++i) out[j * size + i] = out[i * size + j];
}

/// A batch of sample i of all ranks' samples, and a batch of all samples.
Batch one_sample(const Range& own, Index i) {
  Batch batch{false, 1, {}};
  if (own.contains(i)) batch.local.push_back(i - own.begin);
  return batch;
}
Batch all_samples(const SampleSet& set) {
  Batch batch{false, set.total, std::vector<Index>(static_cast<std::size_t>(set.count))};
  std::iota(batch.local.begin(), batch.local.end(), 0);
  return batch;
}

}  // namespace

double TangentGram::bytes(const ParameterLayout& layout, Index samples) {
  const std::vector<Index>& offsets = layout.slice_offsets();
  Index rows = 0;
  for (std::size_t g = 0; g + 1 < offsets.size(); ++g) rows = std::max(rows, offsets[g + 1] - offsets[g]);
  const double size = static_cast<double>(samples) * static_cast<double>(layout.outputs());
  // LAPACK works on a copy of K.
  return sizeof(double) * size * (static_cast<double>(rows * layout.row_length()) + 2.0 * size);
}

TangentGram::TangentGram(const ParameterLayout& layout, const Problem& problem, const Factory& make,
                         double max_bytes)
    : layout_(layout),
      problem_{linear_loss(), false, problem.outputs, problem.train, {}},
      gradient_(layout.create()),
      parameters_(layout.slice().size() * layout.row_length()) {
  const double needed = bytes(layout, samples());
  if (samples() < 1) throw refusal("the Gram matrix of the tangents needs training samples: there are none");
  if (needed > max_bytes)
    throw refusal(fmt::format(
        "the Gram matrix of the tangents of {} samples with {} outputs would need {} MB per rank, more than "
        "the allowed {} MB: use fewer samples (-train_samples), more ranks or a smaller width",
        samples(), output_count(), static_cast<Index>(needed / 1048576.0),
        static_cast<Index>(max_bytes / 1048576.0)));
  tangents_.resize(static_cast<std::size_t>(parameters_ * size()));
  k_.resize(static_cast<std::size_t>(size() * size()));
  f_.resize(static_cast<std::size_t>(size()));
  objective_ = make(problem_);
}

Evaluation TangentGram::gradient_of(Vec theta, const Batch& batch) {
  Evaluation result = objective_->value_and_gradient(theta, gradient_.get(), batch);
  if (result.penalty != 0.0)
    throw refusal(
        "the Gram matrix of the tangents describes outputs alone and cannot include a penalty: leave out "
        "-jacobian_weight");
  if (std::isnan(result.adjoint.residual))
    throw refusal("the Gram matrix of the tangents needs exact gradients: leave out -backward");
  solve_residual_ = std::max({solve_residual_, result.equilibrium.residual, result.adjoint.residual});
  return result;
}

void TangentGram::find_rows(Index output, Vec theta) {
  const Index q = output_count();
  const Range own = own_samples(layout_.grid(), problem_.train);
  std::fill(problem_.train.targets.begin(), problem_.train.targets.end(), 0.0);
  for (Index i = 0; i < own.size(); ++i) problem_.train.targets[i * q + output] = 1.0;
  (void)gradient_of(theta, all_samples(problem_.train));
  for (Index i = 0; i < samples(); ++i) {
    const Index row = i * q + output;
    f_[row] = gradient_of(theta, one_sample(own, i)).train.loss;
    const ReadArray values(gradient_.get());
    std::copy_n(values.data(), parameters_, tangents_.data() + row * parameters_);
  }
}

void TangentGram::form_matrix() {
  gram(parameters_, size(), tangents_.data(), k_.data());
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, k_.data(), mpi_count(size() * size()), MPI_DOUBLE, MPI_SUM,
                          layout_.grid().world()));
}

// The derivative of output 0 of sample i with respect to row 0 of B is z_i: no further solve is needed.
double TangentGram::smallest_of_states() const {
  const Index rows = layout_.slice().size();
  const Index n = samples();
  std::vector<double> states(static_cast<std::size_t>(rows * n));
  for (Index i = 0; i < n; ++i) {
    const double* row = tangents_.data() + i * output_count() * parameters_ + layout_.readout_offset();
    for (Index k = 0; k < rows; ++k) states[i * rows + k] = row[k * layout_.row_length()];
  }
  std::vector<double> products(static_cast<std::size_t>(n * n));
  gram(rows, n, states.data(), products.data());
  sum_over_ranks(layout_.grid().world(), products);
  return std::max(0.0, symmetric_eigenvalues(layout_.grid().world(), n, std::move(products)).front());
}

TangentSpectrum TangentGram::measure(Vec theta) {
  static const LogEvent event("TangentGram");
  const auto scope = event.begin();
  objective_->forget();
  solve_residual_ = 0.0;
  for (Index a = 0; a < output_count(); ++a) find_rows(a, theta);
  form_matrix();

  TangentSpectrum spectrum;
  spectrum.eigenvalues = symmetric_eigenvalues(layout_.grid().world(), size(), k_);
  spectrum.lambda_min = std::max(0.0, spectrum.eigenvalues.front());
  spectrum.lambda_max = spectrum.eigenvalues.back();
  spectrum.states_lambda_min = smallest_of_states();
  double trace = 0.0;  // ‖J‖_F²
  for (Index k = 0; k < size(); ++k) trace += k_[k * (size() + 1)];
  const double rounding =
      static_cast<double>(size()) * std::numeric_limits<double>::epsilon() * spectrum.lambda_max;
  const double change = solve_residual_ * std::sqrt(trace);  // largest error of σ_min(J), by Weyl
  spectrum.error = rounding + change * (2.0 * std::sqrt(spectrum.lambda_min) + change);
  spectrum.rank = std::count_if(spectrum.eigenvalues.begin(), spectrum.eigenvalues.end(),
                                [rounding](double value) { return value > rounding; });
  return spectrum;
}

namespace {

/// Squared loss: ‖g‖² = 4 s² Σ ω² r² >= 4 s min ω L.
AuditConstants make_constants(const Problem& problem, const std::vector<double>& weights) {
  if (!problem.loss->bounded_below())
    throw Error(ExitCode::bad_input, "a linear loss has no lower bound, so that no rate is proven for it",
                true);
  AuditConstants constants;
  constants.theorem = "the rate of the Gram matrix";
  constants.matrix = "K";
  const double least = weights.empty() ? 1.0 : *std::min_element(weights.begin(), weights.end());
  if (problem.loss->least_squares()) constants.kappa = 4.0 * problem.scale(problem.train.total) * least;
  return constants;
}

/// Gathers `values` of all samples on every rank, `count` numbers per sample.
std::vector<double> gather_samples(const ProcessGrid& grid, const SampleSet& set, Index count,
                                   const std::vector<double>& values) {
  std::vector<double> all(static_cast<std::size_t>(count * set.total), 0.0);
  const Range own = own_samples(grid, set);
  if (grid.feature_index() == 0) std::copy(values.begin(), values.end(), all.begin() + own.begin * count);
  sum_over_ranks(grid.world(), all);
  return all;
}

/// The weights of all samples on every rank; empty if all are 1.
std::vector<double> gather_weights(const ProcessGrid& grid, const Problem& problem) {
  std::vector<double> largest{static_cast<double>(problem.train.weights.size())};
  sum_over_ranks(grid.world(), largest);  // a rank without samples has no weights in any case
  if (largest[0] == 0.0) return {};
  return gather_samples(grid, problem.train, 1, problem.train.weights);
}

double norm2(const std::vector<double>& x) {
  double sum = 0.0;
  for (const double entry : x) sum += entry * entry;
  return sum;
}

}  // namespace

GramAudit::GramAudit(const ParameterLayout& layout, const Problem& problem, const TangentGram::Factory& make,
                     double max_bytes)
    : problem_(problem),
      gram_(layout, problem, make, max_bytes),
      targets_(gather_samples(layout.grid(), problem.train, problem.outputs, problem.train.targets)),
      weights_(gather_weights(layout.grid(), problem)),
      constants_(make_constants(problem, weights_)),
      rates_(constants_),
      g_(targets_.size()) {}

GramPoint GramAudit::observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum) {
  GramPoint point;
  point.spectrum = gram_.measure(theta);
  const TangentSpectrum& spectrum = point.spectrum;
  const double scale = problem_.scale(problem_.train.total);
  const Index size = gram_.size();

  AuditSample& sample = point.audit.sample;
  sample.step = step;
  sample.t = t;
  sample.loss =
      scale * problem_.loss
                  ->evaluate(gram_.output_count(), gram_.samples(), gram_.outputs().data(), targets_.data(),
                             g_.data(), weights_.empty() ? nullptr : weights_.data())
                  .loss;
  for (double& entry : g_) entry *= scale;
  sample.excess = sample.loss;
  sample.grad_norm2 = norm2(g_);
  sample.lambda_min = spectrum.lambda_min;
  sample.lambda_error = std::min(spectrum.error, spectrum.lambda_min);
  sample.lambda_floor = std::max(0.0, spectrum.states_lambda_min - spectrum.error);
  const double most = weights_.empty() ? 1.0 : *std::max_element(weights_.begin(), weights_.end());
  // The error of the loss due to the errors of the outputs: to first order, and to second order for small g
  // (ℓ'' <= 2).
  const double share = gram_.solve_residual() + 10.0 * std::numeric_limits<double>::epsilon();
  const double change = share * std::sqrt(norm2(gram_.outputs()));
  sample.integration_error = integration_error(gradient_norm, local_error_sum) +
                             change * (std::sqrt(sample.grad_norm2) + most * scale * change);
  const double unit = problem_.loss_unit;
  for (double* number : {&sample.loss, &sample.excess, &sample.grad_norm2, &sample.integration_error})
    *number *= unit;
  point.audit.row = rates_.add(sample);

  std::vector<double> image(g_.size());
  gemm('N', 'N', size, 1, size, 1.0, gram_.matrix().data(), size, g_.data(), size, 0.0, image.data(), size);
  double slope = 0.0;
  for (std::size_t k = 0; k < g_.size(); ++k) slope += g_[k] * image[k];
  point.gradient_norm = std::sqrt(std::max(0.0, slope));
  return point;
}

}  // namespace theory
}  // namespace poise
