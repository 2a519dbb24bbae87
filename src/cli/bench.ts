import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { bac } from '../cache/bac';
import type { BenchLine } from '../evaluation/runBench';
import { runBench } from '../evaluation/runBench';
import type { Configuration } from '../evaluation/types';
import { POLICIES } from '../cache/registry';
import { BacScheduleFile } from '../policy/BacScheduleFile';
import { ProgressBar } from '../report/ProgressBar';
import { addExecutionOptions, readExecutionOptions, wholeNumber } from './policyOptions';
import type { ExecutionFlags } from './policyOptions';

interface BenchFlags extends ExecutionFlags {
  readonly bundle: string;
  readonly chunks: string;
  readonly instruction?: string;
  readonly int8?: boolean;
  readonly allPolicies?: boolean;
  readonly json?: boolean;
}

const RANGE: readonly [number, number] = [0, 6];

/** What `fastwam bench` measures: no cache, C3ache as the paper's tables run it most, and its fastest cell. */
const CONFIGURATIONS: readonly Configuration[] = [
  { name: 'none', policy: 'none', settings: {} },
  { name: 'c3ache', policy: 'c3ache', settings: { refresh_interval: 4, range: RANGE } },
  { name: 'c3ache_R0_0-7', policy: 'c3ache', settings: { refresh_interval: 0, range: [0, 7] } },
];

/** `fastwam bench` */
export function benchCommand(program: Command): Command {
  const command = program
    .command('bench')
    .description('measure the engine with and without caches, interleaved in one run')
    .requiredOption('--bundle <dir>', 'a bundle')
    .option('--chunks <n>', 'chunks of one episode', '12')
    .option('--instruction <text>', 'the bare task (default: any the bundle knows)')
    .option('--int8', 'also measure an int8 expert')
    .option('--all-policies', 'also measure every other policy at its defaults')
    .option('--json', 'one JSON line instead of a table');
  addExecutionOptions(command);
  return command.action(async (flags: BenchFlags) => {
    const chunks = wholeNumber('--chunks', flags.chunks);
    const bar = new ProgressBar({ stream: process.stderr, label: 'chunks', total: chunks });
    const result = await runBench({
      bundle: flags.bundle,
      chunks,
      execution: readExecutionOptions(flags),
      configurations: flags.allPolicies
        ? [...CONFIGURATIONS, ...otherPolicies(Bundle.open(flags.bundle))]
        : CONFIGURATIONS,
      int8: flags.int8 === true,
      ...(flags.instruction === undefined ? {} : { instruction: flags.instruction }),
      onProgress: (done) => bar.update(done),
    });
    bar.finish();
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : benchTable(result));
  });
}

function otherPolicies(bundle: Bundle): Configuration[] {
  const measured = new Set(CONFIGURATIONS.map((c) => c.policy));
  return POLICIES.filter((p) => !measured.has(p.name)).map((p) =>
    p.name === bac.name ? bacConfiguration(bundle) : { name: p.name, policy: p.name, settings: {} },
  );
}

/** `bac` with a schedule that the bundle has; without one it can only be measured holding nothing. */
function bacConfiguration(bundle: Bundle): Configuration {
  const [made] = new BacScheduleFile(bundle).read();
  if (made) {
    const { updates, union_blocks, similarity } = made;
    return { name: bac.name, policy: bac.name, settings: { updates, union_blocks, similarity } };
  }
  process.stderr.write(
    'bac: the bundle has no schedule (fastwam calibrate --policy bac makes one), so it is measured holding nothing\n',
  );
  return { name: 'bac_M=N', policy: bac.name, settings: { updates: bundle.schedule.steps } };
}

/** The figures as a table. */
function benchTable(result: Readonly<Record<string, BenchLine>>): string {
  const header = [
    '',
    'stacks',
    'total ms',
    'vae',
    'prefill',
    'expert',
    'reuse/full',
    'speed-up',
    'bound',
    'GFLOP/s',
    'of matmul',
  ];
  const rows = Object.entries(result).map(([name, line]) => {
    const full = result.none?.expert_full_ms?.p50 ?? Number.NaN;
    const reuse = line.expert_reuse_ms?.p50;
    return [
      name,
      line.stack_evaluations.toFixed(1),
      line.total_ms.p50.toFixed(2),
      line.stages.vae.p50.toFixed(2),
      line.stages.prefill.p50.toFixed(2),
      line.stages.expert.p50.toFixed(2),
      reuse === undefined ? '' : (reuse / full).toFixed(3),
      `${line.speed_up.toFixed(2)}x`,
      `${line.bound.toFixed(2)}x`,
      (line.expert_gflops ?? Number.NaN).toFixed(1),
      (line.share_of_matrix_product ?? Number.NaN).toFixed(2),
    ];
  });
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  );
  const errors = Object.entries(result)
    .filter(([, line]) => line.relative_action_error !== undefined)
    .map(
      ([name, line]) =>
        `${name}: relative action error ${(line.relative_action_error ?? 0).toExponential(2)}`,
    );
  return `${[...lines, ...errors].join('\n')}\n`;
}
