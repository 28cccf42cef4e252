# Environment of every test for the sanitizers: an exit code that no program of Poise has, and reports in files, because
# a test that expects a failure would accept a report as this failure. sanitizer_reports shows them.
set(POISE_SANITIZER_OPTIONS
  ASAN_OPTIONS=exitcode=99:detect_stack_use_after_return=1:check_initialization_order=1
  UBSAN_OPTIONS=exitcode=99:print_stacktrace=1
  LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/sanitizers/lsan.supp:print_suppressions=0)
set(POISE_SANITIZER_REPORTS ${PROJECT_BINARY_DIR}/sanitizer-report)
list(APPEND POISE_TEST_ENVIRONMENT ${POISE_SANITIZER_OPTIONS})
list(TRANSFORM POISE_TEST_ENVIRONMENT APPEND :log_path=${POISE_SANITIZER_REPORTS} REGEX "^(A|UB)SAN_OPTIONS")
