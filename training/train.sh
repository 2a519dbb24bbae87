#!/bin/sh
# Trains from nothing: makes the environment if there is none, then the demonstrations, then the model.
#   training/train.sh RUN_FOLDER [options of fastwam_tiny.train]
# PYTHON=... uses an environment that is there already.
set -eu
if [ $# -eq 0 ]; then
  echo "usage: $0 RUN_FOLDER [options; see: python -m fastwam_tiny.train --help]" >&2
  exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"

PYTHON=$(./python.sh)

# Waiting threads sleep: with anything else on the machine, spinning ones cost whole seconds.
export OMP_WAIT_POLICY=passive
# Keep freed tensors: giving their pages back and getting them again takes a tenth of the time.
export MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=8000000000
exec "$PYTHON" -m fastwam_tiny.train --out "$out" "$@"
