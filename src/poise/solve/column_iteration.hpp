#pragma once

#include <petsclog.h>

#include <functional>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace solve {

/// A fixed-point iteration on a panel of columns, one column per sample. Each column stops by its own
/// residual: a finished column leaves the panel at once, and the products go on with the rest (compaction). A
/// subclass defines the iteration; it keeps its columns in the blocks of this class, so that all data of a
/// column move together. The constructor takes all memory. The SNES and KSP types in snes_types.cpp and
/// ksp_types.cpp use these iterations.
class ColumnIteration {
 public:
  struct Limits {
    double relative = 0.0, absolute = 0.0;  ///< a column is done at residual ≤ relative · scale + absolute
    Index iterations = 1000;
    bool patient = false;      ///< if false, columns that converge slowly or not at all are given up early
    double divergence = 0.0;   ///< a column is given up at this many times its first residual; 0: never
    bool finish_none = false;  ///< go on to the last iteration, whatever the residuals are
    PetscLogEvent event = -1;  ///< products are logged as this event
    /// Collective. Called before the first product.
    std::function<void()> start = nullptr;
    /// Collective. Called after every product with the number of products and the largest ratio of residual
    /// to scale of the active columns; false stops the iteration.
    std::function<bool(Index products, double worst)> progress = nullptr;
  };
  enum class Failure { none, not_a_number, divergence, slow, most_iterations };
  struct Result {
    Index iterations = 0;
    Index products = 0;
    std::vector<Index> left;          ///< columns that were not solved
    Failure failure = Failure::none;  ///< why the first unsolved column failed
  };

  /// For `progress` to call: writes the columns that are still iterated to their place in the result.
  void show();

  virtual ~ColumnIteration() = default;
  ColumnIteration(const ColumnIteration&) = delete;
  ColumnIteration& operator=(const ColumnIteration&) = delete;

 protected:
  /// `comm`: the ranks that hold the rows. All blocks are rows x columns. `depth`: depth of Anderson mixing,
  /// which adds 4 + 2 depth blocks; 0: no mixing. `sums`: how many numbers per slot shared_sum() has.
  ColumnIteration(MPI_Comm comm, Index rows, Index columns, std::size_t blocks, std::size_t depth = 0,
                  std::size_t sums = 0);

  /// Collective on `comm`. Iterates the first p columns of the blocks.
  Result iterate(Index p, const Limits& limits);
  [[nodiscard]] double* block(std::size_t k) { return blocks_[k].data(); }
  [[nodiscard]] double* column(std::size_t k, Index slot) { return blocks_[k].data() + slot * rows_; }
  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index columns() const { return columns_; }
  /// Numbers of a slot, beside residual and scale, that `measure` computes over the local rows; the next
  /// `product` finds their sums over all ranks.
  [[nodiscard]] double& shared_sum(Index slot, std::size_t k) { return sums_[slot * stride_ + 2 + k]; }
  /// Whether the present product is the first product of a panel.
  [[nodiscard]] bool first_product() const { return first_product_; }

  /// Whether the residual of every column is above 1e-5 of its scale, far above the rounding of single
  /// precision.
  [[nodiscard]] bool far_from_done() const { return nearest_ > 1e-5; }

  /// Anderson mixing of every column by itself, for a map x -> n(x): `measure` writes n(x) to `mapped` and f
  /// = n(x) − x to `change`, and `mix`, collective on `comm`, computes the next x of the first p slots: n − Σ
  /// γ_j Δn_j, where γ minimises ‖f − Σ γ_j Δf_j‖ over the last `depth` iterations.
  [[nodiscard]] std::size_t depth() const { return depth_; }
  [[nodiscard]] double* mapped(Index slot) { return column(first_mixed_, slot); }
  [[nodiscard]] double* change(Index slot) { return column(first_mixed_ + 1, slot); }
  void mix(Index p, std::size_t x);

  /// Collective on `comm`. The product of one iteration, for the first p slots.
  virtual void product(Index p) = 0;
  /// Called after a product: takes the step of a slot, and computes over the local rows the squares of its
  /// residual and of the scale that the residual is compared with.
  virtual void measure(Index slot, double& residual, double& scale) = 0;
  /// Called when the column in `slot`, which was column `column` at the start, is done or, with `done` false,
  /// given up.
  virtual void finish(Index slot, Index column, bool done) = 0;

 private:
  struct Progress {
    Index column;
    double first;       // residual after the first product, at least the limit
    double earlier[4];  // residuals of the last iterations, in a ring
  };
  enum class State { active, done, failed };
  /// Decides what happens to a slot after a product. Sets `relative`, its residual divided by its scale, and
  /// `failure`, why it failed.
  State judge(Index slot, Index iteration, const Limits& limits, double& relative, Failure& failure);
  void take_out(Index slot, Failure failure, Result& result);
  /// Whether a slot converges so slowly that it is given up.
  [[nodiscard]] bool hopeless(const Progress& progress, Index iteration, double residual, double limit) const;
  void remove(Index slot, Index last);
  void remember_changes(Index p);
  /// Δfᵀ Δf (lower triangle) and Δfᵀ f of the held changes of a slot, over the local rows.
  void products_of_changes(Index slot, std::size_t held, double* out);

  MPI_Comm comm_;
  int ranks_ = 1;
  Index rows_, columns_;
  bool first_product_ = true;
  double nearest_ = 0.0;  // smallest ratio of residual to scale of the active columns, after the last product
  std::size_t depth_, first_mixed_;
  Index mixed_ = 0;  // number of mixed iterations of this panel
  std::vector<double> dots_;
  std::vector<std::vector<double>> blocks_;
  std::vector<Progress> progress_;
  std::size_t stride_;
  std::vector<double> sums_;  // per slot: squares of residual and scale, then the numbers of shared_sum()
  Index active_ = 0;
};

/// A failure in words, for an Outcome; empty for Failure::none.
[[nodiscard]] std::string to_string(ColumnIteration::Failure failure);

}  // namespace solve
}  // namespace poise
