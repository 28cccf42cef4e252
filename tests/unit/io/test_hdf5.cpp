#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <numeric>

#include "poise/io/hdf5.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

std::vector<double> numbers(Index first, Index count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), static_cast<double>(first));
  return values;
}

class H5FileTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.h5";
  Range mine(Index n) const { return block_range(n, world_size(), world_rank()); }
};

TEST_F(H5FileTest, RowsComeBackAlsoWhereRanksHoldNone) {
  const Index columns = 5;
  for (const int deflate : {0, 4}) {
    for (const Index rows : {1, 2, 7, 40000}) {
      const Range part = mine(rows);
      const auto data = numbers(part.begin * columns, part.size() * columns);
      std::vector<Index> labels(static_cast<std::size_t>(part.size()));
      std::iota(labels.begin(), labels.end(), part.begin);
      auto out = H5File::create(MPI_COMM_WORLD, path_);
      out.write_rows("/group/x", {rows, columns}, part, data, deflate);
      out.write_rows("/labels", {rows}, part, std::span<const Index>(labels), deflate);
      out.close();

      const auto in = H5File::open(MPI_COMM_WORLD, path_);
      EXPECT_EQ(in.shape("/group/x").dims, (std::vector<Index>{rows, columns}));
      EXPECT_EQ(in.shape("/group/x").kind, H5Kind::real);
      EXPECT_EQ(in.shape("/labels").kind, H5Kind::integer);
      std::vector<double> x(data.size());
      std::vector<Index> y(labels.size());
      std::vector<double> all(static_cast<std::size_t>(rows));
      in.read_rows("/group/x", part, x);
      in.read_rows("/labels", part, std::span<Index>(y));
      in.read_rows("/labels", {0, rows}, all);
      EXPECT_EQ(x, data);
      EXPECT_EQ(y, labels);
      EXPECT_EQ(all, numbers(0, rows));
    }
  }
}

TEST_F(H5FileTest, ColumnsWrittenByRanksAreTheColumnsOfTheSet) {
  const Index rows = 3;
  const Index columns = 5;
  const Range part = mine(columns);
  std::vector<double> data;
  for (Index i = 0; i < rows; ++i)
    for (Index j = part.begin; j < part.end; ++j) data.push_back(static_cast<double>(i * columns + j));
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.write_columns("/b", rows, columns, part, data);
  out.close();
  const auto in = H5File::open(MPI_COMM_WORLD, path_);
  std::vector<double> all(15);
  in.read_rows("/b", {0, rows}, all);
  EXPECT_EQ(all, numbers(0, 15));
  std::vector<double> back(data.size());
  in.read_columns("/b", part, back);
  EXPECT_EQ(back, data);
}

TEST_F(H5FileTest, EmptySetsAreWrittenAndRead) {
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.write_rows("/none", {0, 4}, {0, 0}, std::span<const double>{});
  out.close();
  const auto in = H5File::open(MPI_COMM_WORLD, path_);
  EXPECT_EQ(in.shape("/none").dims, (std::vector<Index>{0, 4}));
  EXPECT_NO_THROW(in.read_rows("/none", {0, 0}, std::span<double>{}));
}

TEST_F(H5FileTest, AttributesOfAllTypesComeBackAndAreReplaced) {
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.create_group("/a/b");
  out.create_group("/a/b");
  out.set_attribute("/", "name", std::string("old"));
  out.set_attribute("/", "name", std::string("größer"));
  out.set_attribute("/", "empty", std::string());
  out.set_attribute("/a/b", "t", 0.1);
  out.set_attribute("/a/b", "seed", Index{1} << 60);
  out.set_attribute("/a/b", "long", std::string(100000, 'x'));
  out.close();
  const auto in = H5File::open(MPI_COMM_WORLD, path_);
  EXPECT_EQ(in.text_attribute("/", "name"), "größer");
  EXPECT_EQ(in.text_attribute("/", "empty"), "");
  EXPECT_EQ(in.real_attribute("/a/b", "t"), 0.1);
  EXPECT_EQ(in.integer_attribute("/a/b", "seed"), Index{1} << 60);
  EXPECT_EQ(in.text_attribute("/a/b", "long").size(), 100000U);
  EXPECT_EQ(in.attributes("/"), (std::vector<std::string>{"empty", "name"}));
  EXPECT_EQ(in.objects(), (std::vector<std::string>{"/", "/a", "/a/b"}));
  EXPECT_TRUE(in.exists("/a/b"));
  EXPECT_TRUE(in.exists("/"));
  EXPECT_FALSE(in.exists("/a/c/d"));
  EXPECT_FALSE(in.has_attribute("/", "t"));
  EXPECT_NE(message_of([&] { (void)in.integer_attribute("/a/b", "t"); }).find("is no integer"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)in.attribute("/", "zzz"); }).find("'zzz' of / is missing"),
            std::string::npos);
}

