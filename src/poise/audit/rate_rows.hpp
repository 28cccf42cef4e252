#pragma once

#include <string>
#include <vector>

#include "poise/audit/verdict.hpp"
#include "poise/theory/audit.hpp"

namespace poise {

/// What was measured at the points of a run for a bound of the form of Theorem 1, with the names of the files
/// of those that are checkpoints. Not collective, the same on all ranks.
class RateSamples {
 public:
  void add(const AuditSample& sample, const std::string& file) {
    samples_.push_back(sample);
    files_.push_back(file);
  }
  [[nodiscard]] bool empty() const { return samples_.empty(); }
  [[nodiscard]] Index size() const { return static_cast<Index>(samples_.size()); }
  [[nodiscard]] const std::vector<AuditSample>& samples() const { return samples_; }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  /// inf_t κ_t; 0 if no excess was seen.
  [[nodiscard]] double smallest_kappa() const;

  /// `row`, which has id, claim and item, with the verdict on E(t) <= E₀ exp(−κ λ_T t), κ of `constants`; or
  /// with the integrated exponent, THEORY.md 5.1. Measured is the largest excess over what is allowed; at the
  /// first violation, if there is one. The floor of λ_min is no part of it.
  [[nodiscard]] Row judge(Row row, AuditConstants constants, bool integrated) const;

 private:
  std::vector<AuditSample> samples_;
  std::vector<std::string> files_;
};

}  // namespace poise
