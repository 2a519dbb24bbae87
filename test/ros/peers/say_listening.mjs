// Loaded before a program: says on stderr when the program has begun to listen for SIGTERM.
import { writeSync } from 'node:fs';

process.on('newListener', function said(event) {
  if (event !== 'SIGTERM') return;
  process.off('newListener', said);
  writeSync(2, 'listening\n');
});
