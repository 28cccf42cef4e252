# Programs whose calls are made to fail. Not with the sanitizers, which want to be the first library loaded.
if(POISE_SANITIZE)
  return()
endif()

add_library(poise_faults MODULE faults/fault_plan.cpp faults/inject_libc.cpp faults/inject_mpi.cpp)
target_link_libraries(poise_faults PRIVATE poise_dependencies poise_compile_options ${CMAKE_DL_LIBS})
target_include_directories(poise_faults PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(poise_faults PRIVATE -U_FORTIFY_SOURCE)  # which defines some of these functions, too
