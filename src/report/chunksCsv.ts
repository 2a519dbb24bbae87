import { deviationFrom } from '../evaluation/deviation';
import { gripperFlips } from '../evaluation/gripperFlips';
import { seams } from '../evaluation/seams';
import type { ChunkResult, ConfigurationRun, Evaluation, ObservationFacts } from '../evaluation/types';

/** What a row is made from. */
interface ChunkRow {
  readonly evaluation: Evaluation;
  readonly run: ConfigurationRun;
  readonly chunk: ChunkResult;
  readonly facts: ObservationFacts;
  readonly index: number;
  readonly uncached: ChunkResult;
}

type Cell = string | number | boolean | undefined;

export interface ChunkColumn {
  readonly name: string;
  /** with its unit */
  readonly description: string;
  value(row: ChunkRow): Cell;
}

/** The columns that every file has, in order. */
const FIXED_COLUMNS: readonly ChunkColumn[] = [
  {
    name: 'configuration',
    description: 'name of the configuration',
    value: ({ run }) => run.configuration.name,
  },
  { name: 'episode', description: 'episode of the recording, from 0', value: ({ facts }) => facts.episode },
  { name: 'chunk', description: 'chunk of the episode, from 0', value: ({ facts }) => facts.chunk },
  {
    name: 'time_s',
    description: 'stamp of the observation since the start of the recording, s',
    value: ({ facts }) => facts.time,
  },
  {
    name: 'refreshed',
    description: 'all denoising steps were computed in full',
    value: ({ chunk }) => chunk.report.refreshed,
  },
  {
    name: 'reason',
    description: 'why it refreshed; empty for a chunk that reused',
    value: ({ chunk }) => chunk.report.reason,
  },
  {
    name: 'full_steps',
    description: 'denoising steps computed in full',
    value: ({ chunk }) => chunk.report.fullSteps,
  },
  {
    name: 'reused_steps',
    description: 'denoising steps served from the cache',
    value: ({ chunk }) => chunk.report.reusedSteps,
  },
  {
    name: 'stack_evaluations',
    description: 'work in full-stack equivalents',
    value: ({ chunk }) => chunk.report.stackEvaluations,
  },
  {
    name: 'sub_blocks',
    description: 'self-attentions, cross-attentions and feed-forwards computed',
    value: ({ chunk }) => chunk.report.computedSubBlocks,
  },
  {
    name: 'gate_ms',
    description: 'time the policy spent deciding outside the graph, part of expert_ms',
    value: ({ chunk }) => chunk.report.gateSeconds * 1e3,
  },
  {
    name: 'cache_bytes',
    description: 'memory that the cache holds, bytes',
    value: ({ chunk }) => chunk.report.bytes,
  },
  {
    name: 'fallbacks',
    description: 'stored values that did not fit and were computed again',
    value: ({ chunk }) => chunk.report.fallbacks,
  },
  {
    name: 'clamped',
    description: 'action values that the limits changed',
    value: ({ chunk }) => chunk.clamped ?? 0,
  },
  {
    name: 'decode_ms',
    description: 'observation messages to normalised tensors, ms',
    value: ({ chunk }) => chunk.times.decode * 1e3,
  },
  { name: 'vae_ms', description: 'image encoder, ms', value: ({ chunk }) => chunk.times.vae * 1e3 },
  { name: 'prefill_ms', description: 'video branch, ms', value: ({ chunk }) => chunk.times.prefill * 1e3 },
  {
    name: 'expert_ms',
    description: 'denoising loop, reused steps included, ms',
    value: ({ chunk }) => chunk.times.expert * 1e3,
  },
  { name: 'total_ms', description: 'whole chunk, ms', value: ({ chunk }) => chunk.times.total * 1e3 },
  {
    name: 'speed_up',
    description: 'time of the uncached chunk / time of this one',
    value: ({ chunk, uncached }) => uncached.times.total / chunk.times.total,
  },
  {
    name: 'skew_s',
    description: 'largest difference between the stamps of the sources, s',
    value: ({ facts }) => facts.skew,
  },
  {
    name: 'residual_cosine',
    description: 'mean over the steps of the cosine of the uncached residuals with those of the chunk before',
    value: ({ evaluation, index }) => {
      const row = evaluation.residualCosines?.[index];
      return row && row.reduce((sum, value) => sum + value, 0) / row.length;
    },
  },
  {
    name: 'flips',
    description: 'executed gripper decisions that differ from the uncached chunk',
    value: ({ evaluation, chunk, uncached }) =>
      gripperFlips([uncached], [chunk], evaluation.layout)?.executed,
  },
  {
    name: 'signals',
    description: 'figures behind the decision of the policy, name=value separated by semicolons',
    value: ({ chunk }) =>
      Object.entries(chunk.report.signals)
        .map(([name, value]) => `${name}=${value}`)
        .join(';'),
  },
];

