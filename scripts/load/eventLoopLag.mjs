// Preloaded into a node under measurement: writes how late its event loop was, ms, to the file LAG_FILE, between two
// signals SIGUSR2. The histogram holds the distance of timers that are meant to be 1 ms apart.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let measuring = false;
  process.on('SIGUSR2', () => {
    if (measuring) {
      delay.disable();
      const [p50, p99, max] = [delay.percentile(50), delay.percentile(99), delay.max];
      const late = (ns) => Math.max(0, ns / 1e6 - 1);
      writeFileSync(process.env.LAG_FILE, JSON.stringify({ p50: late(p50), p99: late(p99), max: late(max) }));
    } else {
      delay.reset();
      delay.enable();
    }
    measuring = !measuring;
  });
}
