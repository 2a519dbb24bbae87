import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { basename, join } from 'node:path';
import type { BagReader } from '../bag/types';
import type { Bundle } from '../bundle/Bundle';
import { describePrecision } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import type { LoadReport } from '../policy/workerMessages';
import { toSeconds } from '../observation/stamp';
import type { Provenance } from './types';

export interface RunFacts {
  readonly command: readonly string[];
  readonly startedAt: Date;
  /** seconds */
  readonly duration: number;
  readonly bundle: Bundle;
  /** as the user named it */
  readonly bundlePath: string;
  readonly randomWeights: boolean;
  readonly loaded: LoadReport;
  readonly bag: BagReader;
  readonly execution: ExecutionOptions;
  readonly settings: readonly (readonly [string, string])[];
}

/** What a reader needs to judge the figures and to measure them again. */
export function provenanceOf(facts: RunFacts): Provenance {
  const { bundle, bag } = facts;
  return {
    command: facts.command,
    startedAt: facts.startedAt.toISOString(),
    duration: facts.duration,
    model: {
      name: bundle.manifest.name,
      path: facts.bundlePath,
      fingerprint: bundle.manifest.weights.policy.fingerprint.slice(0, 16),
      randomWeights: facts.randomWeights,
      facts: modelDescription(bundle),
    },
    recording: { name: basename(bag.path), path: bag.path, facts: recordingFacts(bag) },
    versions: [
      ['fast-wam-policy', packageVersion(join(__dirname, '..', '..', 'package.json'))],
      ['node', process.version],
      ['onnxruntime-node', packageVersion(require.resolve('onnxruntime-node/package.json'))],
    ],
    machine: [
      ...machineFacts(),
      [
        'execution',
        `${facts.loaded.provider}, ${describePrecision(facts.execution)}, ${facts.execution.threads === 0 ? 'one thread for each core' : `${facts.execution.threads} threads`}`,
      ],
    ],
    settings: facts.settings,
  };
}

export function modelDescription({
  dimensions: d,
  schedule,
  manifest,
}: Bundle): Provenance['model']['facts'] {
  return [
    ['action expert', `${d.layers} blocks, hidden ${d.actionHidden}, ${d.heads} heads × ${d.headDim}`],
    ['video expert', `${d.layers} blocks, hidden ${d.videoDim}`],
    ['image', `${d.height} × ${d.width}, ${manifest.cameras.map(({ name }) => name).join(', ')}`],
    ['chunk', `${d.horizon} actions of ${d.actionDim}`],
    ['sampler', `${schedule.steps} Euler steps, shift ${schedule.shift}`],
  ];
}

const STORAGES = { mcap: 'MCAP', sqlite3: 'SQLite3', lerobot: 'LeRobot dataset' } as const;

function recordingFacts(bag: BagReader): Provenance['recording']['facts'] {
  const duration =
    bag.start !== undefined && bag.end !== undefined ? toSeconds(bag.end - bag.start) : undefined;
  return [
    ['storage', STORAGES[bag.storage]],
    ...(duration === undefined ? [] : [['duration', `${duration.toFixed(2)} s`] as const]),
    ...(bag.start === undefined
      ? []
      : [['begins', new Date(Number(bag.start / 1_000_000n)).toISOString()] as const]),
    ...bag.topics.map(
      ({ name, type: messageType, count }) =>
        [name, count === undefined ? messageType : `${messageType}, ${count} messages`] as const,
    ),
  ];
}

export function machineFacts(): [string, string][] {
  const cores = cpus();
  return [
    [
      'processor',
      `${cores[0]?.model.trim() ?? 'unknown'}, ${cores.length} ${cores.length === 1 ? 'core' : 'cores'}`,
    ],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['system', `${type()} ${release()}, ${process.arch}`],
  ];
}

export function packageVersion(path: string): string {
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown };
  return typeof version === 'string' ? version : 'unknown';
}
