import { constants } from 'node:os';

/*
 * What Ctrl-C and SIGTERM do, decided in one place: who is at work may finish what he has in hand; the second signal
 * ends the process, and what is temporary goes with it either way.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type EndSignal = (typeof SIGNALS)[number];

type Stop = (signal: EndSignal) => void;

const stops = new Set<Stop>();
const cleanUps = new Set<() => void>();

/** Runs `stop` at the first signal, in place of ending the process. Returns what takes it back. */
export function onInterrupt(stop: Stop): () => void {
  return registered(stops, stop);
}

/** Runs `cleanUp` before the process ends, however it does, short of being killed. Returns what takes it back. */
export function beforeExit(cleanUp: () => void): () => void {
  return registered(cleanUps, cleanUp);
}

/** The exit code that a shell gives a program which a signal ended: 130 after Ctrl-C. */
export function exitCodeOf(signal: EndSignal): number {
  return 128 + constants.signals[signal];
}

function registered<T>(set: Set<T>, entry: T): () => void {
  if (stops.size + cleanUps.size === 0) {
    for (const signal of SIGNALS) process.on(signal, onSignal);
    process.on('exit', cleanUp);
  }
  set.add(entry);
  return () => {
    set.delete(entry);
    if (stops.size + cleanUps.size === 0) removeListeners();
  };
}

function onSignal(signal: EndSignal): void {
  // Somebody else has a say, a node for instance: it ends the process when it is done.
  if (stops.size === 0 && process.listenerCount(signal) > 1) return;
  if (stops.size > 0) {
    const asked = [...stops];
    stops.clear();
    for (const stop of asked) stop(signal);
    return;
  }
  cleanUp();
  removeListeners();
  // Not `exit`: that aborts the process while onnxruntime works in another thread.
  process.kill(process.pid, signal);
}

function cleanUp(): void {
  for (const one of [...cleanUps]) one();
  cleanUps.clear();
}

function removeListeners(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal);
  process.off('exit', cleanUp);
}
