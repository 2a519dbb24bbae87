#!/usr/bin/env bash
# Runs a command in the environment that scripts/setup-ros.sh has made: npm run ros -- COMMAND [ARGUMENTS]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
environment="${ROS_SETUP_DIR:-$root/.ros}/env.sh"
if [ ! -f "$environment" ]; then
  echo "ros: there is no ROS 2 environment yet. Run once: npm run ros:setup" >&2
  exit 1
fi
if [ $# -eq 0 ]; then
  echo "ros: give a command, for example: npm run ros -- ros2 run fast_wam_policy policy" >&2
  exit 2
fi
set +u
. "$environment"
set -u
exec "$@"
