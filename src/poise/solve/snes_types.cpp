// The SNES types of Poise: each iterates the columns of a PanelSnes by a ColumnIteration.
#include <petsc/private/snesimpl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/solve/iterations.hpp"
#include "poise/solve/panel_snes.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace solve {
namespace {

/// A SNES type; the object that snes->data points to.
class SampleSnes {
 public:
  using Limits = ColumnIteration::Limits;
  using Result = ColumnIteration::Result;
  virtual ~SampleSnes() = default;

  /// Throws bad_input if the type does not suit the map. `option`: the option that chose the type.
  virtual void require_suited(const EquilibriumMap& /*map*/, const std::string& /*option*/) const {}
  virtual void set_from_options(OptionItems /*items*/) {}
  [[nodiscard]] virtual std::string description() const = 0;
  /// Takes all memory for the panel.
  virtual void set_up(const PanelSnes& panel) = 0;
  [[nodiscard]] virtual ColumnIteration& iteration() = 0;
  virtual void reset() = 0;
  /// Collective. Solves from the start in z, the local entries of the SNES's solution, and writes the result
  /// there.
  virtual Result run(SNES snes, PanelSnes& panel, double* z, const Limits& limits) = 0;
  /// Whether the product is h(z) itself. Then it is an evaluation of F, and the residual belongs to the
  /// iterate before.
  [[nodiscard]] virtual bool evaluates() const { return false; }
  [[nodiscard]] virtual bool mixes() const { return false; }

  SampleIteration shared;
};

std::optional<PointwiseForm> required_form(const EquilibriumMap& map, const std::string& option) {
  auto form = map.pointwise_form();
  if (!form)
    throw refusal_of(option + " needs a model of the form h(z) = a(Wz + u); try newtonls or anderson");
  return form;
}

class MeanFieldSnes final : public SampleSnes {
 public:
  void require_suited(const EquilibriumMap& map, const std::string& option) const override {
    (void)required_form(map, option);
  }
  [[nodiscard]] std::string description() const override {
    return "mean-field chord: one product with W (I - DW)^-1 an iteration, D the mean slopes at the start";
  }
  void set_up(const PanelSnes& panel) override {
    y_.resize(static_cast<std::size_t>(panel.map().local_states() * panel.columns()));
    slopes_.resize(static_cast<std::size_t>(panel.map().local_states()));
    image_.resize(y_.size());
    iteration_ = std::make_unique<MeanFieldIteration>(panel.comm(), panel.columns(), *panel.mean(),
                                                      panel.map().pointwise_form()->activation,
                                                      static_cast<std::size_t>(shared.mixing));
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  bool mixes() const override { return true; }

  Result run(SNES snes, PanelSnes& panel, double* z, const Limits& limits) override {
    const Index size = panel.map().local_states() * panel.p();
    const bool outermost = panel.is_outermost(snes);
    double* y = outermost && panel.memory().block != nullptr ? panel.memory().block : y_.data();
    if (!outermost) {
      panel.mean()->weights().multiply(panel.p(), z, y);
      panel.count_products(1);
    } else if (!panel.memory().warm) {
      std::fill_n(y, size, 0.0);
    }
    update_mean_field(panel, y);
    if (limits.start)  // monitors of the start look at z
      activate_sum(panel.map().pointwise_form()->activation, size, y, panel.injection(), z);
    return iteration_->run(panel.p(), panel.injection(), y, z, limits);
  }

 private:
  /// Makes the mean field valid; it takes the slopes at the start of the iteration, a(y + u).
  void update_mean_field(PanelSnes& panel, const double* y) {
    if (panel.mean()->valid()) return;
    const Index rows = panel.map().local_states();
    const Index p = panel.p();
    std::fill(slopes_.begin(), slopes_.end(), panel.map().linear() ? 1.0 : 0.0);
    if (!panel.map().linear()) {
      const Activation activation = panel.map().pointwise_form()->activation;
      activate_sum(activation, rows * p, y, panel.injection(), image_.data());
      activation_slope(activation, rows * p, image_.data(), image_.data());
      for (Index c = 0; c < p; ++c)
        for (Index i = 0; i < rows; ++i)  // a NaN of one sample must not spoil the mean of all
          if (std::isfinite(image_[c * rows + i]))
            slopes_[i] += image_[c * rows + i] / static_cast<double>(p);
    }
    panel.mean()->update_or_plain(slopes_.data());
  }

  std::unique_ptr<MeanFieldIteration> iteration_;
  std::vector<double> y_, image_, slopes_;
};

class PicardSnes : public SampleSnes {
 public:
  [[nodiscard]] std::string description() const override { return "plain iteration z <- h(z)"; }
  void set_up(const PanelSnes& panel) override {
    iteration_ = std::make_unique<PicardIteration>(panel.comm(), panel.map(), panel.columns(), perron(panel),
                                                   static_cast<std::size_t>(shared.mixing));
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  bool evaluates() const override { return true; }
  bool mixes() const override { return true; }
  Result run(SNES, PanelSnes& panel, double* z, const Limits& limits) override {
    return iteration_->run(panel.p(), panel.injection(), z, limits);
  }

 protected:
  [[nodiscard]] virtual PerronVector* perron(const PanelSnes& /*panel*/) const { return nullptr; }

 private:
  std::unique_ptr<PicardIteration> iteration_;
};

class PerronSnes final : public PicardSnes {
 public:
  void require_suited(const EquilibriumMap& map, const std::string& option) const override {
    if (required_form(map, option)->column_sum == 0.0)
      throw refusal_of(option + " needs -weights softmax; try meanfield or newtonls");
  }
  [[nodiscard]] std::string description() const override {
    return "plain iteration with the correction of the slow mode, the Perron vector of W";
  }

