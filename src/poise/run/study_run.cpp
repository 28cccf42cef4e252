#include "poise/run/study_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/io/durable.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// The same text for values that mean the same: 0.50 and 0.5, and for a flag yes and true.
std::string canonical(const Options& options, const std::string& name, const std::string& value) {
  const Setting* setting = options.find(name);
  const bool flag = setting != nullptr && setting->kind == OptionKind::flag;
  return text_of(typed_value(name, value, flag ? options.kinds() : OptionKinds{}));
}

/// Whether the results of a study depend on an option.
bool fixes_results(const Options& options, const std::string& name) {
  const Setting* setting = options.find(name);
  return setting != nullptr ? setting->role.kind == Role::identity : options.configures_solver(name);
}

/// All that the results depend on.
std::string identity_text(const Options& options, const std::string& data_fingerprint) {
  std::vector<std::string> lines{"samples " + data_fingerprint};
  for (const auto& [name, value] : options.resolved())
    if (fixes_results(options, name)) lines.push_back(name + " " + canonical(options, name, value));
  std::sort(lines.begin(), lines.end());  // PETSc's own options come in any order
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// "is 4", or "is not given".
std::string value_text(const std::optional<std::string>& value) {
  return value ? (value->empty() ? "set" : *value) : "not given";
}

void require_same(const Options& declared, const NamedOptions& stored, const std::string& name,
                  const std::string& value) {
  std::optional<std::string> before;
  for (const auto& [other, old] : stored)
    if (other == name) before = old;
  if (before && canonical(declared, name, *before) == canonical(declared, name, value)) return;
  throw usage(fmt::format(
      "-resume: option -{} is {}, but in the study it is {}: all members of a study have the same settings; "
      "leave the option out, or begin a new study in a different directory",
      name, value_text(value), value_text(before)));
}

}  // namespace

Role fixes_study() {
  return Role{Role::identity, "all members of a study have the same settings"};
}

StudyInvocation StudyInvocation::from(Options& o, const std::string& run_help) {
  const Options::Category category(o, "run");
  StudyInvocation s;
  s.run = o.text("run", "", run_help, Role{Role::invocation});
  s.resume = o.flag("resume", false,
                    "go on with the study in -run, with its options: members that are done stay as they are, "
                    "failed members are tried again, the others run",
                    Role{Role::invocation});
  s.deadline = o.real("deadline", 0.0, {.low = 0, .high = 1e9, .unit = "seconds"},
                      "wall-clock limit of this invocation: stop with code 75 before a step that would "
                      "exceed it; members that are done are kept, members that run are lost, except that the "
                      "first member of a group always runs to its end, so that every invocation comes "
                      "further; 0: in a SLURM job, end before SLURM_JOB_END_TIME by a tenth of the time "
                      "left, at most by 60 s; otherwise no limit",
                      Role{Role::invocation});
  s.member_ranks = static_cast<int>(o.integer(
      "member_ranks", 1, {1, 1e6},
      "ranks per member, a divisor of the number of ranks; members run at the same time", Role{Role::free}));
  return s;
}

int StudyInvocation::require_fitting(MPI_Comm comm) const {
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  if (ranks % member_ranks != 0)
    throw usage(fmt::format("-member_ranks {} does not divide the {} ranks of this run; choose a divisor",
                            member_ranks, ranks));
  return ranks;
}

std::vector<std::string> recall_study(MPI_Comm comm, const std::string& program,
                                      const std::function<void(Options&)>& declare) {
  const std::optional<NamedOptions> stored = stored_options(comm, program);
  if (!stored) return {};
  Options declared;
  {
    const OwnOptions defaults({});
    declare(declared);
  }
  for (const auto& [name, value] : all_options())
    if (fixes_results(declared, name)) require_same(declared, *stored, name, value);
  return recall(*stored, declared);
}

StudyRun::StudyRun(MPI_Comm comm, const StudyInvocation& invocation, const Options& options, About about)
    : comm_(comm),
      invocation_(invocation),
      about_(std::move(about)),
      path_(invocation.run),
      lock_(make_study_directory(
          comm, path_, invocation.resume ? RunDirectory::Start::resume : RunDirectory::Start::anew)),
      store_(path_, about_.names, identity_text(options, about_.data_fingerprint)) {
  earlier_.resize(about_.names.size());
  if (invocation_.resume) earlier_ = store_.load(comm_);
  on_root(comm_, [&] {
    replace_file(path_ + "/options.txt", options_text(options, about_.program, "the study"));
    remove_durably(file());  // the results of an attempt with failed members, which are tried again
  });
}

