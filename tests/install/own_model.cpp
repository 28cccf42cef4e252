// poise-train, poise-audit as "own_model audit" and poise-spectrum as "own_model spectrum", with one model
// more, -model sine: z* = W sin(z*) + φ(x) with W = γ A/‖A‖_F. Since |cos| <= 1, ‖∂h/∂z‖₂ <= γ < 1: well
// posed for every A.
#include <cmath>
#include <string_view>
#include <vector>

#include "poise/audit/audit.hpp"
#include "poise/base/check.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/model.hpp"
#include "poise/run/train.hpp"
#include "poise/predict/predict_main.hpp"
#include "poise/spectrum/spectrum_main.hpp"

using namespace poise;

class SineMap final : public EquilibriumMap {
 public:
  SineMap(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        gamma_(gamma),
        slice_(static_cast<std::size_t>(layout.slice().size() * layout.width())),
        weights_(layout.grid().feature(), layout.block_offsets(), layout.matrix_type()),
        gradient_(layout.grid().feature(), layout.block_offsets()) {}

  Index local_states() const override { return layout_.block().size(); }
  bool linear() const override { return false; }
  Certificate certificate() override { return {"2", gamma_}; }
  Index columns_multiplied() const override { return weights_.columns_multiplied(); }

  // Computes W from the rows of [A | Bᵀ] that this rank owns; the ranks that share a row block gather it.
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

  // ∂h/∂z = W diag(cos z): derivatives need the cosines of a sample.
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

class Sine final : public Model {
 public:
  explicit Sine(double gamma) : gamma_(gamma) {}
  std::string description() const override { return "sine, gamma = " + to_text(gamma_); }
  bool has_own_width() const override { return false; }
  std::vector<ParameterBlock> blocks(Index, Index m) const override { return {{"A", m, 1.0}}; }
  std::unique_ptr<EquilibriumMap> make_map(const ParameterLayout& layout, Index) const override {
    return std::make_unique<SineMap>(layout, gamma_);
  }
  double contraction() const override { return gamma_; }

 private:
  double gamma_;
};

int main(int argc, char** argv) {
  register_model("sine", "z = W sin(z) + features(x), W = sine_gamma A/|A|_F", [](Options& options) {
    return std::make_shared<Sine>(
        options.real("sine_gamma", 0.8, {0, 1, true}, "model sine: bound of |W|_2"));
  });
  const std::string_view program = argc > 1 ? argv[1] : "";
  if (program == "audit") return audit_main(argc - 1, argv + 1);
  if (program == "predict") return predict_main(argc - 1, argv + 1);
  if (program == "spectrum") return spectrum_main(argc - 1, argv + 1);
  return train_main(argc, argv);
}
