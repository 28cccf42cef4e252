#include "poise/base/output.hpp"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "poise/base/clock.hpp"

namespace poise {
namespace {

/// While it lives, standard output and standard error go to another file.
class Redirection {
 public:
  explicit Redirection(int to) {
    std::fflush(stdout);
    ::dup2(to, STDOUT_FILENO);
    ::dup2(to, STDERR_FILENO);
  }
  ~Redirection() {
    ::dup2(out_, STDOUT_FILENO);
    ::dup2(error_, STDERR_FILENO);
    ::close(out_);
    ::close(error_);
  }
  Redirection(const Redirection&) = delete;
  Redirection& operator=(const Redirection&) = delete;

 private:
  int out_ = ::dup(STDOUT_FILENO), error_ = ::dup(STDERR_FILENO);
};

/// Seconds that wait_until_read takes after a message to the file.
double waiting_time(int to) {
  const Redirection redirection(to);
  EXPECT_EQ(::write(STDERR_FILENO, "message\n", 8), 8);
  const double begin = steady_seconds();
  wait_until_read();
  return steady_seconds() - begin;
}

TEST(WaitUntilRead, ReturnsOnceThePipeIsEmpty) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread reader([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    char text[8];
    EXPECT_EQ(::read(ends[0], text, sizeof text), 8);
  });
  EXPECT_GT(waiting_time(ends[1]), 0.01);
  int left = -1;
  EXPECT_EQ(::ioctl(ends[0], FIONREAD, &left), 0);
  EXPECT_EQ(left, 0);
  reader.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(WaitUntilRead, ReturnsIfNobodyReads) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_GT(waiting_time(ends[1]), 0.9);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(WaitUntilRead, DoesNotWaitForAFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_LT(waiting_time(::fileno(file)), 0.9);
  std::fclose(file);
}

}  // namespace
}  // namespace poise
