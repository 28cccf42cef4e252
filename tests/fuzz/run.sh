#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs them: first the kept corpus, then new inputs for a bounded time.
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$folder/../.." && pwd)

usage() {
  cat <<'TEXT'
usage: tests/fuzz/run.sh [--build DIR] [--seconds N] [--jobs N] [--keep] [TARGET ...]
  --build DIR    where to build (default: build-fuzz)
  --seconds N    time for new inputs, per target (default 10; 0: only the corpus)
  --jobs N       targets at a time (default 2)
  --keep         put new inputs that reach more code into the corpus
  TARGET         dataset, checkpoint, run_file, import, options (default: all of these), or bytes
Exit code 1 if an input crashes a reader, hangs it, or makes it ask for too much memory; the input is kept in the build.
An input that crashes HDF5 itself is kept there, too, and named, but does not fail: the programs report such a crash.
Exit code 77 if clang or its libFuzzer is missing.
TEXT
}

build=$source_dir/build-fuzz
seconds=10
jobs=2
keep=false
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --jobs) jobs=$2 && shift ;;
    --keep) keep=true ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=(dataset checkpoint run_file import options)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$scratch/try.cpp"
if ! command -v clang++ >/dev/null || ! clang++ -fsanitize=fuzzer,address "$scratch/try.cpp" -o "$scratch/try" 2>/dev/null; then
  echo "skipped: clang++ with libFuzzer not found; the packages clang and libclang-rt-dev have them"
  exit 77
fi

mkdir -p "$build"
if ! { (cd "$source_dir" && cmake --preset fuzz -B "$build") && cmake --build "$build" --target fuzz --parallel 2; } \
  >"$build/fuzz.log" 2>&1; then
  cat "$build/fuzz.log"
  exit 1
fi

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Open MPI does not free its memory at the end, so leaks are not reported.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16:malloc_context_size=8

# Whether the crash in this log is a crash inside HDF5 while the crash guard is active, by the frames of the stack: the
# programs then end with a message that names the file. A stack overflow does not count: its frames do not reach the guard.
is_guarded() {
  awk '/^ *#0 / { inside = 1; hdf5 = guarded = 0; first = 1 }
    inside && first && !/__asan|__sanitizer|__interceptor|libc\.so|string\// { hdf5 = /libhdf5/; first = 0 }
    /poise::H5File::(together|~H5File)/ { guarded = 1 }
    /^SUMMARY: AddressSanitizer: SEGV/ { segv = 1 }
    /^ *$/ { if (inside && hdf5 && guarded) good = 1; inside = 0 }
    END { exit !(good && segv) }' "$1"
}

# Tries new inputs for $seconds. An input that crashes HDF5 itself is named and kept in $home. Uses the variables of
# run_target.
try_new_inputs() {
  local end=$((SECONDS + seconds)) seed=1
  while [ "$SECONDS" -lt "$end" ]; do
    "$program" "${limits[@]}" "-seed=$seed" "-max_total_time=$((end - SECONDS))" "$home/new" "$home/corpus" \
      >"$home/log.$seed" 2>&1 && crashed=false || crashed=true
    cat "$home/log.$seed" >>"$home/log"
    [ "$crashed" = true ] || return 0
    is_guarded "$home/log.$seed" || return 1
    echo "$name: an input crashes HDF5 itself, which the programs report; the input is in $home"
    seed=$((seed + 1))
  done
}

# Runs one target; prints a line, or on a failure the end of its log.
run_target() {
  local name=$1 home=$build/fuzz/$1 limits crashed
  local archive=$folder/corpus/$name.tar.gz
  rm -rf "$home" && mkdir -p "$home/corpus" "$home/new"
  [ ! -f "$archive" ] || tar -xzf "$archive" -C "$home/corpus"
  limits=(-max_len=1000 -len_control=0 -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256 "-artifact_prefix=$home/")
  local program=$build/tests/fuzz/fuzz_$name
  # -runs=0 reads only the corpus, without new inputs.
  if ! "$program" "${limits[@]}" -seed=1 -runs=0 "$home/corpus" >"$home/log" 2>&1 || ! try_new_inputs; then
    tail -n 60 "$home/log"
    echo "$name: FAILED; the input is in $home; again: $program FILE"
    return 1
  fi
  awk -v name="$name" '$1 ~ /^#/ && $2 == "DONE" { runs += substr($1, 2); coverage = $4 }
    END { printf "%s: %d inputs, coverage %d\n", name, runs, coverage }' "$home/log"
  [ "$keep" = false ] || keep_inputs "$name"
}

# Replaces the corpus by the smallest set of inputs that reaches the same code.
keep_inputs() {
  local name=$1 home=$build/fuzz/$1
  mkdir -p "$home/merged" "$folder/corpus"
  "$build/tests/fuzz/fuzz_$name" -merge=1 "$home/merged" "$home/new" "$home/corpus" >>"$home/log" 2>&1
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$home/merged" -cf - . | gzip -9n >"$folder/corpus/$name.tar.gz"
}

code=0
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || code=1; done
  run_target "$target" &
done
while [ "$(jobs -p | wc -l)" -gt 0 ]; do wait -n || code=1; done
exit "$code"
