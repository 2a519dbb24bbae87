import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import {
  ChunkExecutor,
  type ChunkRefusal,
  type Command,
  type ExecutableChunk,
  type ExecutorSettings,
  type RobotState,
} from '../../src/executor/ChunkExecutor';
import type { CommandDimension } from '../../src/executor/dimensions';

const PERIOD = 0.1;
const joint: CommandDimension = { name: 'joint', mode: 'absolute', gripper: false };
const delta: CommandDimension = { name: 'dx', mode: 'delta', gripper: false };
const grip: CommandDimension = { name: 'grip', mode: 'absolute', gripper: true };

/** An executor with a robot that is where it was told to be, at zero to begin with. */
class Driven extends ChunkExecutor {
  at: number[] = Array.from(this.settings.dimensions, () => 0);

  override command(now: number, state: RobotState = { values: this.at, lacking: undefined }): Command {
    const command = super.command(now, state);
    if (command.values) this.at = [...command.values];
    return command;
  }
}

function executor(dimensions: readonly CommandDimension[], settings: Partial<ExecutorSettings> = {}): Driven {
  return new Driven({
    dimensions,
    period: PERIOD,
    blendSteps: 0,
    deadline: 1,
    limitPolicy: 'clamp',
    ...settings,
  });
}

/** A chunk of a one-dimensional command. */
function chunkOf(values: readonly number[], step: number, replanSteps = 2): ExecutableChunk {
  return { stamp: step * PERIOD, period: PERIOD, replanSteps, actions: Float32Array.from(values) };
}

/** Values of the commands of these steps, one dimension. */
function commands(e: ChunkExecutor, from: number, to: number): (number | undefined)[] {
  return Array.from({ length: to - from }, (_, i) => e.command((from + i) * PERIOD).values?.[0]);
}

