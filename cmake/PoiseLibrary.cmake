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

# Libraries whose own loops are hot, compiled again for newer processors. The dynamic linker of glibc (2.33 or newer) takes the
# best one that the processor of this node can run from glibc-hwcaps/LEVEL beside the library: a build on one machine is fast on
# another, and never meets an instruction that a node lacks. Whole libraries and not functions, as a template that two files
# instantiate for different processors would end as one of both. Elsewhere the plain library runs.
function(poise_processor_variants)
  if(POISE_NATIVE OR POISE_SANITIZE OR NOT BUILD_SHARED_LIBS OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux"
     OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    return()
  endif()
  foreach(level x86-64-v3 x86-64-v4)
    foreach(name IN LISTS ARGN)
      get_target_property(sources poise_${name} SOURCES)
      get_target_property(libraries poise_${name} LINK_LIBRARIES)
      set(variant poise_${name}_${level})
      add_library(${variant} SHARED ${sources})
      target_link_libraries(${variant} PRIVATE ${libraries})
      target_include_directories(${variant} PRIVATE ${PROJECT_SOURCE_DIR}/src)
      target_compile_options(${variant} PRIVATE -march=${level})
      target_link_options(${variant} PRIVATE -Wl,--no-undefined)
      set_target_properties(${variant} PROPERTIES OUTPUT_NAME poise_${name} VERSION ${PROJECT_VERSION}
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/glibc-hwcaps/${level})
      add_dependencies(poise_${name} ${variant})  # whoever builds the library gets its variants
      install(TARGETS ${variant} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/${level} NAMELINK_SKIP)
    endforeach()
  endforeach()
endfunction()
