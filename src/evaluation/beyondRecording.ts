import type { ConfigurationRun, ObservationFacts } from './types';

/**
 * Whether a recording is too short to show what a configuration does: it re-uses what earlier chunks left, and in no
 * episode was that ever refreshed. How its actions drift as episodes go on, and how they come back, was not seen; in
 * closed loop such configurations are the ones that fail.
 */
export function beyondRecording(
  { configuration, chunks }: ConfigurationRun,
  observations: readonly Pick<ObservationFacts, 'chunk'>[],
): boolean {
  if (configuration.values['refresh_interval'] === undefined) return false;
  return !chunks.some(({ report }, i) => report.refreshed && (observations[i]?.chunk ?? 0) > 0);
}
