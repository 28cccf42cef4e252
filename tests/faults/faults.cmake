# Programs whose calls are made to fail. Not with the sanitizers, which want to be the first library loaded.
if(POISE_SANITIZE)
  return()
endif()

add_library(poise_faults MODULE faults/fault_plan.cpp faults/inject_libc.cpp faults/inject_mpi.cpp)
target_link_libraries(poise_faults PRIVATE poise_dependencies poise_compile_options ${CMAKE_DL_LIBS})
target_include_directories(poise_faults PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(poise_faults PRIVATE -U_FORTIFY_SOURCE)  # which defines some of these functions, too

# Crashes, full disks, damaged files, two processes, clocks, signals; a test is a file of Python's unittest.
foreach(name kill signals clock lock disk)
  add_test(NAME faults_${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/faults/test_${name}.py)
  set_tests_properties(faults_${name} PROPERTIES PROCESSORS 2 TIMEOUT 600 SKIP_RETURN_CODE 77 LABELS faults
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT};POISE_TRAIN=$<TARGET_FILE:poise-train>;POISE_DATA=$<TARGET_FILE:poise-data>;POISE_INJECTOR=$<TARGET_FILE:poise_faults>;MPIEXEC=${MPIEXEC}")
endforeach()
