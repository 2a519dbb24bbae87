import type { EpisodeRecord } from '../../sim/episodeRecord';
import { sum } from '../../cache/matrix';

type Cell = string | number | boolean;

/** Columns of `episodes.csv`, in order. */
export const EPISODE_COLUMNS: readonly {
  readonly name: string;
  /** with its unit */
  readonly description: string;
  readonly value: (record: EpisodeRecord) => Cell;
}[] = [
  { name: 'configuration', description: 'name of the configuration', value: (one) => one.configuration },
  { name: 'episode', description: 'number of the episode in the run, from 0', value: (one) => one.episode },
  { name: 'suite', description: 'suite of the task', value: (one) => one.suite },
  { name: 'task', description: 'number of the task', value: (one) => one.task },
  {
    name: 'success',
    description: '1 if the task was solved within the step limit',
    value: (one) => one.success,
  },
  {
    name: 'steps',
    description: 'control steps until success, or until the limit',
    value: (one) => one.steps,
  },
  { name: 'chunks', description: 'chunks computed', value: (one) => one.stacks.length },
  {
    name: 'refreshes',
    description: 'one letter for each chunk: F computed in full, r in part re-used',
    value: (one) => one.refreshes,
  },
  {
    name: 'stack_evaluations',
    description: 'work of all chunks in full-stack equivalents',
    value: (one) => sum(one.stacks),
  },
  { name: 'chunk_time_ms', description: 'time of all chunks, ms', value: (one) => sum(one.ms) },
  { name: 'disturbances', description: 'jumps, slips and pushes', value: (one) => one.disturbances },
];

/** One line for each episode of each configuration (RFC 4180, UTF-8, `.` as decimal sign). */
export function episodesCsv(records: readonly EpisodeRecord[]): string {
  const lines = [
    EPISODE_COLUMNS.map(({ name }) => name).join(','),
    ...records.map((record) => EPISODE_COLUMNS.map(({ value }) => cellText(value(record))).join(',')),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function cellText(value: Cell): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number') return String(Number(value.toPrecision(9)));
  // Names of configurations hold ranges, and those a comma.
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
