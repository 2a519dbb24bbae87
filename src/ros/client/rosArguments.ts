/**
 * A command line without its ROS arguments, which `ros2 launch` appends to every program: `--ros-args` up to `--` or
 * the end. rclnodejs reads them from the whole one.
 */
export function withoutRosArguments(argv: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let inside = false;
  for (const word of argv) {
    if (word === '--ros-args') inside = true;
    else if (inside && word === '--') inside = false;
    else if (!inside) kept.push(word);
  }
  return kept;
}
