#include "poise/run/member_store.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <limits>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/base/text.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/durable.hpp"

namespace poise {
inline namespace run {
namespace {

constexpr const char* header = "poise-member-1";

/// The last line of a file: the CRC-32 of all before it.
std::string seal_of(const std::string& text) {
  return fmt::format("crc32 {:08x}\n", crc32_of(std::string_view(text)));
}

bool is_sealed(const std::string& text) {
  const std::size_t last = text.rfind("crc32 ");
  return last != std::string::npos && text.substr(last) == seal_of(text.substr(0, last));
}

double number_of(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end) throw bad_input("'" + text + "' is not a number");
  return value;
}

/// The rest of the next line, which must begin with `key` and a blank.
std::string take(std::istream& lines, const std::string& key) {
  std::string line;
  if (!std::getline(lines, line) || !line.starts_with(key + " "))
    throw bad_input("the line '" + key + "' is missing");
  return line.substr(key.size() + 1);
}

struct StoredMember {
  std::string study, name;
  MemberResult result;
};

/// Throws bad_input if the text is damaged.
StoredMember parse(const std::string& text) {
  if (!is_sealed(text)) throw bad_input("its content does not have its checksum");
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != header)
    throw bad_input("its first line is not " + std::string(header));
  StoredMember stored;
  stored.study = take(lines, "study");
  stored.name = take(lines, "member");
  stored.result.group = static_cast<int>(number_of(take(lines, "group")));
  stored.result.seconds = number_of(take(lines, "seconds"));
  const auto count = static_cast<std::size_t>(number_of(take(lines, "values")));
  std::vector<double>& values = stored.result.values;
  while (values.size() < count && std::getline(lines, line)) values.push_back(number_of(line));
  if (values.size() != count) throw bad_input("numbers are missing");
  return stored;
}

constexpr std::size_t longest_file = std::size_t{1} << 30;

}  // namespace

MemberStore::MemberStore(const std::string& directory, std::vector<std::string> names,
                         const std::string& study)
    : folder_(directory + "/members"),
      names_(std::move(names)),
      study_(fmt::format("{:08x}", crc32_of(std::string_view(study)))) {}

std::string MemberStore::path(std::size_t member) const {
  return fmt::format("{}/{:06}.txt", folder_, member);
}

void MemberStore::save(Index member, const MemberResult& result) const {
  const auto k = static_cast<std::size_t>(member);
  std::string text = fmt::format("{}\nstudy {}\nmember {}\ngroup {}\nseconds {}\nvalues {}\n", header, study_,
                                 names_[k], result.group, to_text(result.seconds), result.values.size());
  for (const double value : result.values) text += to_text(value) + "\n";
  create_directory(folder_);
  sync_path(std::filesystem::path(folder_).parent_path().string());
  replace_file(path(k), text + seal_of(text));
}

/// The text of a member's file; empty, with a warning, if the file is damaged. For one rank.
std::string MemberStore::read(std::size_t member) const {
  const std::string file = path(member);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  StoredMember stored;
  std::string text;
  try {
    text = read_file(file, longest_file);
    stored = parse(text);
  } catch (const Error& error) {
    warn(file + " is damaged (" + error.what() + "): its member, " + names_[member] + ", is computed again");
    return {};
  }
  if (stored.study != study_ || stored.name != names_[member])
    throw bad_input(
        "-resume: " + file +
        " was made with other samples or options than those of this study; give the samples and the "
        "options.txt that the study began with, or begin a new study in a different directory");
  return text;
}

std::vector<std::optional<MemberResult>> MemberStore::load(MPI_Comm comm) const {
  std::vector<std::optional<MemberResult>> results(names_.size());
  for (std::size_t k = 0; k < names_.size(); ++k) {
    std::string text;
    on_root(comm, [&] { text = read(k); });
    text = broadcast(comm, text);
    if (!text.empty()) results[k] = parse(text).result;
  }
  return results;
}

void MemberStore::clear(MPI_Comm comm) const {
  on_root(comm, [&] {
    std::error_code code;
    std::filesystem::remove_all(folder_, code);
    if (code) throw failure("cannot remove '" + folder_ + "': " + code.message());
  });
}

}  // namespace run
}  // namespace poise
