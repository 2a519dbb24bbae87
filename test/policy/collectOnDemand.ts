/** Loaded into a worker before its program: collects its garbage when asked to, which no other thread can do. */
import { BroadcastChannel } from 'node:worker_threads';

const asked = new BroadcastChannel('collect');
const done = new BroadcastChannel('collected');
asked.onmessage = () => {
  global.gc?.();
  done.postMessage('');
};
asked.unref();
done.unref();
