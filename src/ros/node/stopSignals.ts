/**
 * SIGINT and SIGTERM, heard from the first line of a program on: loading what a node needs takes a second, and who stops
 * it meanwhile must not see it die of the signal. Every program of a node imports this file before anything else.
 */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Nothing is there yet that would have to be ended. */
let end = (): void => process.exit(0);

function onSignal(): void {
  // Who asks again need not wait: the second signal kills.
  for (const signal of SIGNALS) process.off(signal, onSignal);
  end();
}

for (const signal of SIGNALS) process.on(signal, onSignal);

/** From now on this is done when the program is told to stop, once. It has to end the process. */
export function onStopSignal(handler: () => void): void {
  end = handler;
}
