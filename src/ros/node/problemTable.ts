import type { LEVEL } from './Diagnostics';

/** One thing that can go wrong, for the table in docs/reference/diagnostics.md. */
export interface Problem {
  readonly what: string;
  /** name of the status on /diagnostics */
  readonly status: string;
  /** the value of that status that counts it; undefined where the message alone says it */
  readonly value?: string;
  readonly level?: keyof typeof LEVEL;
  readonly remedy: string;
}

/** What one kind of refusal is, and what to do about it. */
export type ProblemEntry = Pick<Problem, 'what' | 'remedy'>;

/** A row for each kind, counted under `<prefix><kind>`. */
export function problemRows(
  entries: Readonly<Record<string, ProblemEntry>>,
  status: string,
  prefix: string,
): readonly Problem[] {
  return Object.entries(entries).map(([kind, entry]) => ({
    ...entry,
    status,
    value: `${prefix}${kind}`,
    ...(prefix !== 'refused, ' && { level: 'error' as const }),
  }));
}

/** The problems as a Markdown table. */
export function problemTable(problems: readonly Problem[]): string {
  return [
    '| what | status, value | level | what to do |',
    '| --- | --- | --- | --- |',
    ...problems.map(({ what, status, value, level, remedy }) => {
      const place = value === undefined ? status : `${status}, \`${value}\``;
      return `| ${what} | ${place} | ${level ?? '–'} | ${remedy} |`;
    }),
  ].join('\n');
}