std::vector<int> StudyRun::done() const {
  std::vector<int> flags;
  for (const auto& result : earlier_) flags.push_back(result ? 1 : 0);
  return flags;
}

std::optional<std::vector<MemberResult>> StudyRun::run(const Member& member, const Text& text) {
  const MemberPlan plan{.ranks = invocation_.member_ranks,
                        .costs = about_.costs,
                        .done = done(),
                        .deadline = invocation_.deadline};
  on_root(comm_, [&] { print_done_already(plan.done); });
  MemberHooks hooks;
  hooks.ended = [&](Index k, const MemberEnd& end) {
    if (end.status == MemberStatus::done) store_.save(k, end.result);
    const std::string found = end.status == MemberStatus::done      ? text(k, end.result.values)
                              : end.status == MemberStatus::stopped ? "on request, without a result"
                                                                    : end.result.error;
    print_member_line(end.status, about_.names[static_cast<std::size_t>(k)],
                      found.substr(0, found.find('\n')), end.result.seconds);
  };
  const auto timed = [&](MPI_Comm group, Index k, const MemberTime& time) {
    Interruptions requests(group, time.first ? std::numeric_limits<double>::infinity() : time.left, 0.0);
    return member(group, k, requests);
  };
  std::vector<MemberEnd> ends = run_pending_members(comm_, plan, timed, hooks);
  std::vector<MemberStatus> statuses;
  std::vector<MemberResult> results;
  for (std::size_t k = 0; k < ends.size(); ++k) {
    statuses.push_back(ends[k].status);
    results.push_back(earlier_[k] ? *earlier_[k] : std::move(ends[k].result));
  }
  if (!unfinished(statuses)) return results;
  report_stop(statuses);
  return std::nullopt;
}

void StudyRun::report_stop(const std::vector<MemberStatus>& statuses) const {
  on_root(comm_, [&] {
    std::printf("\n%s\n", count_text(statuses).c_str());
    const auto now = std::count(statuses.begin(), statuses.end(), MemberStatus::done);
    const auto before =
        std::count_if(earlier_.begin(), earlier_.end(), [](const auto& r) { return r.has_value(); });
    if (now == before) std::printf("no member has come to its end: one member needs more time than this\n");
    std::printf("stopped on request; to go on: %s -run %s -resume\n", about_.program.c_str(), path_.c_str());
    std::fflush(stdout);
  });
}

void StudyRun::finish(const std::vector<MemberResult>& results) const {
  const bool complete = std::all_of(results.begin(), results.end(),
                                    [](const MemberResult& result) { return result.error.empty(); });
  if (complete) store_.clear(comm_);
}

std::vector<std::pair<std::string, H5Value>> study_outcome(std::size_t failed, bool held) {
  return {{"failed_members", static_cast<Index>(failed)}, {"held", Index{held ? 1 : 0}}};
}

std::optional<ExitCode> study_is_done(MPI_Comm comm, const StudyInvocation& invocation,
                                      const Options& options, const std::string& program,
                                      const std::string& file) {
  if (!invocation.resume) return std::nullopt;
  options.reject_undeclared();
  enum Answer { no, held, not_held };
  int answer = no;
  on_root(comm, [&] {
    const std::string path = invocation.run + "/" + file;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return;
    const H5File results = H5File::open_alone(path);
    const auto number = [&](const char* name, Index otherwise) {
      return results.has_attribute("/", name) ? results.integer_attribute("/", name) : otherwise;
    };
    if (number("failed_members", 0) > 0) return;
    answer = number("held", 1) != 0 ? held : not_held;
    std::filesystem::remove_all(invocation.run + "/members",
                                ignored);  // if the program was killed at its end
    std::printf("%s: all members of the study are done; the results are in %s\n", program.c_str(),
                path.c_str());
  });
  check_mpi(MPI_Bcast(&answer, 1, MPI_INT, 0, comm));
  if (answer == no) return std::nullopt;
  return answer == held ? ExitCode::done : ExitCode::failed;
}

}  // namespace run
}  // namespace poise
