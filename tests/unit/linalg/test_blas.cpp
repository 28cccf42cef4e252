#include <gtest/gtest.h>

#include <vector>

#include "poise/linalg/blas.hpp"

namespace poise {
namespace {

TEST(BlasInfoTest, TheReferenceBlasIsKnownByItsFile) {
  EXPECT_TRUE(is_reference_blas("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"));
  EXPECT_FALSE(is_reference_blas("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"));
  EXPECT_FALSE(is_reference_blas("/usr/lib/x86_64-linux-gnu/blis-openmp/libblas.so.3"));
  EXPECT_FALSE(is_reference_blas("/opt/intel/mkl/lib/libmkl_rt.so"));
}

TEST(BlasInfoTest, TheFileThatRunsAndItsThreadsAreFound) {
  const BlasInfo info = blas_info();
  EXPECT_NE(info.file.find(".so"), std::string::npos) << info.file;
  EXPECT_GE(info.threads, 1);
}

TEST(Gemm, EmptyProductsLeaveZerosOrNothing) {
  std::vector<double> c{1.0, 2.0};
  gemm('N', 'N', 2, 1, 0, 1.0, nullptr, 2, nullptr, 0, 0.0, c.data(), 2);  // a sum over nothing
  EXPECT_EQ(c, (std::vector<double>{0.0, 0.0}));
  gemm('N', 'N', 0, 1, 2, 1.0, nullptr, 0, c.data(), 2, 0.0, nullptr, 0);  // no rows
}

}  // namespace
}  // namespace poise
