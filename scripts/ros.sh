#!/usr/bin/env bash
# Runs a command in the environment that scripts/setup-ros.sh has made: npm run ros -- COMMAND [ARGUMENTS]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
home="${root%%/node_modules/*}" # of an installed package: the project that it is installed in
environment="${ROS_SETUP_DIR:-$home/.ros}/env.sh"
if [ "$home" = "$root" ]; then
  setup="npm run ros:setup" run="npm run ros --"
else
  setup="npx fastwam ros-setup" run="npx fastwam ros"
fi
if [ ! -f "$environment" ]; then
  echo "ros: there is no ROS 2 environment yet. Run once: $setup" >&2
  exit 1
fi
if [ $# -eq 0 ]; then
  echo "ros: give a command, for example: $run ros2 run fast_wam_policy policy" >&2
  exit 2
fi
set +u
. "$environment"
set -u
exec "$@"
