/**
 * The policy node under a robot's load: three cameras 640 x 480 at 30 Hz and joints at 200 Hz from one process, calls
 * and the reception of chunks in another, inference with one thread. Figures only; nothing is asserted.
 *
 * Run it with: npm run ros -- npx ts-node scripts/measure-load.ts [tabletop|bench_110m [SECONDS [LOAD [FRAMES]]]]
 *
 * LOAD: `idle` makes no chunks; `rate`, at the rate of the bundle; `full`, the next as soon as one is done.
 * FRAMES are those of each camera, 640x480@30 unless told otherwise.
 * NODE_FLAGS are given to the node under measurement, for instance --cpu-prof or --trace-gc.
 * bench_110m needs out/bench_110m, which `npm run bench` makes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { distributionOf } from '../src/evaluation/distribution';
import { exportBundle } from '../src/export/exportBundle';
import { removeFolders, temporaryFolder } from '../test/helpers';
import { ROOT, RosProcess } from '../test/ros/Peer';
import { compiledSource } from '../test/ros/compiledSource';

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const MODELS = {
  tabletop: {
    folder: join(ROOT, 'bundles', 'tabletop', 'checkpoint'),
    stats: true,
    actions: 3,
    proprio: 3,
    cameras: [
      'x: 0, y: 0, width: 64, height: 64',
      'x: 64, y: 0, width: 64, height: 32',
      'x: 64, y: 32, width: 64, height: 32',
    ],
    control: '{ rate: 20, replan_steps: 5 }',
  },
  bench_110m: {
    folder: join(ROOT, 'out', 'bench_110m'),
    stats: false,
    actions: 7,
    proprio: 8,
    cameras: [
      'x: 0, y: 0, width: 224, height: 224',
      'x: 224, y: 0, width: 224, height: 112',
      'x: 224, y: 112, width: 224, height: 112',
    ],
    control: '{ rate: 20, replan_steps: 20 }',
  },
} as const;
const CAMERAS = ['front', 'wrist', 'side'];
type Model = (typeof MODELS)[keyof typeof MODELS];

/** The bundle of a model for a robot with three cameras, and the task that it is given. */
function threeCameras(model: Model, folder: string): { readonly bundle: string; readonly task: string } {
  const numbered = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, i) => `${name}_${i}`);
  const robot = [
    'name: load',
    `control: ${model.control}`,
    'cameras:',
    ...model.cameras.map((place, i) => `  - { name: ${CAMERAS[i]}, ${place} }`),
    `proprio: { names: [${numbered(model.proprio, 'joint').join(', ')}], units: [${Array<string>(model.proprio).fill('rad').join(', ')}] }`,
    'actions:',
    '  kind: joint_position',
    `  names: [${numbered(model.actions, 'action').join(', ')}]`,
    `  limits: { min: [${Array<number>(model.actions).fill(-5).join(', ')}], max: [${Array<number>(model.actions).fill(5).join(', ')}] }`,
  ];
  writeFileSync(join(folder, 'robot.yaml'), `${robot.join('\n')}\n`);
  const at = (name: string): string => join(model.folder, name);
  if (!existsSync(at('fastwam.pt'))) throw new Error(`there is no ${at('fastwam.pt')}`);
  const bundle = join(folder, 'bundle');
  exportBundle({
    checkpoint: at('fastwam.pt'),
    vae: at('vae_encoder.pth'),
    textEmbeds: at('text_embeds'),
    instructions: at('instructions.txt'),
    config: model.stats ? at('config.json') : join(ROOT, 'test', 'fixtures', 'bench_110m.config.json'),
    robot: join(folder, 'robot.yaml'),
    out: bundle,
    ...(model.stats && { stats: at('dataset_stats.json') }),
  });
  const [task = ''] = readFileSync(at('instructions.txt'), 'utf8').split('\n');
  return { bundle, task };
}

