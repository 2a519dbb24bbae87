import type { Refusal } from './Refusal';
import { quoted } from '../words/quoted';

/** What an observation must keep to; times in seconds, and Infinity switches them off. */
export interface ObservationLimits {
  /** how old a source may be when the observation is used (`observation.max_age`) */
  readonly maxAge: number;
  /** how far apart the stamps of the cameras may be (`observation.max_skew`) */
  readonly maxSkew: number;
  /** how many spreads from the data of training a number may lie (`observation.max_deviation`); 0, the default = any number */
  readonly maxDeviation?: number;
}

/** How old one source is at the time the observation is used, seconds. */
export interface SourceAge {
  readonly name: string;
  readonly age: number;
}

/** Refuses every source that is older than allowed, or from the future: an age below zero is an error of its own. */
export function checkAges(ages: readonly SourceAge[], { maxAge }: ObservationLimits): Refusal[] {
  return ages.flatMap(({ name, age }): Refusal[] => {
    if (age < 0) return [futureSource(name, -age)];
    if (age <= maxAge) return [];
    const message = `${name} is ${age.toFixed(3)} s old, at most ${maxAge} s are allowed (observation.max_age)`;
    return [{ kind: 'stale', source: name, message }];
  });
}

/** The refusal of a source whose message is stamped `ahead` seconds after the time it was asked for. */
export function futureSource(name: string, ahead: number): Refusal {
  return {
    kind: 'future',
    source: name,
    message: `${name} is stamped ${ahead.toFixed(3)} s ahead of the clock; are the machines' clocks in step, and use_sim_time the same for all?`,
  };
}

/** Refuses cameras whose frames were taken too far apart. */
export function checkSkew(skew: number, { maxSkew }: ObservationLimits): Refusal[] {
  if (skew <= maxSkew) return [];
  const message = `the cameras' frames are ${skew.toFixed(3)} s apart, at most ${maxSkew} s are allowed (observation.max_skew)`;
  return [{ kind: 'skewed', source: '', message }];
}

/** Refuses numbers that are not finite, with the names of the elements. */
export function checkFinite(source: string, values: Float64Array, names?: readonly string[]): Refusal[] {
  const bad: string[] = [];
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) bad.push(`${quoted(names?.[i] ?? `element ${i}`)} is ${value}`);
  });
  if (bad.length === 0) return [];
  return [{ kind: 'not_finite', source, message: `${source}: ${bad.join(', ')}` }];
}
