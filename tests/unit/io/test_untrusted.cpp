#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <fstream>

#include "poise/base/agree.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/hdf5_untrusted.hpp"
#include "poise/io/run_file.hpp"
#include "unit/io/dataset_fixture.hpp"

namespace poise {
namespace {

/// Malicious files. Their sizes must be refused before memory is reserved.
class UntrustedFileTest : public DatasetTest {
 protected:
  using Setup = void (*)(hid_t creation, hid_t space);
  /// Creates a data set of doubles and writes nothing into it.
  static void declare(H5File& file, const char* name, const std::vector<hsize_t>& dims, Setup setup,
                      bool extendible = false) {
    const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    std::vector<hsize_t> most = dims;
    if (extendible) most[0] = H5S_UNLIMITED;  // then a chunk may be longer than the data
    const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), most.data()), H5Sclose);
    setup(creation.get(), space.get());
    const H5Handle set(
        H5Dcreate2(file.id(), name, H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        H5Dclose);
    ASSERT_TRUE(static_cast<bool>(set)) << name;
  }
  static void put_pair(H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
  }
};

TEST_F(UntrustedFileTest, ADataSetThatClaimsMoreThanTheFileCanHoldIsRefused) {
  const auto contiguous = [](hid_t, hid_t) {};
  const auto chunked = [](hid_t creation, hid_t) {
    const std::array<hsize_t, 2> chunk{1, 2};
    H5Pset_chunk(creation, 2, chunk.data());
  };
  const auto deflated = [](hid_t creation, hid_t) {
    const std::array<hsize_t, 2> chunk{1, 2};
    H5Pset_chunk(creation, 2, chunk.data());
    H5Pset_deflate(creation, 9);
  };
  const auto unpacked_as_a_whole = [](hid_t creation, hid_t) {
    const std::array<hsize_t, 2> chunk{1 << 27, 2};
    H5Pset_chunk(creation, 2, chunk.data());
    H5Pset_deflate(creation, 9);
  };
  const auto refused = [&](const std::vector<hsize_t>& dims, Setup setup, bool extendible = false) {
    on_root(MPI_COMM_WORLD, [&] {
      H5File file = H5File::create_alone(path_);
      declare(file, "/features", dims, setup, extendible);
      put(file, "/targets", {3, 1});
      file.close();
    });
    expect_message("claims more data than the file holds");
  };
  refused({hsize_t{1} << 20, 2}, contiguous);
  refused({hsize_t{1} << 40, 2}, chunked);
  refused({hsize_t{1} << 40, 2}, deflated);
  refused({3, 2}, unpacked_as_a_whole, true);
}

TEST_F(UntrustedFileTest, NoOtherFileIsOpened) {
  const std::string secret = folder_ / "secret.h5";
  on_root(MPI_COMM_WORLD, [&] {
    H5File other = H5File::create_alone(secret);
    put_pair(other);
    other.close();
    H5File linked = H5File::create_alone(path_);
    H5Lcreate_external(secret.c_str(), "/features", linked.id(), "/features", H5P_DEFAULT, H5P_DEFAULT);
    put(linked, "/targets", {3, 1});
    linked.close();
  });
  expect_message("it is a link to /features of another file");
  write_file([](H5File& file) {
    declare(file, "/features", {3, 2},
            [](hid_t creation, hid_t) { H5Pset_external(creation, "raw", 0, 48); });
  });
  expect_message("lies in other files");
  write_file([](H5File& file) {
    declare(file, "/features", {3, 2}, [](hid_t creation, hid_t space) {
      H5Pset_virtual(creation, space, "secret.h5", "/features", space);
    });
  });
  expect_message("lies in other files");
  write_file([](H5File& file) {  // its own source: HDF5 would read it until the stack is full
    declare(file, "/features", {3, 2},
            [](hid_t creation, hid_t space) { H5Pset_virtual(creation, space, ".", "/features", space); });
  });
  expect_message("lies in other files");
}

