/** What an examination of a checkpoint came upon, in words for the person who will run it on a robot. */
export interface Finding {
  /** stands in the reference of findings, and in JSON */
  readonly id: string;
  /** `refused`: it cannot be exported so; `warning`: it can, and may not do what was meant; `note`: a fact worth knowing */
  readonly level: 'refused' | 'warning' | 'note';
  readonly finding: string;
  /** file and key, or tensor */
  readonly where: string;
  /** what it does to the robot */
  readonly effect: string;
  readonly remedy: string;
}

/** A finding in one line. */
export function findingLine({ level, finding, where, effect, remedy }: Finding): string {
  return `${level}: ${finding} (${where}): ${effect}${remedy === '' ? '' : `; ${remedy}`}`;
}
