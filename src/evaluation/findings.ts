import { LIVE } from './liveRun';
import { disturbance, speedUp } from './speedUp';
import type { ConfigurationRun, ObservationFacts, Warning } from './types';
import { sum } from '../cache/matrix';

/**
 * Warnings that the chunks themselves give rise to: values cut by limits, stored values that did not fit, times that the
 * work cannot explain.
 * @param runs the uncached one first
 */
export function findings(
  observations: readonly ObservationFacts[],
  runs: readonly ConfigurationRun[],
): readonly Warning[] {
  const clamped = runs.map(({ chunks }) => chunks.map((chunk) => chunk.clamped ?? 0));
  const fallbacks = runs.map(({ chunks }) => chunks.map(({ report }) => report.fallbacks));
  return [
    ...finding('clamped', 'action values were beyond the limits of the bundle and were cut', clamped),
    ...finding('fallback', 'stored values did not fit and were computed again', fallbacks),
    ...disturbedTimes(runs),
  ];

  /** One warning for all configurations, at the first chunk that it concerns; `counts` by configuration and chunk. */
  function finding(
    kind: Warning['kind'],
    what: string,
    counts: readonly (readonly number[])[],
  ): readonly Warning[] {
    const concerned = counts.flatMap((ofChunks, i) => {
      const chunks = ofChunks.filter((count) => count > 0).length;
      const name = runs[i]?.configuration.name ?? '';
      return chunks === 0 ? [] : [`${name} ${sum(ofChunks)} in ${chunks} of ${ofChunks.length} chunks`];
    });
    if (concerned.length === 0) return [];
    const time = observations.find((_, chunk) => counts.some((ofChunks) => (ofChunks[chunk] ?? 0) > 0))?.time;
    return [{ kind, message: `${what}: ${concerned.join('; ')}`, ...(time !== undefined && { time }) }];
  }
}

function disturbedTimes([uncached, ...others]: readonly ConfigurationRun[]): readonly Warning[] {
  return others.flatMap(({ configuration: { name }, chunks }) => {
    if (!uncached || name === LIVE) return [];
    const { ratio, bound } = speedUp(uncached.chunks, chunks);
    const disturbed = disturbance(ratio, bound);
    if (disturbed === undefined) return [];
    return [{ kind: 'other', configuration: name, message: disturbed }];
  });
}
