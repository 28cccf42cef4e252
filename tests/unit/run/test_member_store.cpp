#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/run/member_store.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

class MemberStoreTest : public testing::Test {
 protected:
  /// Member 1 of three, saved by the last rank.
  void save(const MemberStore& store, const MemberResult& result) const {
    int rank = 0, size = 1;
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size));
    if (rank == size - 1) store.save(1, result);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  [[nodiscard]] std::string file() const { return folder_ / "members/000001.txt"; }
  void rewrite(const std::string& text) const {
    on_root(MPI_COMM_WORLD, [&] { std::ofstream(file()) << text; });
  }
  [[nodiscard]] std::string content() const {
    std::stringstream text;
    text << std::ifstream(file()).rdbuf();
    MPI_Barrier(MPI_COMM_WORLD);
    return text.str();
  }

  const TemporaryFolder folder_;
  const std::vector<std::string> names_{"a", "b", "c"};
  const MemberStore store_{folder_ / ".", names_, "-gamma 0.5"};
  const MemberResult result_{{0.1, 1.0 / 3.0, -0.0, 5e-324, std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()},
                             "",
                             3,
                             0.25};
};

TEST_F(MemberStoreTest, AResultComesBackBitByBitOnAllRanks) {
  EXPECT_FALSE(store_.load(MPI_COMM_WORLD)[1]);
  save(store_, result_);
  const auto loaded = store_.load(MPI_COMM_WORLD);
  ASSERT_EQ(loaded.size(), 3U);
  EXPECT_FALSE(loaded[0] || loaded[2]);
  ASSERT_TRUE(loaded[1]);
  ASSERT_EQ(loaded[1]->values.size(), result_.values.size());
  for (std::size_t i = 0; i + 1 < result_.values.size(); ++i) {
    EXPECT_EQ(loaded[1]->values[i], result_.values[i]);
    EXPECT_EQ(std::signbit(loaded[1]->values[i]), std::signbit(result_.values[i]));
  }
  EXPECT_TRUE(std::isnan(loaded[1]->values.back()));
  EXPECT_EQ(loaded[1]->group, 3);
  EXPECT_EQ(loaded[1]->seconds, 0.25);
  EXPECT_EQ(loaded[1]->error, "");
  MPI_Barrier(MPI_COMM_WORLD);
  store_.clear(MPI_COMM_WORLD);
  EXPECT_FALSE(std::filesystem::exists(store_.folder()));
}

TEST_F(MemberStoreTest, AnyDamageIsNoticed) {
  save(store_, result_);
  const std::string whole = content();
  for (std::size_t place = 0; place < whole.size(); place += 3) {
    std::string changed = whole;
    changed[place] = static_cast<char>(changed[place] ^ 1);
    rewrite(changed);
    EXPECT_FALSE(store_.load(MPI_COMM_WORLD)[1]) << changed;
    rewrite(whole.substr(0, place));
    EXPECT_FALSE(store_.load(MPI_COMM_WORLD)[1]) << place;
  }
  rewrite(whole);
  EXPECT_TRUE(store_.load(MPI_COMM_WORLD)[1]);
}

TEST_F(MemberStoreTest, AResultOfADifferentStudyIsRefused) {
  save(store_, result_);
  for (const MemberStore& other : {MemberStore(folder_ / ".", names_, "-gamma 0.6"),
                                   MemberStore(folder_ / ".", {"a", "d", "c"}, "-gamma 0.5")}) {
    const std::string message = message_of([&] { (void)other.load(MPI_COMM_WORLD); });
    EXPECT_NE(message.find("000001.txt was made with other samples or options"), std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace poise
