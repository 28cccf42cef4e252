#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/weight_invariants.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();
constexpr int most_depths = 200;

/// Checks the one equilibrium of all nodes, Z = h(ZS), at a few checkpoints. The norm of Z is the largest of
/// the nodes' norms (walk) or the 2-norm of these norms (symmetric): by THEORY.md 8.2 S does not expand it.
class GraphClaim final : public Claim {
 public:
  explicit GraphClaim(Subject& subject) : subject_(subject), weights_(subject) {}

  void see(const RunPoint& point) override {
    if (!point.chosen || subject_.graph() == nullptr) return;
    static const LogEvent event("AuditEquilibrium");
    const auto scope = event.begin();
    subject_.graph()->set_parameters(point.theta);
    weights_.see(point);
    if (why_no_sums().empty()) see_sums(point);
    if (why_unbounded().empty() && weights_.contraction() < 1.0) see_iterates(point);
  }

  void judge(VerdictTable& table) override {
    const std::string none = subject_.graph() != nullptr ? "" : "the run solves for no equilibria";
    const auto unless = [&](const std::string& why) { return none.empty() ? why : none; };
    table.add(sums_.row("mass", "column sums of the equilibrium solve the scalar system of the graph", "8.4",
                        unless(why_no_sums())));
    table.add(iterates_.row("contraction", "iterates approach the equilibrium at the rate of the norm", "8.2",
                            unless(why_unbounded())));
    table.add(weights_.perron(unless(weights_.softmax() ? "" : "no softmax weights")));
    table.add(bound_.row("error_bound", "distance to the equilibrium over its computable bound", "8.2",
                         unless(why_unbounded())));
    table.add(weights_.certificate(none));
  }

 private:
  using Block = std::vector<double>;

  [[nodiscard]] Normalisation normalisation() const { return subject_.network().normalisation; }
  [[nodiscard]] std::string why_no_sums() const {
    return weights_.softmax() && subject_.network().activation == Activation::identity
               ? ""
               : "not a linear map with softmax weights";
  }
  [[nodiscard]] std::string why_unbounded() const {
    return normalisation() == Normalisation::none ? "the norm of the adjacency matrix is not bounded"
                                                  : weights_.unbounded();
  }

  /// Collective on the world. The norm of a block.
  [[nodiscard]] double norm(const Block& block) const {
    const bool largest = normalisation() == Normalisation::walk;
    double norm = 0.0;
    for (const double x : weights_.column_norms(subject_.graph()->equation().local_nodes(), block))
      norm = largest ? larger(norm, x) : norm + x * x;
    if (largest) return largest_over_ranks(subject_, norm);
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &norm, 1, MPI_DOUBLE, MPI_SUM, subject_.grid().sample()));
    return std::sqrt(norm);
  }
  static double larger(double a, double b) { return std::isnan(b) ? b : std::max(a, b); }
  [[nodiscard]] double distance(Block a, const Block& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
    return norm(a);
  }

  /// s − γ sS − 1ᵀΦ with s = 1ᵀZ, by the product of S with one number a node. For a residual R = Z −
  /// h(ZS) it is 1ᵀR, at most √m times the 2-norm of a column of R.
  void see_sums(const RunPoint& point) {
    const GraphObjective& graph = *subject_.graph();
    const Block s = column_sums(graph.states()), phi = column_sums(graph.injection());
    Block from_neighbours(s.size());
    graph.equation().matrix().multiply_scalars(s.data(), from_neighbours.data());
    double worst = 0.0, size = 0.0;
    for (std::size_t n = 0; n < s.size(); ++n) {
      const double off = std::abs(s[n] - subject_.network().gamma * from_neighbours[n] - phi[n]);
      worst = larger(worst, off);
      size = std::max(size, std::abs(s[n]));
    }
    const double m = static_cast<double>(subject_.layout().width());
    const double largest = graph.equation().worst(graph.states().data()).norm;
    size = largest_over_ranks(subject_, size);
    sums_.add(largest_over_ranks(subject_, worst) / largest,
              std::sqrt(m) * graph.rtol() + 8.0 * m * rounding * (1.0 + size / largest), point.step,
              point.file);
  }

  /// Collective on grid.feature(). The sum of every column.
  [[nodiscard]] Block column_sums(const Block& block) const {
    const Index rows = subject_.map().local_states();
    Block sums(static_cast<std::size_t>(subject_.graph()->equation().local_nodes()), 0.0);
    for (std::size_t n = 0; n < sums.size(); ++n)
      for (Index i = 0; i < rows; ++i) sums[n] += block[n * static_cast<std::size_t>(rows) + i];
    sum_over_rows(subject_, sums);
    return sums;
  }

  /// The iterates from Z = 0. The bounds allow for the tolerance to which Z* is known: the residual of every
  /// node is at most rtol times the largest column.
  void see_iterates(const RunPoint& point) {
    const GraphObjective& graph = *subject_.graph();
    const GraphEquation& equation = graph.equation();
    const Block& z = graph.states();
    const double c = weights_.contraction(), m = static_cast<double>(subject_.layout().width());
    double residual = graph.rtol() * equation.worst(z.data()).norm;
    if (weights_.is_one_norm()) residual *= std::sqrt(m);
    if (normalisation() == Normalisation::symmetric)
      residual *= std::sqrt(static_cast<double>(equation.matrix().nodes()));
    const double start = norm(z), known = 4.0 * residual / (1.0 - c) + m * rounding * start;
    if (start == 0.0) return;
    Block iterate(z.size(), 0.0), h(z.size());
    double rate = 0.0, bound = 0.0, power = 1.0;
    for (int depth = 0; depth < most_depths && power > 1e-6; ++depth, power *= c) {
      equation.apply(iterate.data(), graph.injection().data(), h.data());
      const double away = distance(iterate, z), step = distance(iterate, h);
      if (depth > 0) rate = larger(rate, away / (power * start + known));
      bound = larger(bound, away / (step / (1.0 - c) + known));
      iterate.swap(h);
    }
    iterates_.add(rate, 1.0 + 1e-9, point.step, point.file);
    bound_.add(bound, 1.0 + 1e-9, point.step, point.file);
  }

  Subject& subject_;
  WeightInvariants weights_;
  Worst sums_, iterates_, bound_;
};

}  // namespace

std::unique_ptr<Claim> make_graph_claim(Subject& subject) {
  return std::make_unique<GraphClaim>(subject);
}

}  // namespace audit
}  // namespace poise
