#!/bin/sh
# What a shell sees of poise-data: exit codes, where messages go, and which files are left.
#   poise_data_cli.sh PROGRAM MPIEXEC
set -u
program=$1
mpiexec=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  sed 's/^/  stdout: /' out.txt
  sed 's/^/  stderr: /' err.txt
  failures=$((failures + 1))
}

# expect CODE TEXT COMMAND...: the exit code, and TEXT in stdout (code 0) or in stderr, each message once.
expect() {
  code=$1 text=$2
  shift 2
  "$@" >out.txt 2>err.txt
  status=$?
  [ "$status" -eq "$code" ] || fail "exit code $status instead of $code: $*"
  stream=out.txt
  [ "$code" -eq 0 ] || stream=err.txt
  grep -qF -- "$text" "$stream" || fail "'$text' is not in $stream: $*"
  [ "$code" -eq 0 ] || [ "$(grep -c 'poise: error:' err.txt)" -eq 1 ] || fail "not one error message: $*"
}

printf 'a,b,class\n1.5,2,0\n3,4,1\n5,6,0\n' >table.csv
printf '1,2,0\n3,4\n' >ragged.csv
printf '\0\0\010\003\0\0' >truncated.idx

expect 0 'poise-data import -csv' "$program" -help
expect 0 '-pixel_scale' "$program" import -help
expect 2 'name a command' "$program"
expect 2 "did you mean 'import'" "$program" imprt
expect 2 'name a data file' "$program" show
expect 2 "'table.csv' is not an option" "$program" import table.csv
expect 2 'nothing to import' "$program" import -out x.h5
expect 2 'option -out is missing' "$program" import -csv table.csv -label_column 2
expect 2 'the nearest is -label_column' "$program" import -csv table.csv -label_colum 2 -out x.h5
expect 2 'no such file' "$program" import -csv none.csv -label_column 2 -out x.h5
expect 2 'line 2: has 2 fields' "$program" import -csv ragged.csv -label_column -1 -out x.h5
expect 2 'ends in its IDX header' "$program" import -images truncated.idx -labels truncated.idx -out x.h5
expect 2 'is not an NPY file' "$program" import -npy_features table.csv -npy_labels table.csv -out x.h5
expect 2 'no such folder' "$program" import -csv table.csv -label_column 2 -out none/x.h5
expect 2 'does not exist' "$program" show x.h5
expect 2 'is not an HDF5 file' "$program" show table.csv
[ -e x.h5 ] || [ -e x.h5.tmp ] && fail 'a failed import left a file'

expect 0 '3 training and 0 test samples, 2 features (float64), 2 classes' \
  "$program" import -csv table.csv -label_column 2 -out x.h5 -name 'a name' -source 'over there'
expect 0 'name: a name' "$program" show x.h5
expect 2 'exists already; -force true replaces it' "$program" import -csv table.csv -label_column 2 -out x.h5
expect 0 'and 1 test sample,' "$program" import -csv table.csv -label_column 2 -test_rows 1 -out x.h5 -force true
expect 0 '20 training' "$mpiexec" -n 2 "$program" synthetic -samples 20 -out y.h5
expect 2 'exists already' "$mpiexec" -n 2 "$program" synthetic -samples 20 -out y.h5
expect 2 'line 2: has 2 fields' "$mpiexec" -n 2 "$program" import -csv ragged.csv -label_column -1 -out z.h5

[ "$failures" -eq 0 ] && echo 'all as expected'
exit "$failures"
