import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './Peer';

interface LaunchFile {
  readonly declared: readonly string[];
  readonly used: readonly string[];
  readonly started: readonly {
    readonly executable: string;
    readonly name: string | null;
    readonly arguments: readonly string[];
    readonly ros_arguments: readonly string[];
    /** files, and values by name */
    readonly parameters: readonly (string | Readonly<Record<string, unknown>>)[];
    readonly remappings: readonly (readonly [string, string])[];
  }[];
  /** arguments for the launch file that it includes, which is always the policy's */
  readonly handed_on: readonly string[];
  /** environment variables that it sets, and the arguments that they are taken from */
  readonly environment: Readonly<Record<string, string>>;
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
      for (const { executable: name } of started) {
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
    const executables = (...args: string[]): string[] =>
      run('policy.launch.py', ...args).started.map(({ executable }) => executable);
    expect(executables()).toEqual(['policy']);
    expect(executables('executor:=true', 'command_topic:=/c')).toEqual(['policy', 'action_executor']);
  });

  it('keep to this machine, unless an argument says otherwise', () => {
    for (const file of files)
      expect(run(file).environment, file).toEqual({ ROS_AUTOMATIC_DISCOVERY_RANGE: 'discovery_range' });
  });

  it('give each node the enclave of its full name where that is asked for', () => {
    const enclaves = (...args: string[]): (string | undefined)[] =>
      run('policy.launch.py', 'executor:=true', ...args).started.map(
        ({ ros_arguments: words }) => words[words.indexOf('--enclave') + 1],
      );
    expect(enclaves('enclaves:=true', 'namespace:=left')).toEqual([
      '/left/fast_wam_policy',
      '/left/action_executor',
    ]);
    expect(run('policy.launch.py').started[0]!.ros_arguments).not.toContain('--enclave');
  });

  it('take topics of cameras, other names for topics and another name for the node', () => {
    const [policy, executor] = run(
      'policy.launch.py',
      'executor:=true',
      'name:=left_policy',
      'cameras:=front:=/a/image_raw wrist:=b/image_raw/compressed',
      'remap:=joint_states:=/arm/joint_states',
    ).started;
    expect(policy).toMatchObject({
      name: 'left_policy',
      remappings: [['joint_states', '/arm/joint_states']],
    });
    expect(policy!.parameters[1]).toEqual({
      'cameras.front.topic': '/a/image_raw',
      'cameras.wrist.topic': 'b/image_raw/compressed',
    });
    expect(executor!.remappings).toEqual([
      ['fast_wam_policy/action_chunk', 'left_policy/action_chunk'],
      ['joint_states', '/arm/joint_states'],
    ]);
    expect(() => run('policy.launch.py', 'cameras:=front=/a')).toThrow(
      /expected pairs like name:=\/topic, separated by blanks; got "front=\/a"/,
    );
  });

  it('replay into a namespace: the player waits for the node there, and its chunks are recorded', () => {
    const programs = (...args: string[]): readonly string[][] =>
      run('replay.launch.py', ...args).started.map(({ arguments: words }) => [...words]);
    expect(programs('bag:=b', 'out:=o')[0]).toEqual([
      'play',
      'b',
      '--rate',
      '1.0',
      '--clock',
      '--wait-for',
      '/fast_wam_policy',
    ]);
    const [player, recorder] = programs('bag:=b', 'out:=o', 'namespace:=/left/', 'name:=p');
    expect(player!.at(-1)).toBe('/left/p');
    expect(recorder).toEqual(['record', '/left/p/action_chunk', '--out', 'o']);
    const remapped = run('replay.launch.py', 'remap:=/front/image_raw:=/left/front/image_raw').started[0];
    expect(remapped!.remappings).toEqual([['/front/image_raw', '/left/front/image_raw']]);
  });
});