describe('The chunk executor', () => {
  it('gives action floor((t - stamp) / period) for any stamp, and nothing beyond the horizon', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        fc.constantFrom(0, 5.5, 1.7e9),
        (horizon, offset, epoch) => {
          const e = executor([joint], { deadline: Infinity });
          const actions = Float32Array.from({ length: horizon }, (_, k) => k);
          const stamp = epoch + offset * PERIOD;
          expect(e.accept({ stamp, period: PERIOD, replanSteps: 1, actions }, stamp)).toBeUndefined();
          // Control steps at epoch, epoch + 0.1, ...: the first one at or after the stamp executes action 0, each
          // later one the next.
          const first = offset < 1e-3 ? 0 : 1;
          for (let n = first; n < horizon + first + 3; n++) {
            const command = e.command(epoch + n * PERIOD);
            const k = n - first;
            expect(command.index).toBe(k < horizon ? k : undefined);
            expect(command.values?.[0]).toBe(Math.min(k, horizon - 1));
            expect(command.reason).toBe(k < horizon ? undefined : 'horizon');
          }
        },
      ),
    );
  });

  it('skips the actions that inference took the time of', () => {
    const e = executor([joint]);
    e.accept(chunkOf([0, 1, 2, 3, 4, 5, 6, 7], 0), 0);
    expect(commands(e, 0, 3)).toEqual([0, 1, 2]);
    // Observed at step 2, arrives before step 4: its actions 0 and 1 are over.
    e.accept(chunkOf([20, 21, 22, 23], 2), 0.35);
    expect(commands(e, 3, 6)).toEqual([21, 22, 23]);
  });

  it('fades the new chunk in over the blend steps, and switches a gripper at once', () => {
    const e = executor([joint, grip], { blendSteps: 3 });
    const rows = (position: number, opening: number): Float32Array =>
      Float32Array.from({ length: 20 }, (_, i) => (i % 2 ? opening : position));
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 2, actions: rows(0, 0) }, 0);
    e.command(0);
    e.accept({ stamp: 0.1, period: PERIOD, replanSteps: 2, actions: rows(8, 1) }, 0.1);
    // Weights 1/4, 2/4, 3/4, then the new chunk alone.
    const sent = [1, 2, 3, 4].map((step) => [...e.command(step * PERIOD).values!]);
    expect(sent).toEqual([
      [2, 1],
      [4, 1],
      [6, 1],
      [8, 1],
    ]);
  });

  it('never jumps at a join by more than the chunks move plus their distance over the blend steps plus one', () => {
    // c(t) = w a(t) + (1 - w) b(t), and w grows by 1 / (B + 1) a step, so
    // |c(t) - c(t-1)| <= max |step of a|, |step of b| + max |a - b| / (B + 1). The old one fades in itself, from where
    // the robot is: it counts as far away as that, too.
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(values, values, fc.nat(6), fc.integer({ min: 1, max: 8 }), (b, a, blendSteps, join) => {
        const e = executor([joint], { blendSteps });
        e.at = [b[0]!];
        const [old, fresh] = [chunkOf(b, 0, 16), chunkOf(a, join, 16)];
        e.accept(old, 0);
        const sent = commands(e, 0, join);
        e.accept(fresh, join * PERIOD);
        sent.push(...commands(e, join, 16));
        const steps = [old, fresh].flatMap(({ actions }) =>
          [...actions].slice(1).map((v, i) => Math.abs(v - actions[i]!)),
        );
        let apart = 0;
        for (let k = 0; k < 16 - join; k++) {
          apart = Math.max(apart, Math.abs(fresh.actions[k]! - old.actions[k + join]!));
        }
        const start = old.actions[0]!;
        const far = ({ actions }: ExecutableChunk): number =>
          Math.max(...actions.map((v) => Math.abs(v - start)));
        apart = Math.max(apart, far(fresh)) + far(old);
        // The step into the join compares with the old chunk's action before it, hence one old step more.
        const bound = Math.max(...steps) + apart / (blendSteps + 1) + 1e-9;
        for (let t = 1; t < Math.min(sent.length, join + blendSteps + 1); t++) {
          expect(Math.abs(sent[t]! - sent[t - 1]!)).toBeLessThanOrEqual(bound);
        }
      }),
    );
  });

  it('keeps fading smoothly when a third chunk arrives during a fade', () => {
    const e = executor([joint], { blendSteps: 3 });
    const level = (value: number, step: number): void => {
      expect(e.accept(chunkOf(Array<number>(20).fill(value), step), step * PERIOD)).toBeUndefined();
    };
    level(0, 0);
    commands(e, 0, 1);
    level(8, 1);
    expect(commands(e, 1, 3)).toEqual([2, 4]);
    level(0, 3);
    // 3/4 of the running fade's 6, 2/4 of its 8, 1/4 of its 8, then the new chunk alone.
    expect(commands(e, 3, 7)).toEqual([4.5, 4, 2, 0]);
  });

  it('holds when the next chunk is later than the deadline, and says since when it is due', () => {
    const e = executor([joint], { deadline: 0.2 });
    e.accept(chunkOf([0, 1, 2, 3, 4, 5, 6, 7], 0), 0);
    const sent = Array.from({ length: 6 }, (_, n) => e.command(n * PERIOD));
    // Due after 2 steps, at 0.2; two more are allowed, and the one at 0.4 begins just at the deadline.
    expect(sent.map(({ state }) => state)).toEqual([...Array<string>(5).fill('executing'), 'holding']);
    expect(sent[5]).toMatchObject({ reason: 'deadline', index: undefined });
    expect(sent[5]!.overdue).toBeCloseTo(0.3, 9);
    expect(sent[5]!.values![0]).toBe(4);
    expect(e.counts).toMatchObject({ commands: 6, overdueCommands: 3, heldCommands: { deadline: 1 } });
  });

  it('holds absolute dimensions where they are, and sends no displacement', () => {
    const e = executor([joint, delta, grip]);
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 1, actions: Float32Array.of(5, 0.5, 1) }, 0);
    expect([...e.command(0).values!]).toEqual([5, 0.5, 1]);
    expect([...e.command(0.1).values!]).toEqual([5, 0, 1]);
  });

  it('is silent while holding when nobody said what a dimension means', () => {
    const e = executor([{ ...joint, mode: 'other' }]);
    e.accept(chunkOf([5], 0), 0);
    expect([...e.command(0).values!]).toEqual([5]);
    expect(e.command(0.1)).toMatchObject({ values: undefined, state: 'holding', reason: 'horizon' });
  });

  it('is silent before the first chunk, and moves off in steps from where the robot is', () => {
    const e = executor([{ ...joint, maxStep: 0.5 }]);
    e.at = [2];
    expect(e.command(0)).toMatchObject({ values: undefined, reason: 'no_chunk' });
    e.accept(chunkOf([4, 4, 4, 4, 4, 4], 1), 0.1);
    expect(commands(e, 1, 6)).toEqual([2.5, 3, 3.5, 4, 4]);
  });

  it('fades a chunk in from standing still after a hold', () => {
    const e = executor([joint, delta], { blendSteps: 1, deadline: 0 });
    e.at = [2, 0];
    const rows = (position: number, step: number): Float32Array =>
      Float32Array.from({ length: 20 }, (_, i) => (i % 2 ? step : position));
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 1, actions: rows(2, 1) }, 0);
    expect([0, 1, 2, 3].map((n) => [...e.command(n * PERIOD).values!])).toEqual([
      [2, 0.5],
      [2, 1],
      [2, 0],
      [2, 0],
    ]);
    e.accept({ stamp: 0.4, period: PERIOD, replanSteps: 1, actions: rows(4, 1) }, 0.4);
    expect([4, 5].map((n) => [...e.command(n * PERIOD).values!])).toEqual([
      [3, 0.5],
      [4, 1],
    ]);
  });

  it('goes on with the old chunk until one from the next step begins', () => {
    const e = executor([joint]);
    e.accept(chunkOf([0, 1, 2, 3], 0), 0);
    commands(e, 0, 1);
    // Stamped between steps 1 and 2, and known before step 1.
    expect(e.accept({ ...chunkOf([7, 8], 0), stamp: 0.15 }, 0.06)).toBeUndefined();
    expect(commands(e, 1, 4)).toEqual([1, 7, 8]);

    const first = executor([joint]);
    first.accept({ ...chunkOf([7, 8], 0), stamp: 0.05 }, 0);
    expect(first.command(0)).toMatchObject({ values: undefined, reason: 'not_yet' });
    expect(commands(first, 1, 2)).toEqual([7]);
  });

  it('holds and refuses chunks while paused, and follows the next one after', () => {
    const e = executor([joint]);
    e.accept(chunkOf([1, 2, 3], 0), 0);
    commands(e, 0, 1);
    e.pause();
    expect(e.paused).toBe(true);
    expect(e.command(0.1)).toMatchObject({ state: 'holding', reason: 'paused' });
    expect(e.accept(chunkOf([5, 5], 2), 0.2)).toBe('paused');
    e.resume();
    expect(e.command(0.2)).toMatchObject({ reason: 'no_chunk' });
    e.accept(chunkOf([6, 6], 3), 0.3);
    expect(commands(e, 3, 4)).toEqual([6]);
  });

  it('refuses what cannot be followed, says why and counts it', () => {
    const e = executor([joint]);
    const good = chunkOf([1, 2, 3], 10);
    e.accept(good, 1);
    const cases: [Partial<ExecutableChunk>, ChunkRefusal][] = [
      [{ actions: new Float32Array(0) }, 'shape'],
      [{ replanSteps: 0 }, 'shape'],
      [{ replanSteps: NaN }, 'shape'],
      [{ actions: Float32Array.of(1, NaN) }, 'not_finite'],
      [{ actions: Float32Array.of(-Infinity) }, 'not_finite'],
      [{ stamp: NaN }, 'not_finite'],
      [{ period: 0.05 }, 'period'],
      [{ period: NaN }, 'period'],
      [{ stamp: 0.9 }, 'outdated'],
      [{ stamp: 1.3 }, 'future'],
    ];
    for (const [change, refusal] of cases) expect(e.accept({ ...good, ...change }, 1)).toBe(refusal);
    expect(e.accept(good, 1.3)).toBe('expired');
    expect(executor([joint, grip]).accept(good, 1)).toBe('shape');
    expect(e.counts.chunksRefused).toEqual({
      shape: 3,
      period: 2,
      not_finite: 3,
      outdated: 1,
      expired: 1,
      future: 1,
      paused: 0,
    });
    expect(e.command(1).values![0]).toBe(1);
  });

  it('clamps to position, step and velocity limits and counts each dimension', () => {
    const e = executor([
      { ...joint, min: -1, max: 1, maxStep: 0.5 },
      { ...joint, maxVelocity: 2 },
      { ...delta, maxVelocity: 3 },
    ]);
    const actions = Float32Array.of(0, 0, 0, 2, 1, 1, 2, 1, 0.25);
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 3, actions }, 0);
    const sent = [0, 1, 2].map((n) => [...e.command(n * PERIOD).values!].map((v) => Number(v.toFixed(9))));
    // Velocity 2 / s is 0.2 a step from the last command; 3 / s is a displacement of 0.3.
    expect(sent).toEqual([
      [0, 0, 0],
      [0.5, 0.2, 0.3],
      [1, 0.4, 0.25],
    ]);
    expect(e.counts.limited).toEqual([2, 2, 1]);
  });

  it('holds instead of a command outside the limits where these are to be refused', () => {
    const e = executor([{ ...joint, max: 1 }], { limitPolicy: 'refuse' });
    // float32(1) is 1, and 1 + 1e-7 is only a rounding away from it.
    e.accept(chunkOf([0.5, 1 + 1e-7, 1.5, 0.75], 0), 0);
    const sent = [0, 1, 2, 3].map((n) => e.command(n * PERIOD));
    expect(sent.map(({ values }) => values![0])).toEqual([0.5, 1, 1, 0.75]);
    expect(sent[2]).toMatchObject({ state: 'holding', reason: 'limits', limited: [0] });
    expect(e.counts.heldCommands.limits).toBe(1);
  });

  it('forgets its chunks when the clock jumps back', () => {
    const e = executor([joint]);
    e.accept(chunkOf([1, 2, 3, 4], 10), 1);
    expect(e.command(1.1).values![0]).toBe(2);
    expect(e.command(0.2)).toMatchObject({ state: 'holding', reason: 'no_chunk' });
    expect(e.accept(chunkOf([7], 2), 0.2)).toBeUndefined();
    expect(e.command(0.2).values![0]).toBe(7);
  });

  it('never sends anything but finite numbers inside the limits, whatever comes in whatever order', () => {
    const dimensions: CommandDimension[] = [
      { ...joint, min: -1, max: 1, maxStep: 0.3 },
      { ...joint, min: -2, max: 2, maxVelocity: 4 },
      { ...delta, min: -0.5, max: 0.5, maxStep: 0.25 },
      { ...grip, min: 0, max: 1 },
    ];
    const wild = fc.oneof(
      { weight: 8, arbitrary: fc.double({ min: -3, max: 3, noNaN: true }) },
      { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e30) },
    );
    const event = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('command' as const),
          steps: fc.constantFrom(0, 1, 1, 1, 5, -3),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('chunk' as const),
          age: fc.integer({ min: -2, max: 6 }),
          shift: fc.double({ min: 0, max: 0.99, noNaN: true }),
          replanSteps: fc.integer({ min: 0, max: 6 }),
          actions: fc.oneof(
            fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 32, maxLength: 32 }),
            fc.array(wild, { maxLength: 9 }),
          ),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom('pause' as const, 'resume' as const, 'reset' as const),
        }),
      },
    );
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60 }),
        fc.nat(4),
        fc.constantFrom('clamp' as const, 'refuse' as const),
        (events, blendSteps, limitPolicy) => {
          const e = executor(dimensions, { blendSteps, limitPolicy, deadline: 0.2 });
          let last: Command['values'] = Float64Array.of(0, 0, 0, 0);
          let step = 100;
          for (const item of events) {
            if (item.kind === 'chunk') {
              const stamp = (step - item.age + item.shift) * PERIOD;
              e.accept(
                { ...item, stamp, period: PERIOD, actions: Float32Array.from(item.actions) },
                step * PERIOD,
              );
            } else if (item.kind === 'command') {
              step += item.steps;
              const { values, state, index } = e.command(step * PERIOD);
              expect(index === undefined).toBe(state === 'holding');
              if (!values) continue; // before the first chunk
              expect(values.every(Number.isFinite)).toBe(true);
              if (index !== undefined) expect(index >= 0 && index < 8).toBe(true);
              for (const [i, { min, max, mode }] of dimensions.entries()) {
                expect(values[i]).toBeGreaterThanOrEqual(min!);
                expect(values[i]).toBeLessThanOrEqual(max!);
                const moved = Math.abs(values[i]! - (mode === 'delta' ? 0 : last[i]!));
                // 4 / s in 0.1 s
                expect(moved).toBeLessThanOrEqual([0.3, 0.4, 0.25, 1][i]! + 1e-9);
              }
              last = values;
            } else {
              e[item.kind]();
            }
          }
          const { commands: total, heldCommands } = e.counts;
          expect(Object.values(heldCommands).reduce((a, b) => a + b)).toBeLessThanOrEqual(total);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('moves no position while it is not known where the robot is, and says which way it is not', () => {
    const e = executor([{ ...joint, maxStep: 0.5 }, delta, grip]);
    const rows = Float32Array.from({ length: 60 }, () => 2);
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 20, actions: rows }, 0);
    const nowhere = { values: [NaN, NaN, NaN], lacking: 'no_state' } as const;
    expect(e.command(0, nowhere)).toMatchObject({ values: undefined, reason: 'no_state' });
    expect(e.command(0.1, { values: [NaN, 0, 0], lacking: undefined })).toMatchObject({ reason: 'no_state' });
    // Only the position has to be known: a displacement begins anywhere, a gripper is told open or shut.
    const there = { values: [1, NaN, NaN], lacking: undefined };
    expect([...e.command(0.2, there).values!]).toEqual([1.5, 2, 2]);
    const old = { values: [NaN, NaN, NaN], lacking: 'stale_state' } as const;
    const held = e.command(0.3, old);
    expect(held).toMatchObject({ state: 'holding', reason: 'stale_state' });
    expect([...held.values!]).toEqual([1.5, 0, 2]);
    expect(e.counts.heldCommands).toMatchObject({ no_state: 2, stale_state: 1 });
  });

  it('needs no state for steps of a pose, grippers and what nobody explained', () => {
    const e = new ChunkExecutor({
      ...executor([delta, grip, { ...joint, mode: 'other' }]).settings,
    });
    expect(e.needsState).toBe(false);
    e.accept({ stamp: 0, period: PERIOD, replanSteps: 1, actions: Float32Array.of(1, 1, 1) }, 0);
    expect([...e.command(0).values!]).toEqual([1, 1, 1]);
  });

  it('begins every motion within a step of where the robot is measured, whatever was commanded before', () => {
    const step = 0.25;
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('command' as const) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('chunk' as const),
          target: fc.double({ min: -3, max: 3, noNaN: true }),
          anew: fc.boolean(),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('moved' as const),
          to: fc.double({ min: -3, max: 3, noNaN: true }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom(...(['pause', 'resume', 'reset', 'start', 'lost', 'found', 'late'] as const)),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.nat(3), (events, blendSteps) => {
        const e = executor([{ ...joint, maxStep: step }], { blendSteps, deadline: 0.2 });
        let [tick, known, moving] = [100, true, false];
        for (const item of events) {
          if (item.kind === 'moved') e.at = [item.to];
          else if (item.kind === 'lost') known = false;
          else if (item.kind === 'found') known = true;
          else if (item.kind === 'late') tick += 4;
          else if (item.kind === 'chunk') {
            const actions = new Float32Array(10).fill(item.target);
            const chunk = { stamp: tick * PERIOD, period: PERIOD, replanSteps: 2, actions };
            if (e.accept(chunk, tick * PERIOD, item.anew) === undefined && item.anew) moving = false;
          } else if (item.kind === 'command') {
            const measured = e.at[0]!;
            const lacking = known ? undefined : ('no_state' as const);
            const state = { values: [known ? measured : NaN], lacking };
            const { values, state: doing } = e.command(++tick * PERIOD, state);
            if (doing === 'executing') {
              expect(known).toBe(true);
              if (!moving) expect(Math.abs(values![0]! - measured)).toBeLessThanOrEqual(step + 1e-9);
            }
            moving = doing === 'executing';
          } else {
            e[item.kind]();
            if (item.kind !== 'resume') moving = false;
          }
        }
      }),
    );
  });

  it('takes other settings while it moves: counts, fades and the last command go on', () => {
    const ramp = Array.from({ length: 40 }, (_, k) => k * 0.02);
    const [changed, left] = [executor([joint], { blendSteps: 5 }), executor([joint], { blendSteps: 5 })];
    for (const e of [changed, left]) {
      e.accept(chunkOf(ramp, 0, 40), 0);
      commands(e, 0, 3);
    }
    changed.settings = { ...changed.settings, deadline: 0.9, limitPolicy: 'refuse' };
    expect(commands(changed, 3, 20)).toEqual(commands(left, 3, 20));
    expect(changed.counts).toEqual(left.counts);
    expect(changed.counts.commands).toBe(20);
    // A stricter limit holds from the next command on.
    changed.settings = { ...changed.settings, dimensions: [{ ...joint, max: 0.4 }], limitPolicy: 'clamp' };
    expect(commands(changed, 20, 23)).toEqual([0.4, 0.4, 0.4]);
    expect(() => (changed.settings = { ...changed.settings, deadline: NaN })).toThrow(/deadline is NaN/);
    expect(() => (changed.settings = { ...changed.settings, dimensions: [delta] })).toThrow(
      /cannot become dx/,
    );
    expect(changed.settings.deadline).toBe(0.9);
    // Chunks are made for one period: with another there is none to follow.
    changed.settings = { ...changed.settings, period: 0.05 };
    expect(changed.command(2.3)).toMatchObject({ reason: 'no_chunk' });
  });

  it('stays small and quick when a sender floods it while time stands still', () => {
    const e = executor([joint], { blendSteps: 5 });
    e.accept(chunkOf(Array<number>(30).fill(0), 0), 0);
    e.command(0);
    for (let i = 0; i < 20_000; i++) {
      expect(e.accept(chunkOf(Array<number>(30).fill(1), 0), 0)).toBeUndefined();
      e.command(0);
    }
    expect(e.command(PERIOD).values![0]).toBeCloseTo(1, 1);
  });

  it('refuses settings that make no sense', () => {
    expect(() => executor([])).toThrow(InputError);
    expect(() => executor([joint], { period: 0 })).toThrow(/period is 0/);
    expect(() => executor([joint], { blendSteps: 1.5 })).toThrow(/blend steps are 1.5/);
    expect(() => executor([joint], { deadline: NaN })).toThrow(/deadline is NaN/);
    expect(() => executor([{ ...joint, min: 1, max: 0 }])).toThrow(/limits of joint/);
    expect(() => executor([joint]).command(NaN)).toThrow(/time is NaN/);
  });
});
