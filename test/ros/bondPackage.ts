import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './Peer';

const FOLDER = join(ROOT, '.ros', 'test-bond');
const INSTALL = join(FOLDER, 'install');

const FILES: Readonly<Record<string, string>> = {
  'package.xml': `<?xml version="1.0"?>
<package format="3">
  <name>bond</name>
  <version>4.1.2</version>
  <description>The message of bond_core, by its public definition, for the tests.</description>
  <maintainer email="nobody@example.com">the tests</maintainer>
  <license>BSD-3-Clause</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>std_msgs</depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
`,
  'CMakeLists.txt': `cmake_minimum_required(VERSION 3.20)
project(bond)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(std_msgs REQUIRED)
rosidl_generate_interfaces(\${PROJECT_NAME} "msg/Status.msg" DEPENDENCIES std_msgs)
ament_export_dependencies(rosidl_default_runtime)
ament_package()
`,
  'msg/Status.msg': `std_msgs/Header header
string id
string instance_id
bool active
float32 heartbeat_timeout
float32 heartbeat_period
`,
};

/**
 * Makes a command run where the package `bond` is installed, which the wheels of ROS 2 lack. It is built once, beside the
 * other things of `npm run ros:setup` and apart from them: half a minute.
 */
export function withBond(): (command: readonly string[]) => string[] {
  if (!existsSync(join(FOLDER, 'done'))) build();
  const around = [
    'export AMENT_PREFIX_PATH="$0:$AMENT_PREFIX_PATH" LD_LIBRARY_PATH="$0/lib:$LD_LIBRARY_PATH"',
    'for d in "$0"/lib/python3.*/site-packages "$0"/local/lib/python3.*/dist-packages; do [ -d "$d" ] && export PYTHONPATH="$d:$PYTHONPATH"; done',
    'exec "$@"',
  ].join('; ');
  return (command) => ['bash', '-c', around, INSTALL, ...command];
}

function build(): void {
  for (const [name, text] of Object.entries(FILES)) {
    const path = join(FOLDER, 'src', 'bond', name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  }
  const colcon = ['build', '--base-paths', 'src', '--merge-install', '--executor', 'sequential'];
  const cmake = ['--cmake-args', '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_TESTING=OFF'];
  const script = `cd "$0" && exec colcon "$@" -DPython3_EXECUTABLE="$(command -v python3)"`;
  const { status, stdout, stderr } = spawnSync(
    'bash',
    [join(ROOT, 'scripts', 'ros.sh'), 'bash', '-c', script, FOLDER, ...colcon, ...cmake],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the package bond was not built:\n${stdout}\n${stderr}`);
  writeFileSync(join(FOLDER, 'done'), '');
}
