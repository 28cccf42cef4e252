# cmake -DSOURCE=… -DHEADER=… [-DCOMPILER=… -DFLAGS=…] -P BuildInfo.cmake, at every build: the commit and the compiler that
# run files name. The header is written only if its content has changed, so that nothing is compiled again without need.
#
# A commit is "-dirty" only if a source of the programs was changed or added: a new README makes no build dirty.
set(commit unknown)
if(EXISTS ${SOURCE}/.git)  # without this check, git would answer for a repository around a copy of Poise
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
