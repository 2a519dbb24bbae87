/**
 * Why an observation is not used:
 * `missing` a source has given nothing yet; `missing_joints` a message lacks joints that are wanted; `not_finite` NaN
 * or an infinite number; `malformed` a message that does not hold what its type promises; `future` a source is
 * stamped after the sample time; `stale` a source is older than allowed; `skewed` cameras are further apart than allowed;
 * `implausible` a number further from the data of training than allowed; `undecodable` a picture that cannot be read;
 * `frozen` a camera that repeats its picture.
 */
export const REFUSAL_KINDS = [
  'missing',
  'missing_joints',
  'not_finite',
  'malformed',
  'future',
  'stale',
  'skewed',
  'implausible',
  'undecodable',
  'frozen',
] as const;
export type RefusalKind = (typeof REFUSAL_KINDS)[number];

/** A reason not to act on an observation. It is counted and shown, not thrown: the next observation may be good. */
export interface Refusal {
  readonly kind: RefusalKind;
  /** the camera or proprioception source; empty where several are concerned */
  readonly source: string;
  /** one line for a person */
  readonly message: string;
}
