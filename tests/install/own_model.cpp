// A model that is not among those of Poise, in a program of its own: z* = W sin(z*) + x with W = γ A/‖A‖_F.
// Since |cos| <= 1, ‖∂h/∂z‖₂ <= γ < 1: well posed for every A. Trained by Poise's dynamics on Poise's data.
#include <cmath>
#include <cstdio>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/io/dataset.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/petsc/session.hpp"

using namespace poise;

class SineModel final : public EquilibriumMap {
 public:
  SineModel(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        gamma_(gamma),
        slice_(static_cast<std::size_t>(layout.slice().size() * layout.width())),
        weights_(layout.grid().feature(), layout.block_offsets()),
        gradient_(layout.grid().feature(), layout.block_offsets()) {}

  Index local_states() const override { return layout_.block().size(); }
  bool linear() const override { return false; }
  Index columns_multiplied() const override { return weights_.columns_multiplied(); }

  // The rows of [A | Bᵀ] that this rank owns -> W; the ranks that share a row block gather it.
  void set_parameters(Vec theta) override {
    const ReadArray values(theta);
    take_a(values.data());
    norm_ = std::sqrt(sum_over_ranks(slice_, slice_));
    for (double& entry : slice_) entry *= gamma_ / norm_;
    layout_.gather_block(slice_.data(), layout_.width(), weights_.rows());
  }

  void apply(Index p, const double* z, const double* injection, double* h) const override {
    weights_.multiply(p, sines(p, z), h);
    for (Index i = 0; i < local_states() * p; ++i) h[i] += injection[i];
  }

  // ∂h/∂z = W diag(cos z): the cosines are what derivatives need of a sample.
  void linearise(Index p, const double* z, const double*, double* slopes) const override {
    for (Index i = 0; i < local_states() * p; ++i) slopes[i] = std::cos(z[i]);
  }
  void jacobian(Index p, const double* slopes, const double* v, double* out) const override {
    work_.resize(static_cast<std::size_t>(local_states() * p));
    for (Index i = 0; i < local_states() * p; ++i) work_[i] = slopes[i] * v[i];
    weights_.multiply(p, work_.data(), out);
  }
  void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const override {
    weights_.multiply_transpose(p, v, out);
    for (Index i = 0; i < local_states() * p; ++i) out[i] *= slopes[i];
  }

  void clear_gradient() override {
    std::fill_n(gradient_.rows(), gradient_.local_rows() * gradient_.width(), 0.0);
  }
  void add_gradient(Index p, const double*, const double* z, const double*, const double* lambda) override {
    gradient_.add_outer_product(p, lambda, sines(p, z));  // ∂L/∂W = Σ λ sin(z)ᵀ
  }
  // ∂L/∂A = (γ K − <K, W> W/γ) / ‖A‖, K = ∂L/∂W.
  void write_gradient(Vec gradient) override {
    std::vector<double> k(slice_.size());
    layout_.reduce_block(gradient_.rows(), layout_.width(), k.data());
    const double inner = sum_over_ranks(k, slice_);
    WriteArray values(gradient);
    const Index m = layout_.width();
    for (Index i = 0; i < layout_.slice().size(); ++i)
      for (Index j = 0; j < m; ++j)
        values[i * layout_.row_length() + j] =
            (gamma_ * k[i * m + j] - inner / gamma_ * slice_[i * m + j]) / norm_;
  }

 private:
  void take_a(const double* theta) {
    for (Index i = 0; i < layout_.slice().size(); ++i)
      std::copy_n(theta + i * layout_.row_length(), layout_.width(), slice_.data() + i * layout_.width());
  }
  const double* sines(Index p, const double* z) const {
    work_.resize(static_cast<std::size_t>(local_states() * p));
    for (Index i = 0; i < local_states() * p; ++i) work_[i] = std::sin(z[i]);
    return work_.data();
  }
  double sum_over_ranks(const std::vector<double>& a, const std::vector<double>& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, layout_.grid().world()));
    return sum;
  }

  const ParameterLayout& layout_;
  double gamma_, norm_ = 1.0;
  std::vector<double> slice_;  // W, the rows of this rank's slice
  RowBlockMatrix weights_, gradient_;
  mutable std::vector<double> work_;
};

int main(int argc, char** argv) {
  const char* usage = "own_model: trains z = W sin(z) + x on a data file";
  return run_options_program(
      argc, argv, usage, [](Options& options) { options.text("data", "", "data file"); },
      [](Options& options, MPI_Comm comm) {
        const ProcessGrid grid(comm);
        const Dataset data(comm, options.text("data", "", "data file"));
        const Index n = data.info().samples;
        const SampleBlock block = data.read_train(grid.samples(n));
        const FeatureMap whiten(grid, {.kind = FeatureKind::whiten, .rank_cut = 0.03}, block.inputs,
                                block.count, block.features.data());
        Problem problem{cross_entropy_loss(), true, block.outputs, {n, block.count, {}, block.targets}, {}};
        problem.train.features.resize(static_cast<std::size_t>(whiten.rows().size() * block.count));
        whiten.apply(block.count, block.features.data(), problem.train.features.data());

        const ParameterLayout layout(grid, whiten.width(), block.outputs);
        SineModel model(layout, 0.8);
        EquilibriumObjective objective(layout, model, problem, EquilibriumSettings{.warm_start = true});
        const VecHandle theta = layout.create();
        layout.initialise(theta.get(), 0, 1.0, 1.0);
        Descent descent(objective, theta.get(), {.step_size = 0.5}, 1e9, 60);
        options.reject_unknown();
        DynamicsState state;
        descent.run(theta.get(), state, [&](const DynamicsState& at, Vec, Vec, const Evaluation& now) {
          if (grid.rank() == 0 && at.step % 20 == 0)
            std::printf("step %2d: loss %.6f, accuracy %.2f%%\n", static_cast<int>(at.step), now.train.loss,
                        100.0 * now.train.accuracy);
          return true;
        });
        return ExitCode::done;
      });
}
