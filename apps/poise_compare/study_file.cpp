#include "poise_compare/study_file.hpp"

#include <hdf5.h>
#include <petscsys.h>
#include <slepcsys.h>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/version.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"

namespace poise::compare {
namespace {

template <class A, class B, class C>
std::string dotted(A a, B b, C c) {
  return std::to_string(a) + "." + std::to_string(b) + "." + std::to_string(c);
}

std::vector<std::pair<std::string, H5Value>> provenance(MPI_Comm comm) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0, ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  check_mpi(MPI_Get_processor_name(text, &length));
  const std::string host(text);
  check_mpi(MPI_Get_library_version(text, &length));
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return {{"version", version()},
          {"git", git_commit()},
          {"petsc", dotted(PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR)},
          {"slepc", dotted(SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR)},
          {"hdf5", dotted(major, minor, release)},
          {"mpi", std::string(text)},
          {"ranks", Index{ranks}},
          {"host", host},
          {"finished", date("%Y-%m-%dT%H:%M:%SZ")}};
}

void write_array(H5File& file, const std::string& name, const std::vector<Index>& dims,
                 const std::vector<double>& values) {
  file.write_rows(name, dims, {0, dims.front()}, std::span<const double>(values));
}

/// W as [q, m] row-major at every time, seed after seed; NaN for seeds that failed.
void write_weights(H5File& file, const Study& s) {
  const auto times = static_cast<Index>(s.times.size());
  file.create_group("/weights");
  for (std::size_t model = 0; model < s.models.size(); ++model) {
    if (!s.models[model].linear()) continue;
    std::vector<double> values;
    for (Index seed = 0; seed < s.seeds; ++seed) {
      const auto& weights = s.members[s.member(model, seed)].weights;
      if (weights.empty())
        values.resize(values.size() + static_cast<std::size_t>(times * s.outputs * s.features),
                      std::numeric_limits<double>::quiet_NaN());
      for (const auto& w : weights)
        for (Index i = 0; i < s.outputs; ++i)
          for (Index j = 0; j < s.features; ++j)
            values.push_back(w[static_cast<std::size_t>(j * s.outputs + i)]);
    }
    write_array(file, "/weights/" + std::to_string(model), {s.seeds, times, s.outputs, s.features}, values);
  }
}

void write_study(H5File& file, const Study& s) {
  std::string names;
  std::vector<double> depths, seeds;
  for (const ModelSpec& model : s.models) {
    names += (names.empty() ? "" : ";") + model.name();
    depths.push_back(static_cast<double>(model.depth));
  }
  for (Index seed = 0; seed < s.seeds; ++seed) seeds.push_back(static_cast<double>(s.first_seed + seed));
  file.set_attribute("/", "models", names);
  file.set_attribute("/", "gamma", s.gamma);
  file.set_attribute("/", "samples", s.samples);
  file.set_attribute("/", "test_samples", s.test_samples);
  file.set_attribute("/", "m", s.features);
  file.set_attribute("/", "q", s.outputs);
  file.set_attribute("/", "failed", failures_of(s));
  const auto models = static_cast<Index>(s.models.size()), times = static_cast<Index>(s.times.size());
  write_array(file, "/times", {times}, s.times);
  write_array(file, "/seeds", {s.seeds}, seeds);
  write_array(file, "/model_depth", {models}, depths);
  for (const auto& [name, values] : s.paths)
    write_array(file, "/paths/" + name, {models, s.seeds, times}, values);
  for (const auto& [name, values] : s.work) write_array(file, "/costs/" + name, {models, s.seeds}, values);
}

}  // namespace

std::string failures_of(const Study& study) {
  std::string text;
  for (std::size_t model = 0; model < study.models.size(); ++model)
    for (Index seed = 0; seed < study.seeds; ++seed)
      if (const std::string& error = study.errors[study.member(model, seed)]; !error.empty())
        text += (text.empty() ? "" : "\n") + study.models[model].name() + ", seed " +
                std::to_string(study.first_seed + seed) + ": " + error;
  return text;
}

StudyDirectory::StudyDirectory(MPI_Comm comm, std::string path)
    : comm_(comm), path_(std::move(path)), lock_(make_study_directory(comm, path_)) {}

void StudyDirectory::write_options(const Config& resolved) const {
  std::string text = "# poise-compare -options_file THIS_FILE repeats the study\n";
  for (const auto& [name, value] : resolved)
    if (name != "run" && name != "options_file" && !value.empty()) text += "-" + name + " " + value + "\n";
  on_root(comm_, [&] { replace_file(path_ + "/options.txt", text); });
}

void StudyDirectory::write(const Study& study, const Config& config, bool weights) const {
  on_root(comm_, [&] {
    const std::string path = path_ + "/compare.h5";
    H5File file = H5File::create_in_memory(path);
    file.set_attribute("/", "schema", std::string("poise-compare-1"));
    for (const auto& [name, value] : provenance(comm_)) file.set_attribute("/", name, value);
    file.create_group("/config");
    for (const auto& [name, value] : config) file.set_attribute("/config", name, value);
    file.create_group("/paths");
    file.create_group("/costs");
    write_study(file, study);
    if (weights) write_weights(file, study);
    replace_file(path, file.image());
  });
}

}  // namespace poise::compare
