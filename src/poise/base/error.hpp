#pragma once

#include <petscsys.h>

#include <stdexcept>
#include <string>

namespace poise {
inline namespace base {

/// The exit code of a Poise program, the same on every rank.
enum class ExitCode : int {
  done = 0,
  failed = 1,        ///< an audit or a solve failed
  bad_input = 2,     ///< bad usage, options or files
  not_verified = 3,  ///< everything is done, but an audit could neither confirm nor refute its claim
  requeue = 75,      ///< stopped on request, with a checkpoint: run the program again
};

/// The only exception type of Poise. The message names the cause and the cure. `collective` says that every
/// rank of the world (in run_members: of the group) throws the same error, so that the program can end in an
/// orderly way; an error on one rank only must abort the world. `corrects` says that the message names a
/// misspelt option and its correct spelling.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message, bool collective = false, bool corrects = false)
      : std::runtime_error(message), code_(code), collective_(collective), corrects_(corrects) {}

  /// The same error with another message.
  [[nodiscard]] Error with_message(const std::string& message) const {
    return {code_, message, collective_, corrects_};
  }

  [[nodiscard]] ExitCode code() const noexcept { return code_; }
  [[nodiscard]] bool collective() const noexcept { return collective_; }
  [[nodiscard]] bool corrects() const noexcept { return corrects_; }

 private:
  ExitCode code_;
  bool collective_;
  bool corrects_;
};

/// A wrong option, file or data set (exit code 2).
[[nodiscard]] inline Error bad_input(const std::string& message) {
  return {ExitCode::bad_input, message};
}

/// A solve or an audit that failed (exit code 1).
[[nodiscard]] inline Error failure(const std::string& message) {
  return {ExitCode::failed, message};
}

}  // namespace base
}  // namespace poise
