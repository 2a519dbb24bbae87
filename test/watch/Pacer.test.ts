import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Interrupted, Pacer } from '../../src/watch/Pacer';

/** A turn that is asked for, and whether it has been taken. */
function ask(pacer: Pacer): { taken: boolean; failed: boolean } {
  const turn = { taken: false, failed: false };
  pacer.turn().then(
    () => (turn.taken = true),
    () => (turn.failed = true),
  );
  return turn;
}

describe('The pacer', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  /** Lets everything happen that is due within these milliseconds. */
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

  it('stands still until somebody watches, and again when nobody does', async () => {
    const pacer = new Pacer();
    const first = ask(pacer);
    await pass(10_000);
    expect(first.taken).toBe(false);
    pacer.attended = true;
    await pass(0);
    expect(first.taken).toBe(true);
    pacer.attended = false;
    const second = ask(pacer);
    await pass(10_000);
    expect(second.taken).toBe(false);
  });

  it('takes steps in rhythm, and does not catch up with what it missed', async () => {
    const pacer = new Pacer();
    pacer.attended = true;
    pacer.period = 0.1;
    await pacer.turn();
    const second = ask(pacer);
    await pass(99);
    expect(second.taken).toBe(false);
    await pass(1);
    expect(second.taken).toBe(true);
    // fifty steps are missed; one is taken at once, the next one a period later
    await pass(5000);
    const late = ask(pacer);
    await pass(0);
    const next = ask(pacer);
    await pass(99);
    expect([late.taken, next.taken]).toEqual([true, false]);
    await pass(1);
    expect(next.taken).toBe(true);
  });

  it('takes only the steps that are asked for while it is paused, at once', async () => {
    const pacer = new Pacer();
    pacer.attended = true;
    pacer.period = 60;
    pacer.pause();
    const turns = ask(pacer);
    await pass(1e6);
    expect(turns.taken).toBe(false);
    pacer.allow(2);
    await pass(0);
    const second = ask(pacer);
    await pass(0);
    const third = ask(pacer);
    await pass(1e6);
    expect([turns.taken, second.taken, third.taken]).toEqual([true, true, false]);
    pacer.resume();
    await pass(60_000);
    expect(third.taken).toBe(true);
  });

  it('is interrupted in the middle of a wait, until it begins anew', async () => {
    const pacer = new Pacer();
    const turn = ask(pacer);
    pacer.interrupt();
    await pass(0);
    expect(turn.failed).toBe(true);
    await expect(pacer.turn()).rejects.toThrow(Interrupted);
    pacer.begin();
    pacer.attended = true;
    await pacer.turn();
  });
});
