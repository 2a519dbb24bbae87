import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './Peer';

interface LaunchFile {
  readonly declared: readonly string[];
  readonly used: readonly string[];
  /** executables */
  readonly started: readonly string[];
  /** arguments for the launch file that it includes, which is always the policy's */
  readonly handed_on: readonly string[];
}

/** Runs a launch file with stand-ins for the launch system, which the wheels of ROS 2 lack. */
function run(file: string, ...args: string[]): LaunchFile {
  const script = join(__dirname, 'peers', 'launch_arguments.py');
  const { stdout, stderr } = spawnSync('python3', [script, join(ROOT, 'launch', file), ...args], {
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as LaunchFile;
}
const python = spawnSync('python3', ['--version']).status === 0;
if (!python) process.stderr.write('skipped, there is no python3 to run launch files with\n');

describe.skipIf(!python)('the launch files', () => {
  const files = readdirSync(join(ROOT, 'launch')).filter((name) => name.endsWith('.launch.py'));

  it('declare every argument that they use, and start executables that exist', () => {
    expect(files).toContain('policy.launch.py');
    for (const file of files) {
      const { declared, used, started } = run(file);
      for (const name of used) expect(declared, file).toContain(name);
      expect(started.length, file).toBeGreaterThan(0);
      for (const name of started) {
        const source = name === 'fastwam' ? 'cli/main.ts' : `ros/executables/${name}.ts`;
        expect(existsSync(join(ROOT, 'src', source)), `${file}: ${name}`).toBe(true);
      }
    }
  });

  it('hand on what the launch file of the policy takes', () => {
    const { declared } = run('policy.launch.py');
    for (const file of files) for (const name of run(file).handed_on) expect(declared, file).toContain(name);
  });

  it('start the executor where that is asked for', () => {
    expect(run('policy.launch.py').started).toEqual(['policy']);
    expect(run('policy.launch.py', 'executor:=true', 'command_topic:=/c').started).toEqual([
      'policy',
      'action_executor',
    ]);
  });
});
