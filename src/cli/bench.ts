import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { UNCACHED, someSettings } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import type { BenchLine } from '../evaluation/runBench';
import { runBench } from '../evaluation/runBench';
import { POLICIES } from '../cache/registry';
import type { CachePolicy } from '../cache/types';
import { CalibrationFile } from '../policy/CalibrationFile';
import { modelFacts } from '../policy/modelFacts';
import { ProgressBar } from '../report/ProgressBar';
import { print, printJson, progressStream, say } from '../terminal';
import { addExecutionOptions, readExecutionOptions } from './policyOptions';
import type { ExecutionFlags } from './policyOptions';
import { wholeNumber } from './flagValues';

interface BenchFlags extends ExecutionFlags {
  readonly bundle: string;
  readonly chunks: string;
  readonly instruction?: string;
  readonly int8?: boolean;
  readonly allPolicies?: boolean;
  readonly json?: boolean;
}

const c3ache = (name: string, refresh_interval: number, range: readonly [number, number]): Configuration => ({
  name,
  policy: 'c3ache',
  values: { refresh_interval, range },
  companions: {},
});

/** What `fastwam bench` measures: no cache, C3ache as the paper's tables run it most, and its fastest cell. */
const CONFIGURATIONS: readonly Configuration[] = [
  { ...UNCACHED, name: 'none' },
  c3ache('c3ache', 4, [0, 6]),
  c3ache('c3ache_R0_0-7', 0, [0, 7]),
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
    const bar = new ProgressBar({ stream: progressStream, label: 'chunks', total: chunks });
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
    if (flags.json) printJson(result);
    else print(benchTable(result));
  });
}

function otherPolicies(bundle: Bundle): Configuration[] {
  const measured = new Set(CONFIGURATIONS.map((c) => c.policy));
  return POLICIES.filter((p) => !measured.has(p.name)).map((policy) => measurable(policy, bundle));
}

/** A policy at its defaults; one that learns beforehand with a record that the bundle has, or else computing everything. */
function measurable({ name, calibration }: CachePolicy, bundle: Bundle): Configuration {
  const defaults = { name, policy: name, values: {}, companions: {} };
  if (!calibration) return defaults;
  const [record] = new CalibrationFile(bundle, calibration).read();
  if (record !== undefined) return { ...defaults, values: someSettings(calibration.settingsOf(record)) };
  say(
    `${name}: the bundle has nothing learnt for it (fastwam calibrate --policy ${name} makes it), so it is measured computing everything`,
  );
  const everything = calibration.withoutRecord(modelFacts(bundle).shape);
  return { ...defaults, name: `${name}_full`, values: someSettings(everything) };
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
