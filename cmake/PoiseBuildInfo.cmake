# Commit, compiler and flags for run files. Found at every build, because the commit changes without configuring.
string(TOUPPER ${CMAKE_BUILD_TYPE} build_type)
get_target_property(options poise_compile_options INTERFACE_COMPILE_OPTIONS)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}" flags)
set(build_info ${PROJECT_BINARY_DIR}/build_info/build_info.hpp)
add_custom_target(poise_build_info
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DHEADER=${build_info}
          "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
          "-DFLAGS=${flags} $<JOIN:${options}, >"
          -P ${PROJECT_SOURCE_DIR}/cmake/BuildInfo.cmake
  BYPRODUCTS ${build_info} COMMENT "Commit of this build" VERBATIM)
add_dependencies(poise_base poise_build_info)
set_source_files_properties(src/poise/base/version.cpp PROPERTIES
  COMPILE_DEFINITIONS "POISE_VERSION=\"${PROJECT_VERSION}\""
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/build_info)
