#!/usr/bin/env bash
# Installs openpi's public client into ./.openpi, for the tests of `fastwam serve` and for examples/: every file pinned by its
# hash. Done again only when the list or the Python has changed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
list="$root/scripts/openpi-client-requirements.txt"
venv="$root/.openpi"
python="${PYTHON:-python3}"
made_of="$({ cat "$list"; "$python" -VV; } | sha256sum | cut -d ' ' -f 1)"
if [ "$(cat "$venv/made-of" 2>/dev/null || true)" = "$made_of" ]; then exit 0; fi
if ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'; then
  echo "$("$python" --version): openpi-client wants numpy 1, which has wheels for Python 3.10 to 3.12; name one with PYTHON=" >&2
  exit 1
fi
"$python" -m venv --clear "$venv"
# The list is complete: nothing is resolved anew, and `pip check` says what it lacks.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes -r "$list"
"$venv/bin/pip" check --disable-pip-version-check >/dev/null
echo "$made_of" >"$venv/made-of"
echo "openpi's client: $venv/bin/python"
