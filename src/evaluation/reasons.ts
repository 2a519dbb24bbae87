import type { Warning } from './types';

/** Warnings that say the same thing, as one. */
export interface Reason extends Warning {
  /** how often it was given */
  readonly count: number;
}

/**
 * Warnings that differ in their numbers alone, each once: the first of them, with its time and how many there are.
 * A recording that has one fault has it in every sample; a list of thousands hides the second fault.
 */
export function reasonsOf(warnings: readonly Warning[]): readonly Reason[] {
  const reasons = new Map<string, { warning: Warning; count: number }>();
  for (const warning of warnings) {
    const { kind, configuration = '', message, time } = warning;
    // Without a time it is no sample's warning, and stands for itself.
    const likeness = time === undefined ? message : message.replace(/-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/g, '#');
    const key = `${kind}\n${configuration}\n${likeness}`;
    const known = reasons.get(key);
    if (known) known.count += 1;
    else reasons.set(key, { warning, count: 1 });
  }
  return [...reasons.values()].map(({ warning, count }) => ({ ...warning, count }));
}

/** One line: what, where first, and how often. */
export function reasonText({ message, time, configuration, count }: Reason): string {
  const first =
    time === undefined ? [] : [count > 1 ? `first at ${time.toFixed(2)} s` : `${time.toFixed(2)} s`];
  const where = [
    ...(configuration === undefined ? [] : [configuration]),
    ...(count > 1 ? [`${count} times`] : []),
    ...first,
  ];
  return where.length === 0 ? message : `${where.join(', ')}: ${message}`;
}

/** Lines for people, one for each reason. */
export function reasonLines(warnings: readonly Warning[]): readonly string[] {
  return reasonsOf(warnings).map(reasonText);
}
