#pragma once

#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace objective {

/// What a network says of some samples, in their order.
struct Prediction {
  std::vector<double> outputs;  ///< f: outputs x count, column-major
  std::vector<double>
      residuals;             ///< of each sample's equilibrium, relative; 0 if the network solves for none
  std::vector<char> solved;  ///< whether the equilibrium has converged; if not, the outputs mean nothing
};

/// Loss and gradient of a network f(x) = B z(x), z its last state, by passing the samples through the network
/// in panels of columns. This class has the readout B, the loss and the loop over panels; a subclass computes
/// z (m_f x p) from the features and propagates ∂L/∂z back. Subclasses: equilibrium, unrolled, feedforward,
/// shallow.
class SampleObjective : public Objective {
 public:
  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    return value_and_gradient(theta, gradient, {});
  }
  Evaluation value_and_gradient(Vec theta, Vec gradient, const Batch& batch) override;
  Score score(Vec theta, const SampleSet& samples) override;
  /// Collective on the world. Takes θ for the predictions that follow.
  void set_parameters(Vec theta) { load_parameters(theta); }
  /// Collective on grid.feature(). Applies the network to `count` samples, whose features are d_f x count,
  /// column-major: at most as many as the training samples of this rank in the problem. An equilibrium that
  /// does not converge is no error here: see Prediction.
  virtual void predict(Index count, const double* features, Prediction& prediction);

 protected:
  /// `layout` and `problem` must outlive it. `state_rows`: m_f, the rows of z on this rank; `feature_rows`:
  /// d_f, the rows of the features on this rank. `panel`: the largest number of columns at once.
  SampleObjective(const ParameterLayout& layout, const Problem& problem, Index state_rows, Index feature_rows,
                  Index panel);

  /// Some samples on their way through the network. Blocks are column-major, one column per sample.
  struct Panel {
    const SampleSet& samples;
    const Index* local;  ///< the p samples, by their numbers on this rank
    Index p;             ///< columns
    Index number = 0;    ///< number of the panel in its pass
    bool training;       ///< whether the samples are training samples, which a subclass may remember
    double scale;        ///< s of the loss
    std::vector<double> features;   ///< d_f x p
    std::vector<double> state;      ///< z: m_f x p, filled by `forward`
    std::vector<double> cotangent;  ///< ∂L/∂z: m_f x p, given to `backward`
  };

  /// Collective on the world. Takes θ for the panels that follow.
  virtual void load_network(Vec theta) = 0;
  virtual void clear_network_gradient() = 0;
  /// Collective on the world. Writes all columns of the gradient except the readout's.
  virtual void write_network_gradient(Vec gradient) = 0;
  /// Collective on grid.feature(). Outcomes are merged into `result`; the loop stops at a failed outcome.
  virtual void forward(Panel& panel, bool with_gradient, Evaluation& result) = 0;
  virtual void backward(Panel& panel, Evaluation& result) = 0;
  /// Of a column of the panel after `forward`: whether its equilibrium has converged, and its residual.
  [[nodiscard]] virtual bool solved(Index /*column*/) const { return true; }
  [[nodiscard]] virtual double residual(Index /*column*/) const { return 0.0; }
  /// Collective on the world. Before the first and after the last panel of a pass over training samples.
  virtual void begin_pass(Vec /*theta*/, const Batch& /*batch*/) {}
  virtual void end_pass(Evaluation& /*result*/) {}
  /// The widest panel for a set of `count` samples of this rank, and for every minibatch of that set: sets
  /// and minibatches are cut into panels of equal width.
  [[nodiscard]] Index panel_width(Index count) const;

  [[nodiscard]] const ParameterLayout& layout() const { return layout_; }
  [[nodiscard]] const Problem& problem() const { return problem_; }
  /// Batch::step of the evaluation that has loaded the parameters; negative in scores and predictions.
  [[nodiscard]] Index drawn_step() const { return drawn_step_; }
  /// B of the row block: q x m_f, column-major.
  [[nodiscard]] const std::vector<double>& readout() const { return readout_; }

 private:
  void load_parameters(Vec theta, Index drawn_step = -1);
  void write_gradient(Vec gradient);
  /// f = Bz of a panel, into outputs_.
  void read_out(const Panel& panel);
  /// ∂L/∂B and ∂L/∂z from ∇ℓ in outputs_.
  void read_out_backward(Panel& panel);
  /// ω of the panel's samples; null where all are 1.
  const double* panel_weights(const Panel& panel);
  LossSum pass(Panel& panel, const std::vector<Index>& local, bool with_gradient, Evaluation& result);
  [[nodiscard]] Score scaled(Index total, const LossSum& sum) const;

  const ParameterLayout& layout_;
  const Problem& problem_;
  Index state_rows_, feature_rows_, panel_, drawn_step_ = -1;
  std::vector<double> readout_, readout_gradient_, slice_, outputs_, targets_, weights_;
  std::vector<Index> all_train_;  // 0, 1, 2, …
};

}  // namespace objective
}  // namespace poise