 private:
  [[nodiscard]] PerronVector* perron(const PanelSnes& panel) const override {
    return &panel.mean()->perron();
  }
};

/// The base of both splittings, which have a step -alpha.
class SplittingSnes : public SampleSnes {
 public:
  void set_from_options(OptionItems items) override {
    alpha_ = real_option(items, "-alpha", "step of the splitting; 0: automatic", alpha_, 0.0, 1e6);
  }

 protected:
  /// "-eq_alpha" from "-eq_snes_type …".
  static std::string step_option(const std::string& option) {
    return option.substr(0, option.find("snes_type")) + "alpha";
  }
  [[nodiscard]] std::string step() const {
    return alpha_ > 0.0 ? "step " + to_text(alpha_) : std::string("automatic step");
  }
  double alpha_ = 0.0;
};

class ForwardBackwardSnes final : public SplittingSnes {
 public:
  void require_suited(const EquilibriumMap& map, const std::string& option) const override {
    const auto form = required_form(map, option);
    if (!same_proximal_operator_for_every_step(form->activation) || (form->margin == 0.0 && alpha_ == 0.0))
      throw refusal_of(option + " is for -activation relu or identity, and needs monotone weights or " +
                       step_option(option) + "; try peacemanrachford or meanfield");
  }
  [[nodiscard]] std::string description() const override { return "forward-backward splitting, " + step(); }
  void set_up(const PanelSnes& panel) override {
    iteration_ = std::make_unique<ForwardBackwardIteration>(panel.comm(), panel.columns(),
                                                            *panel.map().pointwise_form());
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  bool evaluates() const override { return true; }
  Result run(SNES, PanelSnes& panel, double* z, const Limits& limits) override {
    // α = μ/‖I − W‖₂², with the norm bounded by 1 + ‖W‖₂: the step with the best proven rate.
    const PointwiseForm form = *panel.map().pointwise_form();
    const double norm = alpha_ > 0.0 ? 1.0 : 1.0 + estimated_norm(form.weights);
    const double alpha = alpha_ > 0.0 ? alpha_ : form.margin / (norm * norm);
    return iteration_->run(panel.p(), panel.injection(), z, alpha, limits);
  }

 private:
  std::unique_ptr<ForwardBackwardIteration> iteration_;
};

class PeacemanRachfordSnes final : public SplittingSnes {
 public:
  void require_suited(const EquilibriumMap& map, const std::string& option) const override {
    const auto form = required_form(map, option);
    if (alpha_ != 0.0 && alpha_ != 1.0 && !same_proximal_operator_for_every_step(form->activation))
      throw refusal_of(step_option(option) + " must be 1 unless -activation is relu or identity");
  }
  [[nodiscard]] std::string description() const override { return "Peaceman-Rachford splitting, " + step(); }
  void set_up(const PanelSnes& panel) override {
    slopes_.assign(static_cast<std::size_t>(panel.map().local_states()), alpha() / (1.0 + alpha()));
    iteration_ = std::make_unique<PeacemanRachfordIteration>(panel.comm(), panel.columns(), *panel.mean(),
                                                             panel.map().pointwise_form()->activation);
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  Result run(SNES, PanelSnes& panel, double* z, const Limits& limits) override {
    MeanField& mean = *panel.mean();
    // Another solver of the same panel may have updated the mean field with different slopes.
    int right = mean.valid() && std::equal(slopes_.begin(), slopes_.end(), mean.slopes()) ? 1 : 0;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &right, 1, MPI_INT, MPI_MIN, panel.comm()));
    if (right == 0) mean.update(slopes_.data());
    return iteration_->run(panel.p(), panel.injection(), z, alpha(), limits);
  }

