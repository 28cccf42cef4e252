#include "poise/run/ensemble_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/run/report.hpp"

namespace poise {
namespace {

std::string brief(const char* format, double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string test_text(const MemberRecord& record) {
  const double accuracy = record.last_of("test_accuracy");
  return std::isnan(accuracy) ? brief("%.6g", record.last_of("test_loss"))
                              : brief("%.2f%%", 100.0 * accuracy);
}

}  // namespace

EnsembleReport::EnsembleReport(MPI_Comm comm, const EnsembleSettings& settings)
    : settings_(settings), start_(steady_seconds()) {
  check_mpi(MPI_Comm_rank(comm, &rank_));
  check_mpi(MPI_Comm_size(comm, &ranks_));
}

void EnsembleReport::header(std::size_t members, std::size_t pending) const {
  if (rank_ != 0) return;
  const int groups = ranks_ / settings_.ranks;
  std::printf("poise-train: ensemble %s, %s on %s of %s; run directories %s/NAME\n", settings_.file.c_str(),
              plural(static_cast<Index>(members), "member").c_str(), plural(groups, "group").c_str(),
              plural(settings_.ranks, "rank").c_str(), settings_.run.c_str());
  if (pending < members)
    std::printf("%s done already\n", plural(static_cast<Index>(members - pending), "member").c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void EnsembleReport::ended(const MemberRecord& record) const {
  if (record.status == MemberStatus::waiting) return;
  const std::string text = record.status == MemberStatus::failed
                               ? first_line(record.error)
                               : "step " + brief("%.0f", record.last_of("step")) + ", loss " +
                                     brief("%.6g", record.last_of("loss"));
  std::printf("%-7s  %s: %s, %.1fs\n", to_string(record.status).c_str(), record.name.c_str(), text.c_str(),
              record.seconds);
  std::fflush(stdout);
}

void EnsembleReport::summary(const std::vector<MemberRecord>& records) const {
  if (rank_ != 0) return;
  std::size_t width = 6;
  for (const MemberRecord& record : records) width = std::max(width, record.name.size());
  const int w = static_cast<int>(width);
  std::printf("\n%-*s  %-7s %8s %12s %12s %10s %9s\n", w, "member", "status", "step", "loss", "excess",
              "test", "seconds");
  std::size_t counts[4] = {};
  for (const MemberRecord& record : records) {
    ++counts[static_cast<int>(record.status)];
    std::printf(
        "%-*s  %-7s %8s %12s %12s %10s %9.1f\n", w, record.name.c_str(), to_string(record.status).c_str(),
        brief("%.0f", record.last_of("step")).c_str(), brief("%.6g", record.last_of("loss")).c_str(),
        brief("%.4g", record.last_of("loss_excess")).c_str(), test_text(record).c_str(), record.seconds);
  }
  std::printf("\n%zu done, %zu stopped, %zu failed, %zu waiting in %.1fs; results: %s/ensemble.h5\n",
              counts[0], counts[1], counts[2], counts[3], steady_seconds() - start_, settings_.run.c_str());
  if (counts[1] + counts[3] > 0) std::printf("to go on: the same command with -resume\n");
  std::fflush(stdout);
}

}  // namespace poise
