#!/usr/bin/env bash
# Packs the project, installs the tarball in an empty project elsewhere and uses it there, under each version of node:
#
#   scripts/try-package.sh              the node of this shell
#   scripts/try-package.sh 20 22 24     these, fetched by npx where they are not this shell's
#
# Nothing of the checkout is used after the packing; prints what it tried and ends with a count.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
tried=0

say() { printf 'try-package: %s\n' "$*"; }
# attempt CODE PATTERN COMMAND...: the command ends with that code and says something that fits
attempt() {
  local code="$1" pattern="$2" got=0
  shift 2
  "$@" >"$work/output" 2>&1 </dev/null || got=$?
  if [ "$got" != "$code" ] || ! grep -qE -- "$pattern" "$work/output" || grep -q 'Unknown.*config' "$work/output"; then
    cat "$work/output"
    say "FAILED: $* ended with $got (expected $code, saying: $pattern)" >&2
    exit 1
  fi
  tried=$((tried + 1))
  say "ok: $* [$(grep -m1 -oE -- "$pattern" "$work/output" | head -n 1)]"
}

npm pack --silent --pack-destination "$work" >/dev/null
tarball="$(ls "$work"/*.tgz)"
say "$(basename "$tarball"), $(du -h "$tarball" | cut -f1)"
version="$(node -p 'require("./package.json").version')"
bundle=node_modules/fast-wam-policy/bundles/tabletop

for node in "${@:-}"; do
  path="$PATH"
  if [ -n "$node" ] && [ "$(node -p 'process.versions.node.split(".")[0]')" != "$node" ]; then
    path="$(dirname "$(npx -y -p "node@$node" -c 'which node')"):$PATH"
  fi
  (
    # As a user's shell, not as a script of this project.
    for name in $(compgen -e | grep '^npm_' || true); do unset "$name"; done
    export PATH="$path" ONNXRUNTIME_NODE_INSTALL=skip FAST_WAM_CUDA_DIR="$work/no-cuda"
    rm -rf "$work/project"
    mkdir "$work/project"
    cd "$work/project"
    say "node $(node --version)"
    npm init -y >/dev/null
    attempt 0 'added [0-9]+ packages' npm install --no-audit --no-fund --prefer-offline "$tarball"
    attempt 0 "^${version//./\\.}\$" npx --no -- fastwam --version
    attempt 0 'Models run on the CPU' npx --no -- fastwam doctor
    attempt 0 'of 2 episodes' npx --no -- fastwam simulate --bundle "$bundle" --episodes 2
    attempt 0 'report: .*report\.html' npx --no -- fastwam replay node_modules/fast-wam-policy/bags/tabletop_demo \
      --bundle "$bundle" --params node_modules/fast-wam-policy/params/tabletop_demo.yaml --chunks 3
    cp node_modules/fast-wam-policy/examples/embed.mjs .
    attempt 0 'chunk 4: 10 stacks' node embed.mjs "$bundle" node_modules/fast-wam-policy/bags/tabletop_demo \
      node_modules/fast-wam-policy/params/tabletop_demo.yaml
    attempt 0 'dry run: nothing was downloaded' npx --no -- fastwam cuda-setup --dry-run
    attempt 1 'Run once: npx fastwam ros-setup' npx --no -- fastwam ros true
    attempt 0 'known are|wheels, whatever' npx --no -- fastwam ros-setup --help
    echo "$tried" >"$work/tried"
  )
  tried="$(cat "$work/tried")"
done
say "$tried attempts, all as they should be"
