# poise_library(NAME LINK other folders [PRIVATE implementation-only libraries]): src/poise/NAME -> target
# poise_NAME. Headers are included by their path below src, here and where they are installed.

add_library(poise_dependencies INTERFACE)
target_link_libraries(poise_dependencies INTERFACE PkgConfig::slepc PkgConfig::petsc MPI::MPI_CXX poise_blas)
target_include_directories(poise_dependencies SYSTEM INTERFACE ${RANDOM123_INCLUDE})
target_compile_features(poise_dependencies INTERFACE cxx_std_20)
set_target_properties(poise_dependencies PROPERTIES EXPORT_NAME dependencies)

# Division by zero is not among them: IEEE's infinities are what the code means.
set(sanitizers -fsanitize=address,undefined,float-cast-overflow)
add_library(poise_compile_options INTERFACE)
target_compile_options(poise_compile_options INTERFACE
  -fopenmp-simd  # loops that say which sums may be reordered
  -Wall -Wextra $<$<BOOL:${CMAKE_COMPILER_IS_GNUCXX}>:-Wno-restrict>  # GCC 12 sees overlaps in "a" + std::string that are not there (GCC bug 105651)
  $<$<BOOL:${POISE_WERROR}>:-Werror>
  $<$<BOOL:${POISE_NATIVE}>:-march=native>
  $<$<BOOL:${POISE_SANITIZE}>:${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all>
  $<$<BOOL:${POISE_FUZZ}>:-fsanitize=fuzzer-no-link>)
target_link_options(poise_compile_options INTERFACE $<$<BOOL:${POISE_SANITIZE}>:${sanitizers}>)

function(poise_library name)
  cmake_parse_arguments(arg "" "" "LINK;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/poise/${name}/*.cpp)
  add_library(poise_${name} ${sources})
  foreach(dependency IN LISTS arg_LINK)
    if(dependency STREQUAL "poise_dependencies")
      target_link_libraries(poise_${name} PUBLIC poise_dependencies)
    else()
      target_link_libraries(poise_${name} PUBLIC poise_${dependency})
    endif()
  endforeach()
  target_link_libraries(poise_${name} PRIVATE ${arg_PRIVATE}
    $<BUILD_INTERFACE:poise_compile_options> $<BUILD_INTERFACE:fmt::fmt-header-only>)
  target_include_directories(poise_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(NOT POISE_SANITIZE)
    target_link_options(poise_${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(poise_${name} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION})
  set_property(GLOBAL APPEND PROPERTY POISE_LIBRARIES poise_${name})
endfunction()
