import type { ObservationBuffer } from '../../observation/ObservationBuffer';
import type { ChunkProducer } from '../../policy/ChunkProducer';
import { LEVEL } from '../node/Diagnostics';
import type { Status } from '../node/Diagnostics';
import type { SourceCounts } from './SourceSubscriptions';

/** Milliseconds without a message after which a source counts as silent. */
const SILENT = 2000;

const ms = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;

/** Whether each source arrives and the chunk that is due has an observation. */
export function observationStatus(
  sources: readonly SourceCounts[],
  producer: ChunkProducer | undefined,
  publishers: (topic: string) => number,
  buffer: Pick<ObservationBuffer<unknown>, 'refused' | 'messagesRefused'>,
  now = performance.now(),
): Status {
  const values: Record<string, string | number> = {};
  const problems: string[] = [];
  for (const { name, topic, received, malformed, problem, at } of sources) {
    values[`${name} messages`] = received;
    if (malformed > 0) values[`${name} unreadable`] = `${malformed}, last: ${problem}`;
    if (now - at < SILENT) continue;
    const count = publishers(topic);
    problems.push(
      count === 0
        ? `nobody publishes ${topic} (${name})`
        : `nothing arrives from ${name}, though ${count} publish ${topic}: is their type the one expected? Are frames larger than their shared-memory segment (Fast DDS: 512 KiB unless FASTDDS_DEFAULT_PROFILES_FILE says more on the publisher's side)?`,
    );
  }
  for (const [source, refused] of buffer.messagesRefused) {
    for (const [kind, count] of refused) values[`${source} refused, ${kind}`] = count;
  }
  // Pictures are compared where they are decoded, by the producer of chunks.
  for (const [kind, count] of [...buffer.refused, ['frozen', producer?.counts.frozen ?? 0] as const])
    if (count > 0) values[`skipped, ${kind}`] = count;
  const last = producer?.last;
  if (last) {
    for (const { name, age } of last.sources.ages) values[`${name} age`] = ms(age);
    values['camera skew'] = ms(last.sources.skew);
  }
  const refusals = producer?.active ? producer.refusals.map(({ message }) => message) : [];
  const still = producer?.active ? (last?.chunk.still ?? []).map(({ message }) => message) : [];
  const doubts = producer?.active ? (last?.sources.doubts ?? []) : [];
  const [problem] = [...problems, ...refusals, ...still, ...doubts];
  const blocking = refusals.length > 0;
  return {
    name: 'Observation',
    level: problem === undefined ? LEVEL.ok : blocking ? LEVEL.error : LEVEL.warn,
    message: problem ?? 'all sources arrive',
    values,
  };
}

/** How long chunks take, against the time there is. */
export function inferenceStatus(producer: ChunkProducer, recent: { late: number; failed: number }): Status {
  const { counts, last, failure } = producer;
  const late = counts.late - recent.late;
  const values: Record<string, string | number> = {
    chunks: counts.produced,
    'chunks late': counts.late,
    'chunks failed': counts.failed,
    'chunks discarded': counts.discarded,
    episodes: counts.episodes,
  };
  let budget = '';
  if (last) {
    const { times } = last.chunk;
    for (const stage of ['decode', 'vae', 'prefill', 'expert', 'total'] as const)
      values[stage] = ms(times[stage]);
    const { replanSteps, period } = last.conditions;
    budget = `${ms(times.total)} of ${ms(replanSteps * period)}`;
    values['time for a chunk'] = ms(replanSteps * period);
    values['episode, chunk'] = `${last.chunk.episode}, ${last.chunk.chunk}`;
    values['instruction'] = last.chunk.instruction;
    const { rows, delay, reason } = last.chunk.guidance;
    values['guided rows'] = reason === '' ? `${rows}, delay ${delay}` : `none: ${reason}`;
  }
  if (failure !== undefined) {
    return { name: 'Inference', level: LEVEL.error, message: `the last chunk failed: ${failure}`, values };
  }
  if (late > 0) {
    const message = `chunks are late: ${budget}; lower the load (cache.refresh_interval, cache.range) or raise control.replan_steps`;
    return { name: 'Inference', level: LEVEL.warn, message, values };
  }
  return {
    name: 'Inference',
    level: LEVEL.ok,
    message: last ? `chunk in ${budget}` : 'no chunk yet',
    values,
  };
}

/** What the cache did in the last chunk. */
export function cacheStatus(producer: ChunkProducer, warning: string | undefined): Status {
  const report = producer.last?.chunk.report;
  if (!report) return { name: 'Cache', level: LEVEL.ok, message: 'no chunk yet', values: {} };
  const [start, end] = report.range;
  return {
    name: 'Cache',
    level: warning === undefined ? LEVEL.ok : LEVEL.warn,
    message:
      warning ??
      `${report.policy}: ${report.reusedSteps} of ${report.reusedSteps + report.fullSteps} steps reused`,
    values: {
      policy: report.policy,
      refresh_interval: report.refreshInterval,
      range: `[${start}, ${end}]`,
      refreshed: report.refreshed ? report.reason : 'no',
      'full steps': report.fullSteps,
      'reused steps': report.reusedSteps,
      'stack evaluations': report.stackEvaluations.toFixed(2),
      'values that did not fit': report.fallbacks,
      memory: `${(report.bytes / 2 ** 20).toFixed(2)} MiB`,
    },
  };
}

/** What was kept from the robot. */
export function safetyStatus(producer: ChunkProducer, limits: string): Status {
  const { clamped, limited } = producer.counts;
  const now = producer.last?.chunk.clamped ?? 0;
  const values = { 'safety.limits': limits, 'values clamped': clamped, 'chunks dropped': limited };
  if (producer.dropped !== undefined) {
    return { name: 'Safety', level: LEVEL.error, message: producer.dropped, values };
  }
  return {
    name: 'Safety',
    level: now > 0 ? LEVEL.warn : LEVEL.ok,
    message:
      now > 0
        ? `${now} values of the last chunk were pulled inside the limits`
        : 'actions are inside the limits',
    values,
  };
}