/** Seconds of CPU that the threads of a process have used: the main one, and all. */
function cpuSeconds(pid: number): { main: number; all: number } {
  const used = (path: string): number => {
    const fields = readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  return { main: used(`/proc/${pid}/task/${pid}/stat`), all: used(`/proc/${pid}/stat`) };
}

function milliseconds(seconds: readonly number[]): string {
  const { count, p50, p95, p99, max } = distributionOf(seconds.map((value) => value * 1000));
  return `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms (${count})`;
}

interface Heard {
  readonly latencies: readonly number[];
  readonly inference: readonly number[];
  readonly answers: Readonly<Record<string, readonly number[]>>;
  readonly received: Readonly<Record<string, number>>;
}

async function main(name: keyof typeof MODELS, seconds: number, load: string, frames: string): Promise<void> {
  const camera = /^(\d+)x(\d+)@(\d+)$/.exec(frames)?.slice(1);
  if (!camera) throw new Error(`FRAMES ${frames}: must be WIDTHxHEIGHT@HZ`);
  const model = MODELS[name];
  const folder = temporaryFolder();
  const { bundle, task } = threeCameras(model, folder);
  const lagFile = join(folder, 'lag.json');
  const joints = Array.from({ length: model.proprio }, (_, i) => `joint_${i}`);
  const settings: Record<string, string | number | boolean> = {
    ...Object.fromEntries(CAMERAS.map((camera) => [`cameras.${camera}.topic`, `cam/${camera}`])),
    'proprio.arm.topic': 'joint_states',
    'proprio.arm.joints': `[${joints.join(', ')}]`,
    'execution.threads': 1,
    'control.trigger': load === 'idle' ? 'request' : 'periodic',
    ...(load === 'full' && { 'control.replan_steps': 1 }),
    bundle,
    instruction: JSON.stringify(task),
    autostart: true,
  };
  const params = join(folder, 'params.yaml');
  const lines = Object.entries(settings).map(([key, value]) => `    ${key}: ${value}`);
  writeFileSync(params, ['/**:', '  ros__parameters:', ...lines, ''].join('\n'));

  const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
  const preload = join(ROOT, 'scripts', 'load', 'eventLoopLag.mjs');
  const flags = (process.env['NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');
  const node = new RosProcess(
    ['node', ...flags, '--import', preload, program, '--ros-args', '--params-file', params],
    { LAG_FILE: lagFile, MALLOC_ARENA_MAX: '2' },
  );
  const script = join(ROOT, 'scripts', 'load', 'robot.py');
  const robot = new RosProcess(['python', script, String(model.proprio), ...camera]);
  const counts = async (): Promise<Record<string, number>> => {
    const from = robot.output.length;
    robot.child.stdin.write('\n');
    await robot.printed(new RegExp(`^[^]{${from}}.*\\n`));
    return JSON.parse(robot.output.slice(from)) as Record<string, number>;
  };
  try {
    await node.printed(/loaded in/);
    const operator = new RosProcess([
      'python',
      join(ROOT, 'scripts', 'load', 'operator.py'),
      String(seconds),
    ]);
    try {
      await operator.printed(/begin\n/);
      const pid = node.child.pid ?? 0;
      node.child.kill('SIGUSR2');
      const before = { cpu: cpuSeconds(pid), sent: await counts(), at: performance.now() };
      await operator.printed(/end\n/, (seconds + 60) * 1000);
      node.child.kill('SIGUSR2');
      const after = { cpu: cpuSeconds(pid), sent: await counts(), at: performance.now() };
      await operator.exited;
      const heard = JSON.parse(operator.output.slice(operator.output.indexOf('{'))) as Heard;
      const took = (after.at - before.at) / 1000;
      print(`${name}, ${load}: ${took.toFixed(1)} s, ${heard.latencies.length} chunks`);
      const rates = Object.entries(after.sent).map(
        ([topic, n]) => `${topic} ${((n - (before.sent[topic] ?? 0)) / took).toFixed(1)} Hz`,
      );
      print(`  sent: ${rates.join(', ')}`);
      const heardRates = Object.entries(heard.received).map(
        ([source, hz]) => `${source} ${hz.toFixed(1)} Hz`,
      );
      print(`  received: ${heardRates.join(', ')}`);
      print(
        `  CPU of the node: main thread ${((100 * (after.cpu.main - before.cpu.main)) / took).toFixed(0)} %, all threads ${((100 * (after.cpu.all - before.cpu.all)) / took).toFixed(0)} % of a core`,
      );
      if (heard.latencies.length > 0) {
        print(`  image stamp to chunk received: ${milliseconds(heard.latencies)}`);
        print(`  of that inference: ${milliseconds(heard.inference)}`);
        print(
          `  the rest: ${milliseconds(heard.latencies.map((value, i) => value - (heard.inference[i] ?? 0)))}`,
        );
      }
      for (const [call, times] of Object.entries(heard.answers)) print(`  ${call}: ${milliseconds(times)}`);
      const lag = JSON.parse(readFileSync(lagFile, 'utf8')) as Record<'p50' | 'p99' | 'max', number>;
      print(
        `  event loop late by: p50 ${lag.p50.toFixed(1)}, p99 ${lag.p99.toFixed(1)}, max ${lag.max.toFixed(1)} ms`,
      );
    } finally {
      await operator.end('SIGKILL');
    }
  } finally {
    await node.end('SIGTERM');
    if (flags.length > 0) writeFileSync(join(ROOT, 'out', 'measured-node.log'), node.output);
    robot.child.stdin.end();
    await robot.end('SIGKILL');
  }
}

const [name = 'tabletop', seconds = '15', load = 'rate', frames = '640x480@30'] = process.argv.slice(2);
main(name as keyof typeof MODELS, Number(seconds), load, frames)
  .catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  })
  .finally(removeFolders);
