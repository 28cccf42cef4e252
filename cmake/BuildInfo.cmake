# cmake -DSOURCE=… -DHEADER=… [-DCOMPILER=… -DFLAGS=…] -P BuildInfo.cmake, at every build: what run files say the programs
# were built from. The header is written only if that has changed, so that nothing is compiled again without need.
#
# A file that is changed or new counts where the programs are made of it: a new README makes no build dirty.
set(commit unknown)
if(EXISTS ${SOURCE}/.git)  # else a repository around a copy without git would speak for it
  set(git git -C ${SOURCE})
  execute_process(COMMAND ${git} rev-parse --short=12 HEAD OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE failed ERROR_QUIET)
  execute_process(COMMAND ${git} status --porcelain -- CMakeLists.txt cmake src apps OUTPUT_VARIABLE changes
                  RESULT_VARIABLE unknown_changes ERROR_QUIET)
  if(failed EQUAL 0 AND unknown_changes EQUAL 0)
    set(commit ${head})
    if(changes)
      string(APPEND commit -dirty)
    endif()
  endif()
else()
  # `git archive` puts its commit into this file (.gitattributes).
  file(STRINGS ${SOURCE}/cmake/archived_commit.txt archived LIMIT_COUNT 1)
  if(archived MATCHES "^[0-9a-f]+$")
    string(SUBSTRING ${archived} 0 12 commit)
  endif()
endif()
configure_file(${SOURCE}/cmake/build_info.hpp.in ${HEADER} @ONLY)