TEST_F(H5FileTest, ADamagedByteOfATextIsFoundBeforeHdf5ReadsTheText) {
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.set_attribute("/", "name", std::string("a text with a marked word"));
  out.set_attribute("/", "long", std::string(100000, 'x'));
  out.close();
  EXPECT_EQ(H5File::open(MPI_COMM_WORLD, path_).text_attribute("/", "name"), "a text with a marked word");
  EXPECT_TRUE(H5File::open(MPI_COMM_WORLD, path_).has_sealed_texts());
  std::stringstream stream;
  stream << std::ifstream(path_, std::ios::binary).rdbuf();
  const std::string good = stream.str();
  for (const std::string& part : {std::string("marked"), std::string(50000, 'x'), std::string("GCOL")}) {
    std::string bad = good;
    bad[good.find(part) + 1] ^= 1;
    MPI_Barrier(MPI_COMM_WORLD);
    on_root(MPI_COMM_WORLD, [&] { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bad; });
    EXPECT_FALSE(H5File::open(MPI_COMM_WORLD, path_).has_sealed_texts()) << part.substr(0, 10);
  }
}

TEST_F(H5FileTest, MissingFolderAndForeignFilesAreToldApart) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(folder_ / "text.h5") << "not HDF5"; });
  const auto opening = [&](const std::string& name) {
    return message_of([&] { (void)H5File::open(MPI_COMM_WORLD, name); });
  };
  EXPECT_EQ(opening(path_), "file '" + path_ + "' does not exist");
  EXPECT_EQ(opening(folder_ / "text.h5"), "file '" + (folder_ / "text.h5") + "' is not an HDF5 file");
  EXPECT_EQ(opening(folder_.path()), "'" + folder_.path() + "' is a directory, not an HDF5 file");
  const std::string below = folder_ / "text.h5/x.h5";
  const std::string message = message_of([&] { (void)H5File::create(MPI_COMM_WORLD, below); });
  EXPECT_NE(message.find("cannot create file '" + below + "'"), std::string::npos) << message;
}

TEST_F(H5FileTest, AnErrorOfHdf5ReachesEveryRankWithItsStack) {
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.write_rows("/x", {4}, mine(4), numbers(0, mine(4).size()));
  out.close();
  const auto in = H5File::open(MPI_COMM_WORLD, path_);
  try {
    (void)in.shape("/y");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    const std::string message = error.what();
    EXPECT_NE(message.find("cannot open data set /y of file '" + path_ + "'"), std::string::npos) << message;
    EXPECT_NE(message.find("H5Dopen2"), std::string::npos) << message;
  }
}

TEST_F(H5FileTest, AMissingPartThatOneRankReadsIsAnErrorOnAllRanks) {
  auto out = H5File::create(MPI_COMM_WORLD, path_);
  out.write_rows("/x", {4}, mine(4), numbers(0, mine(4).size()));
  out.close();
  const auto in = H5File::open(MPI_COMM_WORLD, path_);
  const bool culprit = world_rank() == world_size() - 1;
  std::vector<double> x(5);
  const std::string message = message_of([&] {
    in.read_rows("/x", {0, culprit ? 5 : 0}, std::span(x.data(), culprit ? 5 : 0));
  });
  EXPECT_NE(message.find("has no part [0, 5)"), std::string::npos) << message;
}

}  // namespace
}  // namespace poise