/** All columns of `chunks.csv`: the fixed ones, then three for each group of actions and one for each source. */
export function chunkColumns({ layout, observations }: Evaluation): readonly ChunkColumn[] {
  const groups = layout.groups.flatMap((group, i): ChunkColumn[] => {
    const unit = group.unit === '' ? '' : `, ${group.unit}`;
    return [
      {
        name: `rmse_${columnName(group.name)}`,
        description: `RMSE from the uncached chunk over the executed part${unit}`,
        value: ({ chunk, uncached }) => deviationFrom([uncached], [chunk], layout).executed.groups[i]?.rmse,
      },
      {
        name: `worst_${columnName(group.name)}`,
        description: `largest difference from the uncached chunk over the executed part${unit}`,
        value: ({ chunk, uncached }) => deviationFrom([uncached], [chunk], layout).executed.groups[i]?.worst,
      },
      {
        name: `jump_${columnName(group.name)}`,
        description: `L2 distance from the last executed action of the chunk before; empty at the start of an episode${unit}`,
        value: ({ evaluation, run, index }) => {
          const from = Math.max(0, index - 1);
          const jump = seams(
            evaluation.observations.slice(from, index + 1),
            run.chunks.slice(from, index + 1),
            layout,
          )[i]?.jump;
          return jump && jump.count > 0 ? jump.mean : undefined;
        },
      },
    ];
  });
  const sources = new Set(observations.flatMap((facts) => facts.sources.map(({ name }) => name)));
  const ages = [...sources].map((source): ChunkColumn => ({
    name: `age_${columnName(source)}_s`,
    description: `age of ${source} when the observation was taken, s`,
    value: ({ facts }) => facts.sources.find(({ name }) => name === source)?.age,
  }));
  return [...FIXED_COLUMNS, ...groups, ...ages];
}

/** One line for each chunk of each configuration (RFC 4180, UTF-8, `.` as decimal sign). */
export function chunksCsv(evaluation: Evaluation): string {
  const columns = chunkColumns(evaluation);
  const lines = [columns.map(({ name }) => cellText(name)).join(',')];
  for (const run of evaluation.runs) {
    run.chunks.forEach((chunk, index) => {
      const facts = evaluation.observations[index];
      const uncached = evaluation.runs[0]?.chunks[index];
      if (!facts || !uncached) return;
      const row = { evaluation, run, chunk, facts, index, uncached };
      lines.push(columns.map((column) => cellText(column.value(row))).join(','));
    });
  }
  return `${lines.join('\r\n')}\r\n`;
}

function columnName(text: string): string {
  return text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
}

function cellText(value: Cell): string {
  if (value === undefined) return '';
  if (typeof value === 'number') {
    return Number.isNaN(value) ? '' : String(Number.isInteger(value) ? value : Number(value.toPrecision(7)));
  }
  if (typeof value === 'boolean') return value ? '1' : '0';
  // A spreadsheet runs text that begins like a formula; names come from files.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
