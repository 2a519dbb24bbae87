import { Interrupted } from '../errors';
import { exitCodeOf, onInterrupt } from '../signals';
import type { EndSignal } from '../signals';

/** Work that can be asked to stop. */
export interface Interruptible {
  /** aborted by Ctrl-C and SIGTERM; the work ends at its next whole step */
  readonly signal: AbortSignal;
  /** @throws Interrupted with what is there and what is not, if the work was stopped */
  readonly throwIfInterrupted: (whatIsThere: string) => void;
}

/** Runs work that stops at its next whole step when it is interrupted; a second signal ends the process. */
export async function interruptible<T>(work: (interruption: Interruptible) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let received: EndSignal | undefined;
  const done = onInterrupt((signal) => {
    received = signal;
    controller.abort();
  });
  try {
    return await work({
      signal: controller.signal,
      throwIfInterrupted: (whatIsThere) => {
        if (received !== undefined) {
          throw new Interrupted(`interrupted: ${whatIsThere}`, exitCodeOf(received));
        }
      },
    });
  } finally {
    done();
  }
}
