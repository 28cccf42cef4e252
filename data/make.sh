#!/bin/sh
# Makes digits.h5 and diabetes.h5 from the tables in raw/, and digits_graph.h5 from digits.h5.
#   data/make.sh [path of poise-data [folder for the files]]
# The default program is build/apps/poise-data, the default folder is the folder of this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=${1:-$here/../build/apps/poise-data}
out=${2:-$here}

"$program" import -csv "$here/raw/digits.csv.gz" -label_column -1 -test_fraction 0.1653 -stratify false -seed 0 \
  -name "Optical recognition of handwritten digits" \
  -source "UCI Machine Learning Repository, E. Alpaydin and C. Kaynak 1998 (test part, 1797 digits), as shipped by scikit-learn" \
  -license "CC BY 4.0" -out "$out/digits.h5" -force true

"$program" import -csv "$here/raw/diabetes_data_raw.csv.gz" -target_csv "$here/raw/diabetes_target.csv.gz" \
  -test_fraction 0.2262 -seed 0 \
  -name "Diabetes disease progression" \
  -source "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, Annals of Statistics 32 (2004), as shipped by scikit-learn" \
  -license "none stated; distributed with scikit-learn (BSD 3-Clause)" -out "$out/diabetes.h5" -force true

"$program" graph knn -data "$out/digits.h5" -neighbours 10 -labelled 20 -validating 30 -splits 10 -seed 0 \
  -name "Digits as a graph of nearest neighbours" \
  -source "the training samples of digits.h5, each joined with its 10 nearest ones" \
  -license "CC BY 4.0" -out "$out/digits_graph.h5" -force true
