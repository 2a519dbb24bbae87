/** `ok` works; `missing` is not there; `problem` is there and does not work or is not as it should be. */
export type FindingState = 'ok' | 'missing' | 'problem';

/** One line of the doctor. */
export interface Finding {
  readonly section: string;
  readonly name: string;
  readonly state: FindingState;
  /** what was found, one line */
  readonly text: string;
  /** what to do, where something should be done */
  readonly remedy?: string;
  /** that nothing runs on the CPU without it */
  readonly needed: boolean;
}

/** Findings of one section, from its own point of view. */
export type FindingParts = Pick<Finding, 'name' | 'state' | 'text'> &
  Partial<Pick<Finding, 'remedy' | 'needed'>>;

export function section(name: string, parts: readonly FindingParts[]): Finding[] {
  return parts.map((part) => ({ section: name, needed: false, ...part }));
}
