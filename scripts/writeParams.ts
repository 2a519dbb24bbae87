import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shippedParams } from '../src/settings/shippedParams';

for (const [name, content] of Object.entries(shippedParams())) {
  writeFileSync(join(__dirname, '..', 'params', name), content);
}
