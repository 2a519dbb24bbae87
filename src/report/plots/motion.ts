import { executedSteps } from '../../evaluation/deviation';
import type { Evaluation } from '../../evaluation/types';

/** One line over the whole recording, executed parts of the chunks one after the other. */
export interface MotionSeries {
  readonly name: string;
  /** class of its line: `recorded`, or the one of its configuration */
  readonly className: string;
  /** [column][point]; NaN breaks the line */
  readonly values: readonly Float32Array[];
}

/** What lies between two lines of a motion: b − a, a single line. */
export function differenceOf(motion: Motion, a: string, b: string): Motion {
  const valuesOf = (name: string): readonly Float32Array[] =>
    motion.series.find((one) => one.name === name)?.values ?? [];
  const [from, to] = [valuesOf(a), valuesOf(b)];
  const className = motion.series.find(({ name }) => name === b)?.className ?? 'sx';
  const values = to.map((line, column) => line.map((value, i) => value - (from[column]?.[i] ?? NaN)));
  return { ...motion, series: [{ name: b, className, values }] };
}

/** The lines of those names. */
export function only(motion: Motion, names: readonly string[]): Motion {
  return { ...motion, series: motion.series.filter(({ name }) => names.includes(name)) };
}

/** What was done, and what would have been done, over the time of the recording. */
export interface Motion {
  /** seconds since the start of the recording, ascending; [point] */
  readonly time: Float64Array;
  /** where a chunk takes over from the one before, seconds */
  readonly seams: readonly number[];
  /** where an episode begins, seconds */
  readonly episodes: readonly number[];
  readonly series: readonly MotionSeries[];
}

/**
 * Executed actions over time: the recording's where it has them, and those of the named configurations. Between
 * episodes lies one empty point, so that lines do not run across. Action k of a chunk stands at the stamp of its
 * observation + (k+1)/rate.
 */
export function motionOf(
  { layout, observations, runs }: Evaluation,
  shown: readonly { readonly name: string; readonly className: string }[],
): Motion {
  const executed = executedSteps(layout);
  const width = layout.names.length;
  const time: number[] = [];
  const rows: { readonly observation: number; readonly step: number }[] = [];
  const seams: number[] = [];
  const episodes: number[] = [];
  observations.forEach((facts, observation) => {
    const previous = observations[observation - 1];
    const starts = previous?.episode !== facts.episode;
    if (starts) episodes.push(facts.time);
    else seams.push(facts.time + 0.5 / layout.controlRate);
    if (starts && previous) {
      time.push(Math.max(facts.time, time.at(-1) ?? 0));
      rows.push({ observation, step: -1 });
    }
    for (let step = 0; step < executed; step += 1) {
      time.push(facts.time + (step + 1) / layout.controlRate);
      rows.push({ observation, step });
    }
  });
  const collect = (actionsOf: (observation: number) => Float32Array | undefined): Float32Array[] =>
    layout.names.map((_, column) =>
      Float32Array.from(rows, ({ observation, step }) =>
        step < 0 ? NaN : (actionsOf(observation)?.[step * width + column] ?? NaN),
      ),
    );
  const hasRecording = observations.some(({ recorded }) => recorded);
  return {
    time: Float64Array.from(time),
    seams,
    episodes,
    series: [
      ...(hasRecording
        ? [{ name: 'recorded', className: 'recorded', values: collect((i) => observations[i]?.recorded) }]
        : []),
      ...shown.flatMap(({ name, className }) => {
        const run = runs.find(({ configuration }) => configuration.name === name);
        return run ? [{ name, className, values: collect((i) => run.chunks[i]?.actions) }] : [];
      }),
    ],
  };
}
