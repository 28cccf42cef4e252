# Programs whose calls are made to fail. Not with the sanitizers, which must be the first library loaded.
if(POISE_SANITIZE)
  return()
endif()

add_library(poise_faults MODULE faults/fault_plan.cpp faults/inject_libc.cpp faults/inject_mpi.cpp)
target_link_libraries(poise_faults PRIVATE poise_dependencies poise_compile_options ${CMAKE_DL_LIBS})
target_include_directories(poise_faults PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(poise_faults PRIVATE -U_FORTIFY_SOURCE)  # _FORTIFY_SOURCE defines some of these functions, too

add_executable(test_callbacks faults/callbacks.cpp)
target_link_libraries(test_callbacks PRIVATE poise_theory poise_dynamics poise_compile_options)
target_include_directories(test_callbacks PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})

# A test is a file of Python's unittest. Each starts two programs of three ranks at a time.
foreach(name io callbacks memory solvers)
  add_test(NAME faults_${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/faults/test_faults_${name}.py)
  set(environment ${POISE_TEST_ENVIRONMENT} POISE_FAULTS=$<TARGET_FILE:poise_faults>
    POISE_CALLBACKS=$<TARGET_FILE:test_callbacks>)
  set_tests_properties(faults_${name} PROPERTIES PROCESSORS 2 TIMEOUT 900 LABELS faults ENVIRONMENT "${environment}")
endforeach()

# Crashes, full disks, damaged files, two processes, clocks, signals; each test is a file of Python's unittest.
foreach(name kill signals clock lock disk)
  add_test(NAME faults_${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/faults/test_${name}.py)
  set_tests_properties(faults_${name} PROPERTIES PROCESSORS 2 TIMEOUT 600 SKIP_RETURN_CODE 77 LABELS faults
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT};POISE_INJECTOR=$<TARGET_FILE:poise_faults>")
endforeach()