TEST_F(UntrustedFileTest, FiltersWithoutABoundOnTheirOutputAreRefused) {
  write_file([](H5File& file) {
    declare(file, "/features", {3, 2}, [](hid_t creation, hid_t) {
      const std::array<hsize_t, 2> chunk{3, 2};
      H5Pset_chunk(creation, 2, chunk.data());
      H5Pset_scaleoffset(creation, H5Z_SO_FLOAT_DSCALE, 2);
    });
  });
  expect_message("is packed by the HDF5 filter 6, which is not read");
  write_file([](H5File& file) {
    declare(file, "/features", {3, 2}, [](hid_t creation, hid_t) {
      const std::array<hsize_t, 2> chunk{3, 2};
      H5Pset_chunk(creation, 2, chunk.data());
      H5Pset_deflate(creation, 9);
      H5Pset_deflate(creation, 9);
    });
  });
  expect_message("filter 1 twice");
}

TEST_F(UntrustedFileTest, MoreClassesThanAFileOfThisSizeCanMeanAreRefused) {
  write_file([](H5File& file) {
    put(file, "/features", {500, 2});
    put_labels(file, "/labels", std::vector<Index>(500, 0), 1'000'000);
  });
  expect_message("'classes' of /labels is 1000000, which is out of proportion");
}

TEST_F(UntrustedFileTest, FeaturesThatOverflowWhenScaledAreRefused) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2}, 1e200);
    file.set_attribute("/features", "scale_factor", 1e200);
    put(file, "/targets", {3, 1});
  });
  expect_message("/features x scale_factor + add_offset: row 0, column 0 holds inf");
}

TEST_F(UntrustedFileTest, DeepGroupsAndCyclesOfLinksEnd) {
  const auto contents = [&](const std::function<void(H5File&)>& body) {
    write_file(body);
    return H5File::open(MPI_COMM_WORLD, path_).objects();
  };
  const auto nest = [](H5File& file, int depth) {
    std::string name;
    for (int i = 0; i < depth; ++i) name += "/g";
    file.create_group(name);
  };
  EXPECT_EQ(contents([&](H5File& file) { nest(file, 32); }).size(), 33U);
  const std::string message = message_of([&] { (void)contents([&](H5File& file) { nest(file, 33); }); });
  EXPECT_NE(message.find("groups nested more than 32 deep of file '" + path_), std::string::npos) << message;
  const auto cycle = contents([&](H5File& file) {
    nest(file, 2);
    H5Lcreate_hard(file.id(), "/g", file.id(), "/g/g/up", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(cycle, (std::vector<std::string>{"/", "/g", "/g/g"}));
  write_file([](H5File& file) {
    H5Lcreate_soft("/features", file.id(), "/features", H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/targets", {3, 1});
  });
  expect_message("too many links");
}

TEST_F(UntrustedFileTest, AHistoryThatIsNoTableIsRefused) {
  const auto message_of_history = [&](const std::function<void(H5File&)>& body) {
    on_root(MPI_COMM_WORLD, [&] {
      H5File file = H5File::create_in_memory(path_);
      file.set_attribute("/", "schema", std::string("poise-run-1"));
      put(file, "/history/t", {4});
      body(file);
      RunFile::mark_for_seal(file);
      std::ofstream(path_, std::ios::binary) << RunFile::sealed(file.image());
    });
    return message_of([&] { (void)RunFile::load(MPI_COMM_WORLD, path_); });
  };
  EXPECT_NE(
      message_of_history([](H5File& file) { put(file, "/history/a\nb", {4}); }).find("more than one line"),
      std::string::npos);
  EXPECT_NE(
      message_of_history([](H5File& file) { put(file, "/history/u", {5}); }).find("length of the history"),
      std::string::npos);
}

TEST_F(UntrustedFileTest, TheShapeOfACheckpointsArrayIsCheckedBeforeItIsRead) {
  write_file([](H5File& file) {
    file.set_attribute("/", "schema", std::string("poise-checkpoint-1"));
    declare(file, "/audit", {hsize_t{1} << 50}, [](hid_t, hid_t) {});
  });
  const Checkpoint damaged = Checkpoint::open_unverified(MPI_COMM_WORLD, path_);
  EXPECT_FALSE(damaged.damage().empty());
  const std::string message = message_of([&] { (void)damaged.read_array("/audit", {-1}); });
  EXPECT_NE(message.find("claims more data than the file holds"), std::string::npos) << message;
}

}  // namespace
}  // namespace poise
