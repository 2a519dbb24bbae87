import { writeFileSync } from 'node:fs';
import { referencePages } from './reference/pages';

async function main(): Promise<void> {
  for (const [path, text] of await referencePages()) writeFileSync(path, text);
}

void main();
