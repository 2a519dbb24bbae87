#!/bin/sh
# Prints a Python that has the packages of requirements.txt and of further lists, in .venv, which it makes where there is
# none: training/python.sh [requirements-original.txt]
# PYTHON=... is an environment that is there already.
set -eu
cd "$(dirname "$0")"
if [ -z "${PYTHON:-}" ]; then
  PYTHON=$PWD/.venv/bin/python
  [ -e "$PYTHON" ] || python3 -m venv .venv
  for list in requirements.txt "$@"; do
    [ -e ".venv/installed-$list" ] && continue
    "$PYTHON" -m pip install --quiet --require-hashes -r "$list" >&2
    touch ".venv/installed-$list"
  done
fi
echo "$PYTHON"