 private:
  [[nodiscard]] double alpha() const { return alpha_ > 0.0 ? alpha_ : 1.0; }
  std::unique_ptr<PeacemanRachfordIteration> iteration_;
  std::vector<double> slopes_;
};

SampleSnes& sample_snes(SNES snes) {
  return *static_cast<SampleSnes*>(snes->data);
}

bool is_skipped(SNES snes) {
  return snes->ops->converged == SNESConvergedSkip || snes->normschedule == SNES_NORM_NONE;
}

PetscErrorCode tell_monitors(SNES snes, PetscInt iteration, PetscReal residual) {
  PetscFunctionBegin;
  snes->iter = iteration;
  snes->norm = residual;
  PetscCall(SNESLogConvergenceHistory(snes, residual, 0));
  PetscCall(SNESMonitor(snes, iteration, residual));
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

/// Called after `products` products, with the worst residual; returns false if no more evaluations are
/// allowed.
bool go_on(SNES snes, PanelSnes& panel, Index products, double worst) {
  SampleSnes& type = sample_snes(snes);
  if (type.evaluates()) ++snes->nfuncs;
  if (snes->numbermonitors > 0) {  // monitors may look at solution and residual
    type.iteration().show();
    panel.show_residual(snes->vec_sol, snes->vec_func);
  }
  check(tell_monitors(snes, static_cast<PetscInt>(products - (type.evaluates() ? 1 : 0)), worst));
  return snes->max_funcs < 0 || snes->nfuncs < snes->max_funcs;
}

/// Whether a monitor or a history takes the residuals of the iterations.
bool is_watched(SNES snes) {
  return snes->numbermonitors > 0 || snes->conv_hist != nullptr;
}

/// Tells monitors the residual of the start, for a type that does not compute it.
void tell_start(SNES snes, PanelSnes& panel) {
  panel.show_residual(snes->vec_sol, snes->vec_func);
  check(tell_monitors(
      snes, 0, panel.judge_image(ReadArray(snes->vec_func).data(), snes->rtol, snes->abstol).residual));
}

SNESConvergedReason reason_of(SNES snes, const PanelSnes::Worst& worst,
                              const ColumnIteration::Result& result) {
  if (std::isnan(worst.ratio)) return function_not_finite;
  if (is_skipped(snes)) return SNES_CONVERGED_ITS;
  if (worst.ratio <= 1.0) return SNES_CONVERGED_FNORM_RELATIVE;
  if (result.failure == ColumnIteration::Failure::divergence) return SNES_DIVERGED_DTOL;
  if (snes->max_funcs >= 0 && snes->nfuncs >= snes->max_funcs) return SNES_DIVERGED_FUNCTION_COUNT;
  return SNES_DIVERGED_MAX_IT;
}

void solve_panel(SNES snes) {
  if (snes->vec_rhs != nullptr)
    throw refusal_of(type_option(snes) + " solves z = h(z) without a right-hand side");
  SampleSnes& type = sample_snes(snes);
  PanelSnes& panel = PanelSnes::of(snes);
  ColumnIteration::Result result;
  {
    WriteArray z(snes->vec_sol);
    ColumnIteration::Limits limits{
        .relative = snes->rtol,
        .absolute = snes->abstol,
        .iterations = Index{snes->max_its} + (type.evaluates() ? 1 : 0),
        .patient = type.shared.patient,
        .divergence = std::max(snes->divtol, 0.0),
        .finish_none = is_skipped(snes),
        .event = event_named(type.evaluates() ? "SNESFunctionEval" : "PCApply"),
        .progress = [&](Index products, double worst) { return go_on(snes, panel, products, worst); }};
    if (!type.evaluates() && is_watched(snes)) limits.start = [&] { tell_start(snes, panel); };
    result = type.run(snes, panel, z.data(), limits);
  }
  check(SNESComputeFunction(snes, snes->vec_sol, snes->vec_func));
  const PanelSnes::Worst worst =
      panel.judge_image(ReadArray(snes->vec_func).data(), snes->rtol, snes->abstol);
  snes->norm = worst.frobenius;
  snes->vec_func_init_set = PETSC_FALSE;
  snes->reason = reason_of(snes, worst, result);
  panel.count_products(result.products);
  type.shared.failure = to_string(result.failure);
}

template <class Body>
PetscErrorCode with_type(SNES snes, Body body) {
  return guarded([&] { body(sample_snes(snes)); });
}

PetscErrorCode solve_op(SNES snes) {
  return guarded([&] { solve_panel(snes); });
}
PetscErrorCode setup_op(SNES snes) {
  return with_type(snes, [&](SampleSnes& type) {
    const PanelSnes& panel = PanelSnes::of(snes);
    type.require_suited(panel.map(), type_option(snes));
    type.set_up(panel);
  });
}
PetscErrorCode reset_op(SNES snes) {
  return with_type(snes, [&](SampleSnes& type) { type.reset(); });
}
PetscErrorCode destroy_op(SNES snes) {
  delete static_cast<SampleSnes*>(snes->data);
  snes->data = nullptr;
  return static_cast<PetscErrorCode>(0);
}
PetscErrorCode set_from_options_op(SNES snes, OptionItems items) {
  return with_type(snes, [&](SampleSnes& type) {
    read_options(type.shared, items, "snes", type.mixes());
    type.set_from_options(items);
  });
}
PetscErrorCode view_op(SNES snes, PetscViewer viewer) {
  return with_type(snes, [&](SampleSnes& type) { view(type.shared, viewer, type.description()); });
}

template <class Type>
PetscErrorCode create_op(SNES snes) {
  return guarded([&] {
    snes->data = std::make_unique<Type>().release();
    snes->ops->setup = setup_op;
    snes->ops->solve = solve_op;
    snes->ops->reset = reset_op;
    snes->ops->destroy = destroy_op;
    snes->ops->setfromoptions = set_from_options_op;
    snes->ops->view = view_op;
    snes->usesksp = PETSC_FALSE;
    snes->usesnpc = PETSC_FALSE;
    snes->alwayscomputesfinalresidual = PETSC_TRUE;
  });
}

bool is_ours(SNES snes) {
  return is_own_snes(type_of(snes));
}

}  // namespace

void register_snes_types() {
  check(SNESRegister(snes_mean_field, create_op<MeanFieldSnes>));
  check(SNESRegister(snes_picard, create_op<PicardSnes>));
  check(SNESRegister(snes_perron, create_op<PerronSnes>));
  check(SNESRegister(snes_forward_backward, create_op<ForwardBackwardSnes>));
  check(SNESRegister(snes_peaceman_rachford, create_op<PeacemanRachfordSnes>));
}

SampleIteration* sample_iteration(SNES snes) {
  return is_ours(snes) ? &sample_snes(snes).shared : nullptr;
}

void require_suited(SNES snes, const EquilibriumMap& map) {
  if (is_ours(snes)) sample_snes(snes).require_suited(map, type_option(snes));
  for (SNES inner : inner_solvers(snes)) require_suited(inner, map);
  if (snes->usesksp == PETSC_FALSE || snes->ksp == nullptr) return;
  const PanelOperator op(PetscObjectComm(reinterpret_cast<PetscObject>(snes)), map, nullptr, 0, false);
  require_suited(snes->ksp, op);
}

}  // namespace solve
}  // namespace poise
