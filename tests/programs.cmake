# Tests that are scripts: figures, the commands of the documents, training runs, installation.

# The first python3 in PATH may lack the modules although /usr/bin/python3 has them. If both lack them, the test fails and
# names the missing module.
set(plot_python python3)
foreach(candidate python3 /usr/bin/python3)
  execute_process(COMMAND ${candidate} -c "import h5py, matplotlib" RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
  if(missing EQUAL 0)
    set(plot_python ${candidate})
    break()
  endif()
endforeach()
add_test(NAME plot_run COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_plot_run.py)
set_tests_properties(plot_run PROPERTIES TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants)

add_test(NAME import_arrays COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_import_arrays.py)
set_tests_properties(import_arrays PROPERTIES TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
  ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")

# Graph files.
foreach(name graphs graph_edges)
  add_test(NAME ${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_${name}.py)
  set_tests_properties(${name} PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endforeach()

# poise-train as a whole program, started by mpirun; each test is a file of Python's unittest.
foreach(name resume grids bad_input combinations damage audit options_files models minibatch minimise inexact failures
  interruptions dynamics provenance phases ensemble real_data validation log graph)
  add_test(NAME train_${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_train_${name}.py)
  set_tests_properties(train_${name} PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endforeach()

# The Python package. Code 77 if this Python lacks the modules of a test.
foreach(name python python_models python_graphs python_torch python_xarray python_notebook python_install)
  add_test(NAME ${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_${name}.py)
  set_tests_properties(${name} PROPERTIES PROCESSORS 2 SKIP_RETURN_CODE 77 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endforeach()

add_test(NAME build_info COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_build_info.py)
set_tests_properties(build_info PROPERTIES TIMEOUT 60 LABELS invariants)

# THEORY.md has every item that is cited or printed to users.
add_test(NAME citations COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_citations.py ${PROJECT_SOURCE_DIR})
set_tests_properties(citations PROPERTIES TIMEOUT 60 LABELS invariants)

# The programs that study runs, in the same way. predict_tables is a test of poise-predict, graph_runs a test of all.
foreach(name spectrum sweep compare audit predict predict_tables graph_runs)
  add_test(NAME ${name} COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_${name}.py)
  set_tests_properties(${name} PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endforeach()

# The diagnostics of solvers, in all programs.
add_test(NAME diagnostics COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_diagnostics.py)
set_tests_properties(diagnostics PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
  ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")

add_test(NAME readme COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_readme.py
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
set_tests_properties(readme PROPERTIES PROCESSORS 2 TIMEOUT 900 LABELS invariants
  ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")

# A crash and an endless loop inside HDF5. Not with the sanitizers, which report them themselves.
if(NOT POISE_SANITIZE)
  add_executable(crash_while_reading invariants/crash_while_reading.cpp)
  target_link_libraries(crash_while_reading PRIVATE poise_io poise_compile_options)
  add_test(NAME crash_guard COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_crash_guard.py)
  set_tests_properties(crash_guard PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT};CRASH_WHILE_READING=$<TARGET_FILE:crash_while_reading>")
endif()

# The readers of untrusted files under libFuzzer, in a separate build; code 77 if clang lacks libFuzzer.
if(NOT POISE_SANITIZE)
  add_test(NAME fuzz COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/run.sh --build ${PROJECT_BINARY_DIR}/fuzz)
  set_tests_properties(fuzz PROPERTIES PROCESSORS 2 SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS fuzz)
endif()

# The jobs on a real SLURM, which the test starts; code 77 if it cannot start. No other test runs beside it, because jobs
# have time limits.
if(NOT POISE_SANITIZE)
  add_test(NAME slurm_jobs COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/slurm/test_jobs.py)
  set_tests_properties(slurm_jobs PROPERTIES RUN_SERIAL TRUE SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS slurm
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endif()
add_test(NAME job_scripts COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/slurm/test_scripts.py)
set_tests_properties(job_scripts PROPERTIES TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS slurm)

if(NOT POISE_SANITIZE)  # otherwise the separate project would need the sanitizers, too
  add_test(NAME install_and_find_package
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/run.sh ${PROJECT_BINARY_DIR} ${MPIEXEC})
  set_tests_properties(install_and_find_package PROPERTIES PROCESSORS 2 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS install
    ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")
endif()

add_test(NAME poise_bench_json
  COMMAND ${plot_python} ${CMAKE_CURRENT_SOURCE_DIR}/invariants/test_poise_bench.py $<TARGET_FILE:poise-bench> ${MPIEXEC})
set_tests_properties(poise_bench_json PROPERTIES PROCESSORS 3 TIMEOUT ${POISE_SCRIPT_TIMEOUT} LABELS invariants
  ENVIRONMENT "${POISE_TEST_ENVIRONMENT}")

include(faults/faults.cmake)
