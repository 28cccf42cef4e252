# `cmake --install build --prefix DIR`, then `find_package(poise)` and link `poise::poise`.
include(CMakePackageConfigHelpers)
add_library(poise_poise INTERFACE)
get_property(libraries GLOBAL PROPERTY POISE_LIBRARIES)
target_link_libraries(poise_poise INTERFACE ${libraries})
set_target_properties(poise_poise PROPERTIES EXPORT_NAME poise)

install(TARGETS ${libraries} poise_poise poise_dependencies EXPORT poise-targets)
install(DIRECTORY src/poise DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(EXPORT poise-targets NAMESPACE poise:: FILE poiseTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poise)
configure_package_config_file(cmake/poiseConfig.cmake.in ${PROJECT_BINARY_DIR}/poiseConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poise)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/poiseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/poiseConfig.cmake ${PROJECT_BINARY_DIR}/poiseConfigVersion.cmake
              cmake/PoiseDependencies.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poise)
install(DIRECTORY jobs DESTINATION ${CMAKE_INSTALL_DATADIR}/poise USE_SOURCE_PERMISSIONS
  PATTERN quickstart.sh EXCLUDE PATTERN install_dependencies.sh EXCLUDE)  # they need the sources
install(FILES README.md LICENSE CHANGELOG.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY petsc_opts DESTINATION ${CMAKE_INSTALL_DATADIR}/poise)
install(DIRECTORY data DESTINATION ${CMAKE_INSTALL_DATADIR}/poise PATTERN raw EXCLUDE PATTERN make.sh EXCLUDE)
install(DIRECTORY src/python/ DESTINATION ${CMAKE_INSTALL_DATADIR}/poise/python  # the installed scripts find it there
  PATTERN __pycache__ EXCLUDE PATTERN build EXCLUDE PATTERN "*.egg-info" EXCLUDE)
install(FILES src/poise/theory/THEORY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})  # the installed headers cite it
